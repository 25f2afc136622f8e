/** Reads older changes by watches of its own, no faster than they are taken. */
import type { EtcdClient, SourceRevision } from '../etcd/index.ts';
import type { History } from './history.ts';
import { RevisionReader } from './reader.ts';
import { toTransaction } from './transaction.ts';
import type { Transaction } from './transaction.ts';

/** Bytes that are read and not taken at which reading pauses. */
const HIGH_WATER = 1024 * 1024;

/** One reading, from a revision up to where a history has everything. */
export class CatchUp {
  readonly #history: History;
  readonly #reader: RevisionReader;
  readonly #queue: Transaction[] = [];
  #bytes = 0;
  /** All up to here has been read. */
  #frontier: bigint;
  #failure: Error | undefined;
  #wake = Promise.withResolvers<void>();

  constructor(client: EtcdClient, history: History, prefixes: readonly string[], after: bigint) {
    this.#history = history;
    this.#frontier = after;
    this.#reader = new RevisionReader(
      { client, clusterId: history.clusterId, prefixes, after },
      {
        revision: (revision) => this.#take(revision),
        frontier: (revision) => {
          this.#frontier = revision;
          this.#wake.resolve();
        },
        ended: (error) => {
          this.#failure = error;
          this.#wake.resolve();
        },
      },
    );
  }

  /**
   * Hands transactions over one by one. Returns the revision up to which all have been. Throws what ended it before,
   * WatchCompactedError among others.
   */
  async run(tell: (transaction: Transaction) => Promise<void>): Promise<bigint> {
    await this.#reader.open();
    for (;;) {
      const next = this.#queue.shift();
      if (next) {
        this.#bytes -= next.bytes;
        if (this.#bytes < HIGH_WATER / 2) this.#reader.setPaused(false);
        await tell(next);
        continue;
      }
      if (this.#failure) throw this.#failure;
      if (this.#frontier >= this.#history.base) return this.#frontier;
      this.#wake = Promise.withResolvers<void>();
      await this.#wake.promise;
    }
  }

  close(): void {
    this.#reader.close();
  }

  #take(revision: SourceRevision): void {
    const transaction = toTransaction(revision, this.#history.role, undefined);
    this.#queue.push(transaction);
    this.#bytes += transaction.bytes;
    if (this.#bytes > HIGH_WATER) this.#reader.setPaused(true);
  }
}
