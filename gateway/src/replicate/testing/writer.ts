/** Writes random transactions to an etcd, over several prefixes and keys that aren't replicated. */
import { Etcd3 } from 'etcd3';
import type { IOptions, IRequestOp } from 'etcd3';

/** etcd3's circuit breaker would hold the load up for seconds after each restart. */
const noPolicy = {
  execute: async <T>(call: (context: { signal: AbortSignal }) => T): Promise<T> =>
    call({ signal: new AbortController().signal }),
};

/** A bounded load: {@link run} ends by itself or by {@link stop}. */
export class RandomWriter {
  readonly #client: Etcd3;
  readonly #prefixes: readonly string[];
  #stopped = false;
  /** Transactions that the source acknowledged. */
  written = 0;

  constructor(endpoint: string, prefixes: readonly string[]) {
    const policy = noPolicy as unknown as NonNullable<NonNullable<IOptions['faultHandling']>['global']>;
    this.#client = new Etcd3({ hosts: endpoint, faultHandling: { host: () => policy, global: policy } });
    this.#prefixes = prefixes;
  }

  /** Writes until `count` transactions are acknowledged, or stopped; `parallel` at a time. Errors are tried again. */
  async run(count: number, parallel = 4): Promise<void> {
    await Promise.all(Array.from({ length: parallel }, () => this.#loop(count)));
  }

  stop(): void {
    this.#stopped = true;
  }

  close(): void {
    this.#stopped = true;
    this.#client.close();
  }

  async #loop(count: number): Promise<void> {
    while (!this.#stopped && this.written < count) {
      try {
        await this.#client.kv.txn({ compare: [], success: this.#operations(), failure: [] });
        this.written += 1;
      } catch (error) {
        // The source is restarted under our hands: that is what the tests do.
        if (this.#stopped) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
        void error;
      }
    }
  }

  #operations(): IRequestOp[] {
    const keys = new Map<string, IRequestOp>();
    const size = 1 + Math.floor(Math.random() * 6);
    while (keys.size < size) {
      const prefix = [...this.#prefixes, '/unrelated/'][
        Math.floor(Math.random() * (this.#prefixes.length + 1))
      ];
      const name = `${prefix}${Math.floor(Math.random() * 40)}`;
      const key = Buffer.from(name);
      const value = Buffer.from(`${this.written}:${Math.random()}`);
      keys.set(
        name,
        Math.random() < 0.25 ? { request_delete_range: { key } } : { request_put: { key, value } },
      );
    }
    return [...keys.values()];
  }
}
