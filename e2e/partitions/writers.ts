/** Writers in every zone, which write to their own zone's stores all the time, whoever is home. */
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from 'redis';
import { refusalOf, writeEtcd, writeRedis } from '../homes/index.ts';
import type { Answer, HomesHistory, Store } from '../homes/index.ts';
import { ZONES } from './network.ts';
import type { Zone } from './network.ts';
import type { Stores } from './stores.ts';

/** Under which etcd is written. */
export const PREFIX = '/config/';
/** Between two writes of one writer, milliseconds. */
const PAUSE_MS = 25;
/** In each zone. */
const ETCD_WRITERS = 2;

export class Writers {
  /** Writes that were acknowledged so far. */
  readonly acknowledged: Record<Store, number> = { etcd: 0, redis: 0 };
  readonly #ending = new AbortController();
  readonly #running: Promise<void>[];
  readonly #history: HomesHistory;

  constructor(stores: Stores, history: HomesHistory) {
    this.#history = history;
    this.#running = ZONES.flatMap((zone) => [
      ...Array.from({ length: ETCD_WRITERS }, (_, n) => this.#writeEtcd(stores, zone, n)),
      this.#writeRedis(stores, zone),
    ]);
    // A bug in here is told when they are stopped.
    for (const running of this.#running) running.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#running);
  }

  async #writeEtcd(stores: Stores, zone: Zone, n: number): Promise<void> {
    const client = stores.client(zone, 'orders client');
    try {
      await this.#write('etcd', zone, { name: `${zone}-${n}`, prefix: PREFIX }, (key, value) =>
        writeEtcd(client, key, value),
      );
    } finally {
      client.close();
    }
  }

  async #writeRedis(stores: Stores, zone: Zone): Promise<void> {
    const socket = { reconnectStrategy: 50 };
    const client = createClient({ url: stores.at(zone).redis.url, socket, disableOfflineQueue: true });
    client.on('error', () => undefined);
    await client.connect();
    try {
      await this.#write('redis', zone, { name: zone, prefix: '' }, (key, value) =>
        writeRedis(client, key, value),
      );
    } finally {
      client.destroy();
    }
  }

  /** Most keys are written once; some again and again, and some by all zones. */
  async #write(
    store: Store,
    zone: Zone,
    { name, prefix }: { name: string; prefix: string },
    send: (key: string, value: string) => Promise<Answer>,
  ): Promise<void> {
    const { signal } = this.#ending;
    for (let n = 0; !signal.aborted; n += 1) {
      const value = `${store}-${name}-${n}`;
      const key = `${prefix}${n % 7 === 0 ? 'shared' : n % 5 === 0 ? `${name}/last` : `${name}/${n}`}`;
      const answered = this.#history.begin({ client: `${store} ${name}`, store, zone, key, value });
      const answer = await send(key, value).catch(refusalOf);
      answered(answer);
      if (answer.result === 'acknowledged') this.acknowledged[store] += 1;
      await delay(PAUSE_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}
