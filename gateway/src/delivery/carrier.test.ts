/** How a carrier looks at Kafka's logs, on a Kafka and a Redis that say what they are told to. */
import assert from 'node:assert/strict';
import { syncBuiltinESMExports } from 'node:module';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Kafka } from 'kafkajs';
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
  position: number | undefined;
  noted: string | undefined;
}

/** A Kafka with one partition, whose group has one member, and no records to fetch. */
function fakeKafka(world: World, sought: string[]): Kafka {
  const listeners = new Map<string, (event: unknown) => void>();
  const offsets = (offset: number) => async () => [
    { partition: 0, offset: String(offset), high: String(world.end) },
  ];
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
    run: async () =>
      listeners.get('consumer.group_join')?.({ payload: { memberAssignment: { [TOPIC]: [0] } } }),
    seek: ({ offset }: { offset: string }) => void sought.push(offset),
    commitOffsets: async () => undefined,
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
  const start = async (test: TestContext, world: World) => {
    test.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
    // For those that import it by its name.
    syncBuiltinESMExports();
    test.after(async () => {
      await carrier.close();
      test.mock.timers.reset();
      syncBuiltinESMExports();
    });
    const [told, sought]: string[][] = [[], []];
    const carrier = new Carrier({
      kafka: () => fakeKafka(world, sought!),
      group: 'g',
      namespaces: new Map([[TOPIC, 'chat']]),
      historySeconds: () => 3_600,
      streams: fakeStreams(world, told!),
      tracer: undefined,
      log: createLog({ component: 'test' }),
      carried: () => undefined,
      failed: (what) => assert.fail(what),
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
    return { looks, sought: sought! };
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

/** Lets everything happen that does not wait for a timer. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 20; turns += 1) await turn();
}
