/** How a carrier looks at Kafka's logs, and where it goes on, on a Kafka and a Redis that say what they are told to. */
import assert from 'node:assert/strict';
import { syncBuiltinESMExports } from 'node:module';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import { createLog } from '../log/index.ts';
import { Carrier } from './carrier.ts';
import type { Streams } from './carrier.ts';

const TOPIC = 'p.chat';
const SOURCE = `${TOPIC}/0`;
/** A look at the logs every so many seconds. */
const LOOK_S = 3;

/** Kafka's one log, and what Redis has of it. */
interface World {
  /** undefined: Kafka tells none. */
  id: string | undefined;
  end: number;
  /** Where it begins. Default: 0. */
  low?: number;
  /** It has no leader: nobody says where it begins and ends. */
  isLeaderless?: boolean;
  position: number | undefined;
  noted: string | undefined;
}

/** What kafkajs does with what it fetched. */
interface Fetched {
  /** A batch with records of these offsets, fetched from offset `from` on. False: kafkajs was not told that it is behind us. */
  batch(from: number, ...offsets: number[]): Promise<boolean>;
  /** The same with marks of transactions only. */
  marks(from: number, last: number): void;
  /** The group was joined anew, with the same partition. */
  joined(): void;
}

/** What Kafka was told. */
interface Told {
  sought: string[];
  committed?: string[];
}

/** A Kafka with one partition, whose group has one member; what is fetched is handed over by `fetched`. */
function fakeKafka(world: World, { sought, committed }: Told, fetched: Partial<Fetched> = {}): Kafka {
  const listeners = new Map<string, (event: unknown) => void>();
  const offsets = (offset: number) => async () =>
    world.isLeaderless === true
      ? []
      : [{ partition: 0, offset: String(offset), high: String(world.end), low: String(world.low ?? 0) }];
  const admin = {
    connect: async () => undefined,
    disconnect: async () => undefined,
    listTopics: async () => [TOPIC],
    fetchTopicOffsets: (topic: string) =>
      offsets(world.end)().then((all) => (assert.equal(topic, TOPIC), all)),
    fetchTopicOffsetsByTimestamp: offsets(0),
  };
  const consumer = {
    on: (name: string, listener: (event: unknown) => void) => listeners.set(name, listener),
    connect: async () => undefined,
    subscribe: async () => undefined,
    run: async ({ eachBatch }: { eachBatch: (payload: EachBatchPayload) => Promise<void> }) => {
      Object.assign(
        fetched,
        fetchedBy(eachBatch, (name, payload) => listeners.get(name)?.({ payload })),
      );
      listeners.get('consumer.group_join')?.({ payload: { memberAssignment: { [TOPIC]: [0] } } });
    },
    seek: ({ offset }: { offset: string }) => void sought.push(offset),
    commitOffsets: async (all: { offset: string }[]) => void committed?.push(...all.map((one) => one.offset)),
    stop: async () => undefined,
    disconnect: async () => undefined,
  };
  const ids = () => new Map(world.id === undefined ? [] : [[TOPIC, world.id]]);
  const cluster = {
    disconnect: async () => undefined,
    brokerPool: {
      findConnectedBroker: async () => ({
        versions: { 3: { minVersion: 0, maxVersion: 12 } },
        connectionPool: { send: async () => ids() },
      }),
    },
  };
  const create = () => cluster;
  return {
    admin: () => admin,
    consumer: () => consumer,
    [Symbol('private:Kafka:createCluster')]: create,
  } as unknown as Kafka;
}

/** As kafkajs's runner does it when another fetcher has taken each seek at once. */
function fetchedBy(
  eachBatch: (payload: EachBatchPayload) => Promise<void>,
  emit: (name: string, payload: object) => void,
): Fetched {
  const of = { topic: TOPIC, partition: 0, highWatermark: '1000' };
  return {
    batch: async (from, ...offsets) => {
      let resolved: string | undefined;
      const messages = offsets.map((offset) => ({ offset: String(offset) }) as KafkaMessage);
      const last = messages.at(-1)?.offset;
      const batch = { ...of, messages, firstOffset: () => String(from), lastOffset: () => last };
      const payload = {
        batch,
        isRunning: () => true,
        isStale: () => false,
        heartbeat: async () => undefined,
        resolveOffset: (offset: string) => void (resolved = offset),
      };
      await eachBatch(payload as unknown as EachBatchPayload);
      return resolved === last;
    },
    joined: () => emit('consumer.group_join', { memberAssignment: { [TOPIC]: [0] } }),
    marks: (from, last) =>
      emit('consumer.end_batch_process', {
        ...of,
        batchSize: 0,
        firstOffset: String(from),
        lastOffset: String(last),
      }),
  };
}

/** A Redis that has a position, and what it was told. */
function fakeStreams(world: World, told: string[]): Streams {
  return {
    connected: true,
    connection: async () => undefined,
    append: async (records) => records.map(() => 'ok'),
    note: async () => undefined,
    positions: async (sources) => sources.map(() => world.position),
    logs: async (sources) => sources.map(() => world.noted),
    noteLog: async (source, id) => {
      told.push(`note ${source} ${id}`);
      world.noted ??= id;
    },
    forget: async (source) => {
      told.push(`forget ${source}`);
      world.position = undefined;
      return true;
    },
    replaceLog: async (source, from, to) => {
      told.push(`replace ${source} ${from} ${to}`);
      world.position = undefined;
      world.noted = to;
      return true;
    },
  };
}

describe("a carrier's looks at Kafka's logs", () => {
  /** A carrier that has taken its partition. `looks` lets so many looks pass, and tells what Redis was told in them. */
  const start = async (test: TestContext, world: World, streams: Partial<Streams> = {}) => {
    test.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
    // For those that import it by its name.
    syncBuiltinESMExports();
    test.after(async () => {
      await carrier.close();
      test.mock.timers.reset();
      syncBuiltinESMExports();
    });
    const [told, sought, committed]: string[][] = [[], [], []];
    const fetched: Partial<Fetched> = {};
    const carrier = new Carrier({
      kafka: () => fakeKafka(world, { sought: sought!, committed: committed! }, fetched),
      group: 'g',
      namespaces: new Map([[TOPIC, 'chat']]),
      historySeconds: () => 3_600,
      streams: { ...fakeStreams(world, told!), ...streams },
      tracer: undefined,
      log: createLog({ component: 'test' }),
      carried: () => undefined,
      failed: (what) => assert.equal(what, 'record', 'these records have nothing in them'),
    });
    carrier.start();
    await settle();
    const looks = async (count: number): Promise<string[]> => {
      for (let second = 0; second < count * LOOK_S; second += 1) {
        test.mock.timers.tick(1_000);
        await settle();
      }
      return told!.splice(0);
    };
    return { looks, sought: sought!, committed: committed!, fetched: fetched as Fetched };
  };

  it('change nothing for the end of long ago of a broker that was cut off', async (test) => {
    const world: World = { id: 'a', end: 184, position: 183, noted: 'a' };
    const { looks, sought } = await start(test, world);
    assert.deepEqual(await looks(2), []);
    world.end = 50;
    assert.deepEqual(await looks(10), []);
    world.end = 184;
    assert.deepEqual(await looks(10), []);
    world.end = 50;
    assert.deepEqual(await looks(15), []);
    assert.deepEqual(sought, ['184']);
  });

  it('build a log anew that has ended early for a minute', async (test) => {
    const world: World = { id: 'a', end: 50, position: 183, noted: 'a' };
    const { looks, sought } = await start(test, world);
    assert.deepEqual(await looks(19), []);
    assert.deepEqual(await looks(1), [`forget ${SOURCE}`, `note ${SOURCE} a`]);
    assert.deepEqual(sought, ['184', '0']);
  });

  it('tell the group of one that is built anew how far that is', async (test) => {
    const { looks, committed, fetched } = await start(test, { id: 'a', end: 50, position: 183, noted: 'a' });
    await looks(20);
    assert.equal(await fetched.batch(0, 0, 1), true);
    await looks(1);
    assert.deepEqual(committed, ['184', '2']);
  });

  for (const how of ['next look', 'first batch'] as const)
    it(`begin one that had no leader with the ${how} when it has one`, async (test) => {
      const world: World = { id: 'a', end: 2, position: undefined, noted: 'a', isLeaderless: true };
      const { looks, sought, fetched } = await start(test, world);
      await looks(2);
      assert.deepEqual(sought, []);
      world.isLeaderless = false;
      if (how === 'next look') await looks(1);
      else assert.equal(await fetched.batch(0, 0, 1), false);
      await settle();
      assert.deepEqual(sought, ['0']);
      assert.equal(await fetched.batch(0, 0, 1), true);
    });

  it('leave it to who has joined since then where to go on', async (test) => {
    const forgotten = Promise.withResolvers<boolean>();
    const world: World = { id: 'a', end: 50, position: 183, noted: 'a' };
    const { looks, sought, fetched } = await start(test, world, { forget: () => forgotten.promise });
    await looks(20);
    fetched.joined();
    await settle();
    forgotten.resolve(true);
    await settle();
    assert.deepEqual(sought, ['184', '184']);
  });

  for (const [how, end] of [
    ['shorter', 5],
    ['longer', 1_000],
  ] as const) {
    it(`build a log anew whose topic was made anew, and is ${how} by now`, async (test) => {
      const { looks, sought } = await start(test, { id: 'b', end, position: 183, noted: 'a' });
      assert.deepEqual(await looks(2), []);
      assert.deepEqual(await looks(10), [`replace ${SOURCE} a b`, `note ${SOURCE} b`]);
      assert.deepEqual(sought, ['184', '0']);
    });
  }

  it('note the id of a log of which none is noted', async (test) => {
    const world: World = { id: 'a', end: 184, position: 183, noted: undefined };
    const { looks } = await start(test, world);
    assert.deepEqual(await looks(5), [`note ${SOURCE} a`]);
  });

  it('find lost records also where Kafka tells no ids', async (test) => {
    const world: World = { id: undefined, end: 50, position: 183, noted: undefined };
    const { looks } = await start(test, world);
    assert.deepEqual(await looks(19), []);
    assert.deepEqual(await looks(1), [`forget ${SOURCE}`]);
  });
});

describe('what a carrier carries', () => {
  /** A carrier whose Redis is back when it is told to, at a position, and what it appended: each offset after the one that it took for the last. */
  const start = async (test: TestContext, world: World) => {
    const [sought, appended]: string[][] = [[], []];
    const fetched: Partial<Fetched> = {};
    const back = Promise.withResolvers<void>();
    const streams: Streams = {
      ...fakeStreams(world, []),
      positions: async (sources) => {
        await back.promise;
        return sources.map(() => world.position);
      },
      append: async (records) =>
        records.map(({ kafka, previous }) => {
          appended!.push(`${kafka.offset} after ${previous}`);
          return 'ok';
        }),
    };
    const carrier = new Carrier({
      kafka: () => fakeKafka(world, { sought: sought! }, fetched),
      group: 'g',
      namespaces: new Map([[TOPIC, 'chat']]),
      historySeconds: () => 3_600,
      streams,
      tracer: undefined,
      log: createLog({ component: 'test' }),
      carried: () => undefined,
      failed: (what) => assert.equal(what, 'record', 'these records have nothing in them'),
    });
    test.after(() => carrier.close());
    carrier.start();
    await settle();
    return { carrier, fetched: fetched as Fetched, back: back.resolve, sought: sought!, appended: appended! };
  };

  it('is nothing that lies further on than Redis, which was promoted while the batch waited and the leader moved', async (test) => {
    const world: World = { id: 'a', end: 12, position: 3, noted: 'a' };
    const { fetched, back, sought, appended } = await start(test, world);
    const waiting = fetched.batch(10, 10, 11);
    back();
    assert.equal(await waiting, false);
    assert.deepEqual([appended, sought], [[], ['4', '4']]);
    assert.equal(await fetched.batch(4, 4, 5), true);
    assert.deepEqual(appended, ['4 after 3', '5 after 4']);
  });

  it('is nothing of the same with marks of transactions only, nor what comes after them', async (test) => {
    const world: World = { id: 'a', end: 14, position: 3, noted: 'a' };
    const { fetched, back, sought, appended } = await start(test, world);
    back();
    await settle();
    fetched.marks(10, 12);
    await settle();
    assert.deepEqual(sought, ['4', '4']);
    assert.equal(await fetched.batch(13, 13), false);
    assert.deepEqual([appended, sought], [[], ['4', '4', '4']]);
  });

  it('goes on where the log begins, when Kafka has deleted what comes before', async (test) => {
    const world: World = { id: 'a', end: 12, low: 10, position: 3, noted: 'a' };
    const { carrier, fetched, back, sought, appended } = await start(test, world);
    back();
    assert.equal(await fetched.batch(10, 10, 11), true);
    assert.deepEqual([appended, sought], [['10 after 3', '11 after 10'], ['4']]);
    assert.deepEqual(carrier.lag, { [TOPIC]: 1_000 - 12 });
  });

  it('goes on over what was compacted away, and over marks of transactions', async (test) => {
    const world: World = { id: 'a', end: 12, position: 3, noted: 'a' };
    const { fetched, back, sought, appended } = await start(test, world);
    back();
    assert.equal(await fetched.batch(4, 6, 8), true);
    fetched.marks(9, 10);
    await settle();
    assert.equal(await fetched.batch(11, 11), true);
    assert.deepEqual([appended, sought], [['6 after 3', '8 after 6', '11 after 8'], ['4']]);
  });
});

/** Lets everything happen that does not wait for a timer. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 20; turns += 1) await turn();
}
