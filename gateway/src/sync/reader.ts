/** Reads whole revisions of this zone's etcd from several watches on. */
import { ETCD_PREFIX } from '@causeway/crds';
import { prefixRange, RevisionMerger } from '../etcd/index.ts';
import type { EtcdClient, SourceRevision, Watch, WatchHeader } from '../etcd/index.ts';

/** While halves of revisions wait for other watches, these are asked again after this time, milliseconds. */
const ASK_MS = 50;
/** How often all watches are asked how far they are, milliseconds. */
const PROGRESS_MS = 2_000;
/** How long a watch that isn't paused may say nothing, milliseconds. */
const SILENCE_MS = 15_000;
/** Bytes of halves that wait for other watches before their watch has to wait. */
const HIGH_WATER = 8 * 1024 * 1024;

/** What is read. */
export interface ReadJob {
  client: EtcdClient;
  clusterId: string;
  prefixes: readonly string[];
  /** The first revision that is read is the one after this. */
  after: bigint;
}

/** What a reader tells, in order. After `ended` it tells no more. */
export interface ReadHandlers {
  revision(revision: SourceRevision): void;
  /** All up to `revision` has been told. */
  frontier(revision: bigint): void;
  /** WatchCompactedError among others. */
  ended(error: Error): void;
}

/** One watch for each prefix and one for Causeway's own keys, put together; see RevisionMerger. */
export class RevisionReader {
  readonly #job: ReadJob;
  readonly #handlers: ReadHandlers;
  readonly #merger: RevisionMerger;
  #watches: Watch[] = [];
  #timer: NodeJS.Timeout | undefined;
  #askedAllAt = 0;
  /** Watches that have said where they are. */
  readonly #heard = new Set<number>();
  #paused = false;
  #ended = false;

  constructor(job: ReadJob, handlers: ReadHandlers) {
    this.#job = job;
    this.#handlers = handlers;
    this.#merger = new RevisionMerger(job.prefixes.length + 1, job.after);
  }

  /** Opens the watches. What goes wrong, then or later, is told by `ended`. */
  async open(): Promise<void> {
    this.#timer = setInterval(() => this.#tick(), ASK_MS);
    // From a revision that is there already: etcd tells no progress to a watch that begins after its last one. What is
    // not wanted of it the merger leaves out.
    const ranges = [...this.#job.prefixes, ETCD_PREFIX].map(prefixRange);
    try {
      for (const [index, range] of ranges.entries()) {
        if (this.#ended) return;
        const watch = await this.#job.client.watch(
          {
            range,
            startRevision: this.#job.after,
            previous: true,
            ownKeys: index === ranges.length - 1,
          },
          {
            events: (events, more, header) =>
              this.#take(header, () => this.#merger.deliver(index, events, more)),
            progress: (revision, header) =>
              this.#take(header, () => {
                this.#heard.add(index);
                this.#merger.progress(index, revision);
              }),
            ended: (error) => this.#end(error),
          },
        );
        if (this.#ended) watch.close();
        else this.#watches.push(watch);
        watch.setPaused(this.#paused);
      }
    } catch (error) {
      this.#end(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Stops reading: what isn't read stays at etcd. What has been read is told still. */
  setPaused(paused: boolean): void {
    this.#paused = paused;
    for (const watch of this.#watches) watch.setPaused(paused);
  }

  close(): void {
    this.#ended = true;
    clearInterval(this.#timer);
    for (const watch of this.#watches) watch.close();
    this.#watches = [];
  }

  #take({ clusterId }: WatchHeader, step: () => void): void {
    if (this.#ended) return;
    if (clusterId !== this.#job.clusterId) {
      this.#end(new Error(`cluster ${clusterId} answers instead of ${this.#job.clusterId}`));
      return;
    }
    step();
    for (const revision of this.#merger.take()) {
      this.#handlers.revision(revision);
      if (this.#ended) return;
    }
    this.#handlers.frontier(this.#merger.frontier);
    this.#ask();
  }

  #ask(): void {
    const waiting = this.#merger.highestWaiting;
    if (waiting === 0n) return;
    for (const index of this.#merger.behind(waiting)) this.#watches[index]?.askProgress();
    if (!this.#paused) this.#hold();
  }

  /** A watch that is ahead waits for the others when its halves become too many. */
  #hold(): void {
    const behind = new Set(this.#merger.behind(this.#merger.frontier + 1n));
    for (const [index, watch] of this.#watches.entries()) {
      const bytes = this.#merger.waitingBytes(index);
      if (bytes > HIGH_WATER && !behind.has(index)) watch.setPaused(true);
      else if (bytes < HIGH_WATER / 2) watch.setPaused(false);
    }
  }

  #tick(): void {
    if (this.#paused) return;
    this.#ask();
    const now = Date.now();
    const starting = this.#heard.size <= this.#job.prefixes.length;
    const all = starting || now - this.#askedAllAt >= PROGRESS_MS;
    if (all) this.#askedAllAt = now;
    for (const watch of this.#watches) {
      if (all) watch.askProgress();
      if (!watch.paused && now - watch.heardAt > SILENCE_MS) {
        this.#end(new Error(`etcd's watch said nothing for ${SILENCE_MS / 1000} s`));
        return;
      }
    }
  }

  #end(error: Error): void {
    if (this.#ended) return;
    this.close();
    this.#handlers.ended(error);
  }
}
