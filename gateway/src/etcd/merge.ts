/**
 * Whole source revisions from several watches, one for each prefix.
 *
 * etcd promises for each watch that events come in order and that a response (its fragments together) has all events
 * of the revisions in it (https://etcd.io/docs/v3.6/learning/api_guarantees/). Across watches it promises nothing: a
 * transaction over two prefixes arrives as two halves, in any order. So each watch has a frontier, up to which all that
 * it will ever deliver is here: the last revision that it delivered whole, or the revision of its last progress
 * notification. A revision is whole when it is not past the frontier of any watch.
 */
import type { Change, RevisionedChange, SourceRevision } from './changes.ts';
import { changesBytes } from './changes.ts';

interface Lane {
  frontier: bigint;
  /** Revisions that are not yet taken, ascending; the last may still be growing. */
  waiting: SourceRevision[];
  bytes: number;
}

/** An etcd that broke its promise of order. The watch has to be opened again. */
export class OrderError extends Error {
  override name = 'OrderError';
}

/** Puts the halves together. One for each set of watches; `from` is the last revision that is already written. */
export class RevisionMerger {
  readonly #lanes: Lane[];
  readonly #from: bigint;

  constructor(watches: number, from: bigint) {
    this.#from = from;
    this.#lanes = Array.from({ length: watches }, () => ({ frontier: from, waiting: [], bytes: 0 }));
  }

  /** Takes the events of one response of one watch. `more`: the response is a fragment, and the next one goes on. */
  deliver(watch: number, events: readonly RevisionedChange[], more: boolean): void {
    const lane = this.#lane(watch);
    for (const { revision, ...change } of events) {
      if (revision <= this.#from) continue;
      if (revision <= lane.frontier) {
        throw new OrderError(`revision ${revision} came after the watch had passed ${lane.frontier}`);
      }
      this.#append(lane, revision, change);
    }
    const last = lane.waiting.at(-1)?.revision;
    if (last === undefined) return;
    // Of a fragment, the last revision may go on in the next one; all before it are whole.
    const frontier = more ? last - 1n : last;
    if (frontier > lane.frontier) lane.frontier = frontier;
  }

  /** Takes a progress notification: the watch has delivered all events up to `revision`. */
  progress(watch: number, revision: bigint): void {
    const lane = this.#lane(watch);
    if (revision > lane.frontier) lane.frontier = revision;
  }

  /** Removes and returns the revisions that are whole now, in order. */
  take(): SourceRevision[] {
    const limit = this.frontier;
    const taken: SourceRevision[] = [];
    for (;;) {
      let next: bigint | undefined;
      for (const { waiting } of this.#lanes) {
        const revision = waiting[0]?.revision;
        if (revision !== undefined && (next === undefined || revision < next)) next = revision;
      }
      if (next === undefined || next > limit) return taken;
      taken.push(this.#collect(next));
    }
  }

  /** All that the source changed up to this revision is here. */
  get frontier(): bigint {
    let least: bigint | undefined;
    for (const { frontier } of this.#lanes) if (least === undefined || frontier < least) least = frontier;
    return least ?? this.#from;
  }

  /** Bytes of one watch's events that wait for others. */
  waitingBytes(watch: number): number {
    return this.#lane(watch).bytes;
  }

  /** Last revision of which something waits, and 0 when nothing does. */
  get highestWaiting(): bigint {
    let highest = 0n;
    for (const { waiting } of this.#lanes) {
      const last = waiting.at(-1)?.revision ?? 0n;
      if (last > highest) highest = last;
    }
    return highest;
  }

  /** The watches that haven't said yet that they have passed `revision`. */
  behind(revision: bigint): number[] {
    return this.#lanes.flatMap(({ frontier }, watch) => (frontier < revision ? [watch] : []));
  }

  #lane(watch: number): Lane {
    const lane = this.#lanes[watch];
    if (lane === undefined) throw new RangeError(`there is no watch ${watch}`);
    return lane;
  }

  #append(lane: Lane, revision: bigint, change: Change): void {
    const last = lane.waiting.at(-1);
    lane.bytes += changesBytes([change]);
    if (last === undefined || last.revision < revision) lane.waiting.push({ revision, changes: [change] });
    else if (last.revision === revision) last.changes.push(change);
    else throw new OrderError(`revision ${revision} came after revision ${last.revision} on one watch`);
  }

  #collect(revision: bigint): SourceRevision {
    const changes: Change[] = [];
    for (const lane of this.#lanes) {
      const head = lane.waiting[0];
      if (head?.revision !== revision) continue;
      lane.waiting.shift();
      lane.bytes -= changesBytes(head.changes);
      for (const change of head.changes) changes.push(change);
    }
    // One order whatever the prefixes are, so that a revision written in parts goes on where it was.
    if (changes.length > 1) changes.sort((a, b) => Buffer.compare(a.key, b.key));
    return { revision, changes };
  }
}
