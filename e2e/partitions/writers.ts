/** Writers in every zone, which write to their own zone's stores all the time, whoever is home. */
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from 'redis';
import { ETCD_KEY } from '@causeway/crds';
import type { HomesHistory, Store, Write } from '../homes/index.ts';
import { ZONES } from './network.ts';
import type { Zone } from './network.ts';
import type { Stores } from './stores.ts';

/** Under which etcd is written. */
export const PREFIX = '/config/';
/** Between two writes of one writer, milliseconds. */
const PAUSE_MS = 25;
/** In each zone. */
const ETCD_WRITERS = 2;

type Answer = Pick<Write, 'result' | 'reign' | 'revision' | 'note'>;

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
      await this.#write('etcd', zone, { name: `${zone}-${n}`, prefix: PREFIX }, async (key, value) => {
        // The epoch is read in the same transaction: it says under which home the write was taken.
        const { header, responses } = await client.transact({
          compare: [],
          success: [
            { request_put: { key: Buffer.from(key), value: Buffer.from(value) } },
            { request_range: { key: Buffer.from(ETCD_KEY.epoch) } },
          ],
          failure: [],
        });
        const reign = responses[1]?.response_range?.kvs[0]?.value.toString() ?? '1';
        return { result: 'acknowledged', reign, revision: BigInt(header.revision) };
      });
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
      await this.#write('redis', zone, { name: zone, prefix: '' }, async (key, value) => {
        const info = (await client.eval(SET_AND_TELL, { keys: [key], arguments: [value] })) as string;
        const reign = /^master_replid:(\w+)/m.exec(info)?.[1] ?? '';
        const revision = BigInt(/^master_repl_offset:(\d+)/m.exec(info)?.[1] ?? '0');
        return { result: 'acknowledged', reign, revision };
      });
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

/** Writes, and tells in the same step which data set has it. */
const SET_AND_TELL = "redis.call('SET', KEYS[1], ARGV[1]) return redis.call('INFO', 'replication')";

/**
 * What etcd and Redis say when a write is not done. The second of etcd: its users changed between check and execution,
 * and it is the check that counts.
 */
const REFUSALS =
  /permission denied|revision of auth store is old|user name is empty|READONLY|NOREPLICAS|MASTERDOWN|LOADING/;

function refusalOf(error: unknown): Answer {
  const note = error instanceof Error ? error.message : String(error);
  return { result: REFUSALS.test(note) ? 'refused' : 'unknown', note };
}
