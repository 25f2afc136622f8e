/** Follows the source's history from the checkpoint on, and writes it to the target, until something ends it. */
import { setTimeout as delay } from 'node:timers/promises';
import { ETCD_KEY } from '@causeway/crds';
import type { ReplicationCheckpoint } from '@causeway/crds';
import type { Log } from '../log/index.ts';
import type { EtcdClient, SourceRevision, Watch, WatchHeader } from '../etcd/index.ts';
import { changesBytes, prefixRange, RefusedError, RevisionMerger } from '../etcd/index.ts';
import { paused, waitingBytes } from './hold.ts';
import { forgetOthers } from './last-change.ts';
import { narrow, planNext } from './plan.ts';
import type { Limits, PlannedTransaction } from './plan.ts';
import type { Status } from './status.ts';
import { BlockedError, ConflictError, FencedError } from './target.ts';
import type { Held, Target } from './target.ts';
import { Wake } from './wake.ts';

/** The source isn't what it was when the session began. */
export class SourceChangedError extends Error {
  override name = 'SourceChangedError';
}

/** A watch that is behind and says nothing. */
export class SilentWatchError extends Error {
  override name = 'SilentWatchError';
}

/** Time between two looks at the source's revision and the target's epoch, milliseconds. */
const LOOK_MS = 1000;
/** How many looks may fail in a row. */
const LOOKS_MAY_FAIL = 3;
/** How long a watch that is behind may say nothing, milliseconds. */
const SILENCE_MS = 20_000;
/** While halves of revisions wait for other watches, these are asked again after this time, milliseconds. */
const ASK_MS = 50;
/**
 * When only keys that aren't ours change at the source, the checkpoint still moves on now and then, so that a compaction
 * does not cost a snapshot.
 */
const IDLE_CHECKPOINT_MS = 30_000;
const IDLE_CHECKPOINT_REVISIONS = 1000n;

const FENCE = Buffer.from(ETCD_KEY.fence);

/** Limits that a target taught us, kept over sessions. */
export interface LimitsHolder {
  limits: Limits;
}

/** What a follower works with. */
export interface FollowJob {
  source: EtcdClient;
  target: Target;
  /** Whole at its revision, without a snapshot under way. */
  held: Held & { checkpoint: ReplicationCheckpoint };
  prefixes: readonly string[];
  limits: LimitsHolder;
  status: Status;
  log: Log;
  /** Aborts at the end of the replicator: the transaction under way is finished. */
  signal: AbortSignal;
}

/** One run of following. */
export class Follower {
  readonly #job: FollowJob;
  readonly #merger: RevisionMerger;
  readonly #wake = new Wake();
  readonly #behindSince = new Map<number, number>();
  #held: FollowJob['held'];
  #queue: SourceRevision[] = [];
  #queuedBytes = 0;
  #watches: Watch[] = [];
  #failure: Error | undefined;
  #sourceRevision = 0n;
  #fenceWatch: Watch | undefined;
  /** Revision of the source that ended its time as home; 0 while it goes on. */
  #fencedAt = 0n;
  #committedAt = Date.now();

  constructor(job: FollowJob) {
    this.#job = job;
    // A prefix that is no longer asked for is no longer vouched for.
    const checkpoint = forgetOthers(job.held.checkpoint, job.prefixes);
    this.#held = { ...job.held, checkpoint: { ...checkpoint, prefixes: [...job.prefixes] } };
    this.#merger = new RevisionMerger(job.prefixes.length, BigInt(job.held.checkpoint.revision));
  }

  /** Follows until the signal aborts. Throws what ended it otherwise, WatchCompactedError among others. */
  async run(): Promise<void> {
    const { signal } = this.#job;
    const over = new AbortController();
    const wake = (): void => this.#wake.now();
    signal.addEventListener('abort', wake);
    const looking = this.#look(AbortSignal.any([signal, over.signal]));
    try {
      await this.#open();
      while (!signal.aborted) await this.#step();
    } finally {
      over.abort();
      signal.removeEventListener('abort', wake);
      for (const watch of this.#watches) watch.close();
      this.#fenceWatch?.close();
      await looking;
    }
  }

  /** What the target has: all of the source up to this revision. */
  get #position(): bigint {
    if (this.#queue.length > 0) return BigInt(this.#held.checkpoint.revision);
    return this.#watches.length === 0 ? this.#sourceRevision : this.#merger.frontier;
  }

  async #open(): Promise<void> {
    await this.#watchFence();
    const startRevision = BigInt(this.#held.checkpoint.revision) + 1n;
    for (const [index, prefix] of this.#job.prefixes.entries()) {
      const watch = await this.#job.source.watch(
        { range: prefixRange(prefix), startRevision },
        {
          events: (events, more, header) => {
            if (!this.#check(header)) return;
            this.#merger.deliver(index, events, more);
            // At once: the transaction under way may take seconds, and what comes meanwhile has to be bounded too.
            this.#take();
            this.#wake.now();
          },
          progress: (revision, header) => {
            if (!this.#check(header)) return;
            this.#merger.progress(index, revision);
            this.#wake.now();
          },
          ended: (error) => this.#fail(error),
        },
      );
      this.#watches.push(watch);
    }
  }

  /** A planned move waits for the checkpoint to come to the fence: it must not wait for the next idle one. */
  async #watchFence(): Promise<void> {
    const { source } = this.#job;
    const { header, kvs } = await source.range({ key: FENCE });
    this.#fencedAt = BigInt(kvs[0]?.mod_revision ?? '0');
    this.#fenceWatch = await source.watch(
      { range: prefixRange(ETCD_KEY.fence), startRevision: BigInt(header.revision) + 1n, ownKeys: true },
      {
        events: (events, _more, seen) => {
          if (!this.#check(seen)) return;
          // Deleted: the home was given back.
          for (const { revision, value } of events) this.#fencedAt = value === undefined ? 0n : revision;
          this.#wake.now();
        },
        progress: (_revision, seen) => void this.#check(seen),
        ended: (error) => this.#fail(error),
      },
    );
  }

  async #step(): Promise<void> {
    if (this.#failure) throw this.#failure;
    this.#take();
    const awaited = this.#awaited;
    if (awaited > 0n) this.#askProgress(awaited);
    const next =
      planNext(this.#queue, this.#held.checkpoint, this.#job.limits.limits) ?? this.#idleCheckpoint();
    if (next) {
      await this.#write(next);
      return;
    }
    this.#job.status.reached(this.#position);
    const waiting = this.#awaited > this.#position;
    await this.#wake.wait(waiting ? ASK_MS : LOOK_MS);
  }

  /** What is whole by now is next to be written. */
  #take(): void {
    for (const revision of this.#merger.take()) {
      this.#queue.push(revision);
      this.#queuedBytes += changesBytes(revision.changes);
    }
    this.#hold();
  }

  /** The revision up to which all is to be known soon: of halves that wait, or of the fence. */
  get #awaited(): bigint {
    const { highestWaiting } = this.#merger;
    return highestWaiting > this.#fencedAt ? highestWaiting : this.#fencedAt;
  }

  #askProgress(revision: bigint): void {
    for (const index of this.#merger.behind(revision)) this.#watches[index]?.askProgress();
  }

  #hold(): void {
    const least = new Set(this.#merger.behind(this.#merger.frontier + 1n));
    const lanes = this.#watches.map((watch, index) => ({
      bytes: this.#merger.waitingBytes(index),
      isAhead: !least.has(index),
      paused: watch.paused,
    }));
    const queue = { bytes: this.#queuedBytes, isEmpty: this.#queue.length === 0 };
    for (const [index, pause] of paused(lanes, queue).entries()) this.#watches[index]?.setPaused(pause);
    this.#job.status.metrics.bufferedBytes.set(waitingBytes(lanes, queue));
  }

  async #write(transaction: PlannedTransaction): Promise<void> {
    const { target, limits, status, log } = this.#job;
    const began = performance.now();
    try {
      const { checkpoint, modRevision } = await target.commit(transaction, this.#held, limits.limits);
      this.#held = { checkpoint: checkpoint ?? transaction.checkpoint, modRevision };
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      limits.limits = narrow(limits.limits, transaction, error.why);
      log.warn('the target takes less in one transaction than expected: writing smaller ones', {
        ...limits.limits,
      });
      return;
    }
    this.#committedAt = Date.now();
    for (const { changes } of this.#queue.splice(0, transaction.revisions))
      this.#queuedBytes -= changesBytes(changes);
    if (transaction.split) this.#logSplit(transaction);
    status.committed(transaction, (performance.now() - began) / 1000);
    status.reached(BigInt(this.#held.checkpoint.revision));
  }

  #logSplit({ checkpoint, changes }: PlannedTransaction): void {
    this.#job.log.warn('a source revision is too large for one transaction: readers may see a part of it', {
      revision: checkpoint.partial?.revision ?? checkpoint.revision,
      changes: changes.length,
      complete: checkpoint.partial === undefined,
    });
  }

  #idleCheckpoint(): PlannedTransaction | undefined {
    const { checkpoint } = this.#held;
    const position = this.#position;
    const ahead = position - BigInt(checkpoint.revision);
    const idleMs = Date.now() - this.#committedAt;
    const due = idleMs >= IDLE_CHECKPOINT_MS || (ahead >= IDLE_CHECKPOINT_REVISIONS && idleMs >= LOOK_MS);
    const isAtFence = this.#fencedAt > 0n && position >= this.#fencedAt;
    // Of a home that was given back: until a key changes nothing else would say that the target follows its new epoch.
    const isRenewal = ahead >= 0n && !this.#job.target.isOurs(checkpoint);
    if (!isRenewal && (ahead <= 0n || !(due || isAtFence))) return undefined;
    return {
      changes: [],
      checkpoint: { ...checkpoint, revision: position.toString() },
      revisions: 0,
      split: false,
    };
  }

  /** Looks at both sides again and again: lag and fencing are known when nothing is written, and silence is noticed. */
  async #look(signal: AbortSignal): Promise<void> {
    let failed = 0;
    while (!signal.aborted && !this.#failure) {
      try {
        const position = this.#position;
        const { clusterId, revision } = await this.#job.source.head();
        await this.#job.target.claimEpoch();
        failed = 0;
        if (this.#check({ clusterId, revision })) this.#compare(position, revision);
      } catch (error) {
        failed += 1;
        const certain =
          error instanceof FencedError || error instanceof BlockedError || error instanceof ConflictError;
        if (certain || failed >= LOOKS_MAY_FAIL) this.#fail(error);
      }
      await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  #compare(position: bigint, revision: bigint): void {
    if (revision < position) {
      this.#fail(new SourceChangedError(`the source went back from revision ${position} to ${revision}`));
      return;
    }
    this.#sourceRevision = revision;
    this.#askProgress(revision);
    this.#noticeSilence(revision);
    this.#wake.now();
  }

  #noticeSilence(revision: bigint): void {
    const now = Date.now();
    const behind = new Set(this.#merger.behind(revision));
    for (const [index, watch] of this.#watches.entries()) {
      if (!behind.has(index) || watch.paused) {
        this.#behindSince.delete(index);
        continue;
      }
      const since = this.#behindSince.get(index) ?? now;
      this.#behindSince.set(index, since);
      if (now - Math.max(since, watch.heardAt) > SILENCE_MS) {
        this.#fail(
          new SilentWatchError(`the source's watch said nothing for ${SILENCE_MS / 1000} s while behind`),
        );
      }
    }
  }

  #check({ clusterId, revision }: WatchHeader): boolean {
    const expected = this.#held.checkpoint.sourceClusterId;
    if (clusterId !== expected) {
      this.#fail(new SourceChangedError(`cluster ${clusterId} answers at the source instead of ${expected}`));
      return false;
    }
    this.#job.status.seen(revision);
    return true;
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
    this.#wake.now();
  }
}
