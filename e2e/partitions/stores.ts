/** Three zones' etcds, with mutual TLS as the operator runs them, and their Redis. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'redis';
import { ETCD_KEY, HOMES_KEPT } from '@causeway/crds';
import type { HomeRecord } from '@causeway/crds';
import { EtcdClient, prefixRange } from '../../gateway/src/etcd/index.ts';
import type { Credentials } from '../../gateway/src/etcd/index.ts';
import { createTestPki, startEtcd, startRedis } from '../harness/index.ts';
import type { Etcd, Redis, TestPki } from '../harness/index.ts';
import type { HomesHistory } from '../homes/index.ts';
import { ZONES } from './network.ts';
import type { Zone } from './network.ts';

/** Whose certificate a client of etcd has. */
export type Who = 'orders inner' | 'orders client';

/** As the operator makes them: each alone, and all with the same cluster id. */
const ALIKE = [
  '--initial-advertise-peer-urls=http://127.0.0.1:2380',
  '--initial-cluster=test=http://127.0.0.1:2380',
];

/** Of one zone. */
interface Pair {
  etcd: Etcd;
  redis: Redis;
}

export class Stores {
  /** Folder with the certificate of Causeway's own parts, as their pods have it. */
  readonly folder = mkdtempSync(join(tmpdir(), 'causeway-inner-'));
  readonly #pki: TestPki;
  readonly #zones: ReadonlyMap<Zone, Pair>;
  readonly #credentials: ReadonlyMap<Who, Required<Pick<Credentials, 'ca' | 'cert' | 'key'>>>;

  private constructor(
    pki: TestPki,
    zones: ReadonlyMap<Zone, Pair>,
    files: ReadonlyMap<Who, { certFile: string; keyFile: string }>,
  ) {
    this.#pki = pki;
    this.#zones = zones;
    this.#credentials = new Map(
      [...files].map(([who, { certFile, keyFile }]) => [
        who,
        { ca: readFileSync(pki.caFile), cert: readFileSync(certFile), key: readFileSync(keyFile) },
      ]),
    );
    const inner = files.get('orders inner');
    if (inner === undefined) throw new Error('no certificate of our own');
    copyFileSync(pki.caFile, join(this.folder, 'ca.crt'));
    copyFileSync(inner.certFile, join(this.folder, 'tls.crt'));
    copyFileSync(inner.keyFile, join(this.folder, 'tls.key'));
  }

  static async start(): Promise<Stores> {
    const pki = await createTestPki();
    const server = await pki.issue('etcd', ['127.0.0.1']);
    const files = new Map<Who, { certFile: string; keyFile: string }>();
    for (const who of ['orders inner', 'orders client'] as const)
      files.set(who, await pki.issue(who, ['localhost']));
    const zones = new Map<Zone, Pair>();
    for (const zone of ZONES) {
      const etcd = await startEtcd({ tls: { caFile: pki.caFile, ...server }, args: ALIKE });
      zones.set(zone, { etcd, redis: await startRedis({ args: ['--repl-diskless-sync-delay', '0'] }) });
    }
    return new Stores(pki, zones, files);
  }

  ports(zone: Zone): { etcd: number; redis: number } {
    const { etcd, redis } = this.at(zone);
    return { etcd: Number(new URL(etcd.endpoint).port), redis: redis.port };
  }

  at(zone: Zone): Pair {
    const pair = this.#zones.get(zone);
    if (pair === undefined) throw new RangeError(`there is no ${zone}`);
    return pair;
  }

  /** PEM texts. */
  pem(who: Who): { ca: string; cert: string; key: string } {
    const { ca, cert, key } = this.credentials(who);
    return { ca: ca.toString(), cert: cert.toString(), key: key.toString() };
  }

  credentials(who: Who): Required<Pick<Credentials, 'ca' | 'cert' | 'key'>> {
    const credentials = this.#credentials.get(who);
    if (credentials === undefined) throw new RangeError(`nobody is named ${who}`);
    return credentials;
  }

  /** A client in the zone itself, which nothing is between. */
  client(zone: Zone, who: Who): EtcdClient {
    return new EtcdClient(
      { endpoints: [this.at(zone).etcd.endpoint] },
      this.credentials(who),
      () => undefined,
    );
  }

  /** The last revision of a zone's etcd. */
  async revision(zone: Zone): Promise<bigint> {
    const client = this.client(zone, 'orders inner');
    try {
      const { header } = await client.range({ key: Buffer.from(ETCD_KEY.homes) });
      return BigInt(header.revision);
    } finally {
      client.close();
    }
  }

  /** Notes all that is there, for the end of a history. `prefix`: of what writers write. */
  async note(history: HomesHistory, home: Zone, prefix: string): Promise<void> {
    for (const zone of ZONES) {
      const isHome = zone === home;
      const client = this.client(zone, 'orders inner');
      try {
        history.add({ kind: 'state', store: 'etcd', zone, isHome, entries: await entriesOf(client, prefix) });
        for (const entries of await asideIn(client)) history.add({ kind: 'aside', zone, entries });
        if (isHome) history.add({ kind: 'homes', homes: await homesIn(client) });
      } finally {
        client.close();
      }
      const entries = await redisEntries(this.at(zone).redis);
      history.add({ kind: 'state', store: 'redis', zone, isHome, entries });
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#zones.values()].flatMap(({ etcd, redis }) => [etcd.stop(), redis.stop()]));
    this.#pki.remove();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function entriesOf(client: EtcdClient, prefix: string): Promise<Map<string, string>> {
  const entries = new Map<string, string>();
  for await (const { key, value } of client.keys(prefixRange(prefix)))
    entries.set(key.toString(), value.toString());
  return entries;
}

/** What was kept aside, by the epoch in which the zone was home. */
async function asideIn(client: EtcdClient): Promise<Map<string, string>[]> {
  const kept = new Map<string, Map<string, string>>();
  for (const [path, value] of await entriesOf(client, ETCD_KEY.orphans)) {
    const [, epoch = '', key = ''] = /^(\d+)\/value\/(.*)$/s.exec(path.slice(ETCD_KEY.orphans.length)) ?? [];
    if (epoch === '') continue;
    const entries = kept.get(epoch) ?? new Map<string, string>();
    kept.set(epoch, entries.set(key, value));
  }
  return [...kept.values()];
}

interface Home {
  epoch: number;
  zone: string;
  from?: { zone: string; revision: bigint };
}

async function homesIn(client: EtcdClient): Promise<Home[]> {
  const { kvs } = await client.range({ key: Buffer.from(ETCD_KEY.homes) });
  const records = JSON.parse(kvs[0]?.value.toString() ?? '[]') as HomeRecord[];
  // Earlier ones are forgotten: what was written then could not be judged.
  if (records.length >= HOMES_KEPT) throw new Error('so many moves are too many for one history');
  return records.map(({ epoch, zone, from }) => ({
    epoch,
    zone,
    ...(from === undefined ? {} : { from: { zone: from.zone, revision: BigInt(from.revision) } }),
  }));
}

async function redisEntries({ url }: Redis): Promise<Map<string, string>> {
  const client = createClient({ url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const keys = await client.keys('*');
    const values = keys.length === 0 ? [] : await client.mGet(keys);
    return new Map(keys.map((key, index) => [key, values[index] ?? '']));
  } finally {
    client.destroy();
  }
}
