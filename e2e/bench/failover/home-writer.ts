/**
 * A process in one zone that writes to that zone's own Redis and etcd all the time, whoever is home, and says what became
 * of each write: it is run in the network namespace of the zone's node, so that it goes on where the zone is cut off.
 * Takes lines of JSON on standard input, a {@link WriterOrder} each time that something changes; writes a line of JSON for
 * each write on standard output. Ends with its input.
 */
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from 'redis';
import { PORT } from '@causeway/crds';
import { EtcdClient } from '../../../gateway/src/etcd/index.ts';
import { Names } from '../../../gateway/src/names/index.ts';
import { refusalOf, writeEtcd, writeRedis } from '../../homes/index.ts';
import type { Answer, Store, Write } from '../../homes/index.ts';

/** PEM texts. */
export interface Pem {
  ca: string;
  cert: string;
  key: string;
}

/** Where to write, and as whom. */
export interface WriterOrder {
  zone: string;
  redis: { name: string; address: string; tls: Pem };
  etcd: { name: string; address: string; tls: Pem };
}

/** A write that has ended. Times in milliseconds since the Unix epoch. */
export type WriterLine = Omit<Write, 'kind' | 'revision'> & { revision?: string };

/** Between two writes to a store, milliseconds: often enough to see two homes, and cheap. */
const PAUSE_MS = 100;
/** For one write, milliseconds. */
const TIMEOUT_MS = 3_000;
const now = (): number => performance.timeOrigin + performance.now();

let order: WriterOrder | undefined;
/** A store that can be written to, until its address changes. */
interface Door {
  address: string;
  write: (key: string, value: string) => Promise<Answer>;
  close: () => void;
}

async function redisDoor({ name, address, tls }: WriterOrder['redis']): Promise<Door> {
  const client = createClient({
    socket: {
      host: address,
      port: PORT.redis,
      tls: true,
      servername: name,
      ...tls,
      connectTimeout: TIMEOUT_MS,
      reconnectStrategy: 250,
    },
    disableOfflineQueue: true,
  });
  client.on('error', () => undefined);
  // Resolves when it is connected, which may never be: writes fail until then.
  client.connect().catch(() => undefined);
  return {
    address,
    close: () => client.destroy(),
    write: (key, value) => writeRedis(client, key, value),
  };
}

async function etcdDoor({ name, address, tls }: WriterOrder['etcd']): Promise<Door> {
  const names = new Names({ ask: async () => [{ address, family: 4 }], now: () => performance.now() });
  const pem = { ca: Buffer.from(tls.ca), cert: Buffer.from(tls.cert), key: Buffer.from(tls.key) };
  const endpoints = [`https://${name}:${PORT.etcd}`];
  const client = new EtcdClient({ endpoints }, pem, () => undefined, names);
  return {
    address,
    close: () => client.close(),
    write: (key, value) => writeEtcd(client, `/config/${key}`, value),
  };
}

function late(): Promise<never> {
  return delay(TIMEOUT_MS, undefined, { ref: false }).then(() => {
    throw new Error(`no answer within ${TIMEOUT_MS / 1000} s`);
  });
}

async function writeOn(store: Store, open: (to: WriterOrder) => Promise<Door>): Promise<void> {
  let door: Door | undefined;
  for (let n = 0; ; n += 1) {
    await delay(PAUSE_MS);
    const to = order;
    if (to === undefined) continue;
    if (door !== undefined && door.address !== to[store].address) {
      door.close();
      door = undefined;
    }
    door ??= await open(to);
    const [client, key] = [`${store} ${to.zone}`, `home-${to.zone}`];
    const value = `${store}-${to.zone}-${process.pid}-${n}`;
    const invokedAt = now();
    const { revision, ...answer } = await Promise.race([door.write(key, value), late()]).catch(refusalOf);
    const line: WriterLine = {
      value,
      client,
      store,
      zone: to.zone,
      key,
      invokedAt,
      endedAt: now(),
      ...answer,
      // JSON has no such numbers.
      ...(revision === undefined ? {} : { revision: String(revision) }),
    };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  }
}

const input = createInterface({ input: process.stdin });
input.on('line', (line) => (order = JSON.parse(line) as WriterOrder));
input.on('close', () => process.exit(0));
await Promise.all([
  writeOn('redis', (to) => redisDoor(to.redis)),
  writeOn('etcd', (to) => etcdDoor(to.etcd)),
]);
