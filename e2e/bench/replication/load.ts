/** Writes to the source and watches both sides: when was a key written, when was it seen. */
import { setTimeout as delay } from 'node:timers/promises';
import { Etcd3 } from 'etcd3';
import type { IWatchResponse } from 'etcd3';
import { waitFor } from '../../tools/index.ts';

/** Bytes of each value. */
export const VALUE_BYTES = 128;

/** Sees every key under one prefix that an etcd gets. Times in milliseconds of `performance.now()`. */
export interface Sight {
  /** When each key was first seen. */
  readonly seen: ReadonlyMap<string, number>;
  /** Resolves when `count` keys were seen. */
  all(count: number, timeoutMs: number): Promise<void>;
  close(): void;
}

/** Watches `prefix` in an etcd from now on. */
export async function watchKeys(endpoint: string, prefix: string): Promise<Sight> {
  const client = new Etcd3({ hosts: endpoint });
  const seen = new Map<string, number>();
  const stream = await client.watchClient.watch();
  stream.on('error', () => undefined);
  const created = new Promise<void>((resolve) => {
    stream.on('data', (response: IWatchResponse) => {
      if (response.created) resolve();
      const now = performance.now();
      for (const { kv } of response.events) {
        const key = kv.key.toString();
        if (!seen.has(key)) seen.set(key, now);
      }
    });
  });
  const end = Buffer.from(prefix);
  end[end.length - 1] = (end.at(-1) ?? 0) + 1;
  stream.write({ create_request: { key: Buffer.from(prefix), range_end: end, fragment: true } });
  await created;
  return {
    seen,
    all: async (count, timeoutMs) => {
      await waitFor(`${count} keys under ${prefix}`, () => seen.size >= count, { timeoutMs, intervalMs: 5 });
    },
    close: () => {
      stream.cancel();
      client.close();
    },
  };
}

/** Writes keys to the source. */
export class Writer {
  readonly #client: Etcd3;
  readonly #value = Buffer.alloc(VALUE_BYTES, 'v');
  /** When each put was sent. */
  readonly sent = new Map<string, number>();
  /** How long each put took, milliseconds. */
  readonly took: number[] = [];

  constructor(endpoint: string) {
    this.#client = new Etcd3({ hosts: endpoint });
  }

  /** One key, one revision. */
  async put(key: string): Promise<void> {
    const began = performance.now();
    this.sent.set(key, began);
    await this.#client.kv.put({ key: Buffer.from(key), value: this.#value });
    this.took.push(performance.now() - began);
  }

  /** `count` keys as fast as the source takes them, `parallel` at a time. */
  async fast(prefix: string, count: number, parallel: number): Promise<void> {
    let next = 0;
    const one = async (): Promise<void> => {
      while (next < count) await this.put(`${prefix}${next++}`);
    };
    await Promise.all(Array.from({ length: parallel }, one));
  }

  /** `perSecond` keys each second, evenly, for `seconds`. Returns how many. */
  async steady(prefix: string, perSecond: number, seconds: number): Promise<number> {
    const began = performance.now();
    const total = perSecond * seconds;
    const pending: Promise<void>[] = [];
    for (let next = 0; next < total;) {
      const due = Math.min(total, Math.floor(((performance.now() - began) / 1000) * perSecond) + 1);
      while (next < due) pending.push(this.put(`${prefix}${next++}`));
      await delay(1);
    }
    await Promise.all(pending);
    return total;
  }

  close(): void {
    this.#client.close();
  }
}
