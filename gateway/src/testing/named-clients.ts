/**
 * A program for tests: the gateway's clients of Redis, Kafka and etcd, with name servers that can fall silent. Each line of
 * its standard input is a command, each line of its standard output what came of it, as JSON. `main.js <options>`.
 */
import { createInterface } from 'node:readline';
import { createKafka, RedisLink } from '../delivery/index.ts';
import { EtcdClient, readCredentials } from '../etcd/index.ts';
import type { Log } from '../log/index.ts';
import { Names } from '../names/index.ts';

/** Where the servers are, by names; what of each command is answered. */
export interface NamedServers {
  redisUrl: string;
  broker: string;
  topic: string;
  etcd: { endpoints: string[]; dir: string };
}

/** `redis`: writes over the link that there is. `kafka`, `etcd`: connect anew, and write or read. `lookup`: asks for a new name. */
export type NamedCommand = 'redis' | 'kafka' | 'etcd' | 'lookup' | 'silence' | 'speak' | 'later';

/** What came of a command. */
export interface NamedOutcome {
  tookMs: number;
  error?: string;
}

/** More than it takes until an answer is to be asked for again, milliseconds. */
const LATER_MS = 5_000;
/** Whoever has no answer by then gets none, milliseconds. */
const GIVE_UP_MS = 2_000;
const RETRY_MS = 20;

const servers = JSON.parse(process.argv[2] ?? '') as NamedServers;
const nothing = (): void => undefined;
const log: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
let isSilent = false;
/** Questions that name servers leave unanswered. */
const unanswered: ((error: Error) => void)[] = [];
let ahead = 0;
const names = new Names({
  ask: async () => {
    if (isSilent) await new Promise<never>((_, reject) => unanswered.push(reject));
    return [{ address: '127.0.0.1', family: 4 }];
  },
  now: () => performance.now() + ahead,
});
const redis = new RedisLink({
  redis: { url: servers.redisUrl },
  name: 'test',
  log,
  names,
  prepare: async () => undefined,
  connected: nothing,
  failed: nothing,
});
redis.start();

const commands: Record<NamedCommand, () => Promise<void>> = {
  async redis() {
    const began = performance.now();
    for (;;) {
      try {
        await redis.client.set('key', 'value');
        return;
      } catch (error) {
        if (performance.now() - began > GIVE_UP_MS) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  },
  async kafka() {
    const connection = { brokers: [servers.broker] };
    const producer = createKafka({ connection, clientId: 'test', log, names }).producer();
    await producer.connect();
    await producer.send({ topic: servers.topic, acks: -1, messages: [{ key: 'key', value: 'value' }] });
    await producer.disconnect();
  },
  async etcd() {
    const client = new EtcdClient(servers.etcd, await readCredentials(servers.etcd), nothing, names);
    try {
      await client.head();
    } finally {
      client.close();
    }
  },
  async lookup() {
    const late = new Promise<never>((_, reject) => {
      setTimeout(() => reject(new Error('no answer')), GIVE_UP_MS);
    });
    await Promise.race([names.addresses('new.test'), late]);
  },
  async silence() {
    isSilent = true;
  },
  async speak() {
    isSilent = false;
    // As the system gives them up.
    for (const giveUp of unanswered.splice(0))
      giveUp(Object.assign(new Error('EAI_AGAIN'), { code: 'EAI_AGAIN' }));
  },
  async later() {
    ahead += LATER_MS;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const began = performance.now();
  const outcome: NamedOutcome = { tookMs: 0 };
  await commands[line as NamedCommand]().catch((error: unknown) => (outcome.error = String(error)));
  outcome.tookMs = performance.now() - began;
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
}
process.exit();
