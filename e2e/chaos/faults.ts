import { setTimeout as delay } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import type { History } from '../deliveries/index.ts';
import type { Fault, FaultKind } from './plan.ts';
import * as strangers from './strangers.ts';
import type { Subscriber } from './subscribers.ts';
import type { Place, World } from './world.ts';

/** What faults work on. */
export interface Stage {
  world: World;
  history: History;
  subscribers: readonly Subscriber[];
  readonly complain: (what: string) => void;
}

type Deed = (stage: Stage, fault: Fault) => Promise<void>;

/** Lets one fault happen, from its begin to its end; resolves when it is mended. */
export function suffer(stage: Stage, fault: Fault): Promise<void> {
  return DEEDS[fault.kind](stage, fault);
}

const DEEDS: Record<FaultKind, Deed> = {
  'kafka-kill': async ({ world }, { on, forMs }) => {
    const broker = world.servers.backends.kafka.brokers[on];
    await broker?.kill();
    await delay(forMs);
    await broker?.start();
  },
  'kafka-freeze': ({ world }, { on, forMs }) =>
    freeze(world.servers.backends.kafka.brokers[on]?.pid(), forMs),
  'redis-kill': (stage, { forMs }) =>
    losing(stage, 'killed, back empty', async ({ servers }) => {
      await servers.backends.redis.kill();
      await delay(forMs);
      servers.forget();
      await servers.backends.redis.start();
    }),
  'redis-empty': (stage) =>
    losing(stage, 'emptied', async (world) => {
      await world.redis('FLUSHALL');
    }),
  'redis-rewind': async (stage, { forMs }) => {
    const { redis } = stage.world.servers.backends;
    await stage.world.redis('SAVE');
    await delay(forMs);
    await losing(stage, `back as it was ${forMs} ms before`, async () => {
      await redis.kill();
      await redis.start();
    });
    stage.world.servers.forget();
  },
  'redis-freeze': ({ world }, { forMs }) => freeze(world.servers.backends.redis.pid(), forMs),
  'gateway-kill': (stage, { on, forMs }) => replace(placeAt(stage, on), 'SIGKILL', forMs),
  'gateway-drain': (stage, { on, forMs }) => replace(placeAt(stage, on), 'SIGTERM', forMs),
  'gateway-freeze': (stage, { on, forMs }) => freeze(placeAt(stage, on).gateway?.pid, forMs),
  'kafka-cut': (stage, { on, forMs }) => network(placeAt(stage, on).kafka, 'cut', forMs),
  'kafka-stall': (stage, { on, forMs }) => network(placeAt(stage, on).kafka, 'stall', forMs),
  'kafka-lose': async (stage, { on }) => {
    for (const proxy of placeAt(stage, on).kafka) proxy.lose();
  },
  'redis-cut': (stage, { on, forMs }) => network([placeAt(stage, on).redis], 'cut', forMs),
  'redis-stall': (stage, { on, forMs }) => network([placeAt(stage, on).redis], 'stall', forMs),
  'redis-lose': async (stage, { on }) => {
    for (const proxy of [placeAt(stage, on).redis]) proxy.lose();
  },
  'clients-cut': (stage, { on, forMs }) => network([placeAt(stage, on).front], 'cut', forMs),
  'clients-stall': (stage, { on, forMs }) => network([placeAt(stage, on).front], 'stall', forMs),
  'clients-lose': async (stage, { on }) => {
    for (const proxy of [placeAt(stage, on).front]) proxy.lose();
  },
  rebalance: ({ world }, { forMs }) => rebalance(world, forMs),
  storm: async ({ world }) => {
    for (const { front } of world.places) front.reset();
  },
  leave: async ({ subscribers }, { on, forMs }) => {
    subscribers[on]?.leave();
    await delay(forMs);
    subscribers[on]?.comeBack();
  },
  'slow-reader': visit(strangers.readSlowly),
  'half-open': visit(strangers.vanish),
  garbage: visit(strangers.sendGarbage),
  oversize: visit(strangers.sendOversize),
  'bad-tokens': visit(strangers.showBadTokens),
  fuzz: visit(strangers.fuzz),
};

function visit(how: (visit: strangers.Visit) => Promise<void>): Deed {
  return (stage, { on, seed, forMs }) =>
    how({ world: stage.world, place: placeAt(stage, on), seed, forMs, complain: stage.complain });
}

function placeAt({ world }: Stage, on: number): Place {
  const place = world.places[on % world.places.length];
  if (!place) throw new Error('a world without gateways');
  return place;
}

/** Says in the history that streams may lose what they have. */
async function losing(
  { world, history }: Stage,
  note: string,
  deed: (world: World) => Promise<void>,
): Promise<void> {
  history.add({ kind: 'fault', what: 'streams lost', note });
  await deed(world);
  history.add({ kind: 'fault', what: 'streams whole', note });
}

/** Undefined: it is not there. */
async function freeze(pid: number | undefined, forMs: number): Promise<void> {
  if (pid === undefined) return;
  process.kill(pid, 'SIGSTOP');
  await delay(forMs);
  process.kill(pid, 'SIGCONT');
}

async function replace(place: Place, signal: 'SIGKILL' | 'SIGTERM', forMs: number): Promise<void> {
  await place.end(signal);
  await delay(forMs);
  await place.start();
}

async function network(
  proxies: readonly { cut(): void; stall(): void; restore(): void }[],
  how: 'cut' | 'stall',
  forMs: number,
): Promise<void> {
  for (const proxy of proxies) proxy[how]();
  await delay(forMs);
  for (const proxy of proxies) proxy.restore();
}

/** Another member joins the gateways' group, is given partitions, carries nothing, and leaves. */
async function rebalance({ platform }: World, forMs: number): Promise<void> {
  const kafka = new Kafka({
    clientId: 'newcomer',
    brokers: platform.brokers,
    logLevel: logLevel.NOTHING,
    retry: { retries: 1 },
  });
  const consumer = kafka.consumer({
    groupId: `${platform.name}.causeway-delivery`,
    sessionTimeout: 6_000,
    // It would try for ever, also after it was told to leave.
    retry: { retries: 1, restartOnFailure: async () => false },
  });
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: platform.topics.map(({ topic }) => topic) });
    await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: async () => undefined });
    await delay(forMs);
  } catch {
    // Kafka suffers something else just now: then nobody joins.
  } finally {
    await consumer.disconnect().catch(() => undefined);
  }
}
