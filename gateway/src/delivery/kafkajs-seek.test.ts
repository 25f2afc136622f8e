import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import BrokerPool from 'kafkajs/src/cluster/brokerPool.js';
import Cluster from 'kafkajs/src/cluster/index.js';
import type { Broker } from 'kafkajs/src/cluster/index.js';
import { createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import { waitFor } from '../../../e2e/tools/index.ts';
import { ASK_MS, hasAnswered, mendKafkaSeeks } from './kafkajs-seek.ts';
import { OverdueError } from './within.ts';

// By their numbers in Kafka's protocol guide.
const notAvailable = (): Error => createErrorFromCode(15);
const notAuthorized = (): Error => createErrorFromCode(30);
const broken = (): Error =>
  Object.assign(new Error('Connection timeout'), { name: 'KafkaJSConnectionError' });
const never = (): Promise<never> => new Promise<never>(() => undefined);

/** Brokers 1 to 3, of which the third is connected, and coordinates: so all of them say. */
function brokers() {
  const world = {
    connected: ['3'],
    coordinator: 3,
    /** How each of them is connected to, and answers. */
    connect: {} as Record<string, () => Promise<void>>,
    answer: {} as Record<string, () => Promise<void>>,
    /** What is read of who there is. */
    refresh: () => void (pool.brokers = all),
  };
  const asked: string[] = [];
  const make = (id: string): Broker => ({
    isConnected: () => world.connected.includes(id),
    findGroupCoordinator: async () => {
      asked.push(id);
      await world.answer[id]?.();
      return { coordinator: { nodeId: world.coordinator } };
    },
  });
  const all: Record<string, Broker> = { 1: make('1'), 2: make('2'), 3: make('3') };
  const pool: { brokers: Record<string, Broker> } = { brokers: all };
  const connections: string[] = [];
  const findBroker = async ({ nodeId }: { nodeId: string }): Promise<Broker> => {
    if (!world.connected.includes(nodeId)) {
      connections.push(nodeId);
      await world.connect[nodeId]?.();
      world.connected.push(nodeId);
    }
    return all[nodeId]!;
  };
  const cluster = Object.assign(Object.create(Cluster.prototype) as Cluster, {
    brokerPool: Object.assign(pool, { findBroker }),
    findBroker,
    refreshMetadata: async () => world.refresh(),
  });
  const seek = async (): Promise<string | undefined> => {
    const found = await cluster.findGroupCoordinator({ groupId: 'g' });
    return Object.keys(all).find((id) => all[id] === found);
  };
  return { world, asked, connections, pool, seek, all };
}

describe('a client that asks any broker', () => {
  mendKafkaSeeks();
  interface Pool {
    brokers: object;
    findBroker(of: { nodeId: string }): Promise<unknown>;
  }
  const silent = (): void => undefined;
  const logger = { namespace: () => logger, debug: silent, info: silent, warn: silent, error: silent };

  it('asks one that has answered just now, while it is connected to it', async (test) => {
    const Made = BrokerPool as unknown as new (options: object) => BrokerPool;
    const brokerPool = new Made({ logger });
    const [first, second] = [0, 1].map(() => ({ isConnected: () => true }) as Broker) as [Broker, Broker];
    Object.assign(brokerPool, { brokers: { 1: first, 2: second }, findBroker: async () => second } as Pool);
    assert.equal(await brokerPool.findConnectedBroker(), second);
    hasAnswered({ brokerPool }, first);
    assert.equal(await brokerPool.findConnectedBroker(), first);
    first.isConnected = () => false;
    assert.equal(await brokerPool.findConnectedBroker(), second);
    first.isConnected = () => true;
    const later = performance.now() + 11_000;
    test.mock.method(performance, 'now', () => later);
    assert.equal(await brokerPool.findConnectedBroker(), second);
  });
});

describe('a client that seeks the coordinator', () => {
  mendKafkaSeeks();
  mendKafkaSeeks();

  it('asks one that is connected', async () => {
    const { asked, connections, seek } = brokers();
    assert.equal(await seek(), '3');
    assert.deepEqual([asked, connections], [['3'], []]);
  });

  it('asks another one each time: who is wrong is not asked for ever', async () => {
    const { world, asked, seek } = brokers();
    world.connected = ['2', '3'];
    for (let i = 0; i < 4; i += 1) await seek();
    assert.deepEqual(asked, ['2', '3', '2', '3']);
  });

  it('asks on when nobody is known, and when it was not connected to in time', async () => {
    const { world, asked, pool, seek, all } = brokers();
    world.answer = { 3: () => Promise.reject(new OverdueError('connection', 1)) };
    for (const id of ['1', '2']) world.answer[id] = world.answer[3]!;
    pool.brokers = {};
    const refreshed = Promise.withResolvers<void>();
    let refreshes = 0;
    world.refresh = () => {
      refreshes += 1;
      if (refreshes === 2) refreshed.resolve();
      if (refreshes > 1) pool.brokers = all;
    };
    const found = seek();
    await refreshed.promise;
    await waitFor('all have failed', () => asked.length >= 3, { intervalMs: 5 });
    world.answer = {};
    assert.equal(await found, '3');
  });

  it('reads first who there is, where it does not know', async () => {
    const { pool, seek } = brokers();
    pool.brokers = {};
    assert.equal(await seek(), '3');
  });

  it('asks the next one when one fails, or says nothing', { timeout: 10_000 }, async () => {
    const { world, asked, seek } = brokers();
    world.coordinator = 2;
    world.answer = { 3: () => Promise.reject(broken()), 1: never };
    const since = performance.now();
    assert.equal(await seek(), '2');
    assert.deepEqual(asked, ['3', '1', '2']);
    assert.ok(performance.now() - since < 4 * ASK_MS);
  });

  it(
    'asks again who it is while that one does not answer, and connects to it once',
    { timeout: 10_000 },
    async () => {
      const { world, asked, connections, seek } = brokers();
      world.coordinator = 1;
      world.connect = { 1: never };
      const found = seek();
      await waitFor('it asks again', () => asked.length >= 3, { intervalMs: 5 });
      world.coordinator = 2;
      const since = performance.now();
      assert.equal(await found, '2');
      assert.deepEqual(connections, ['1', '2']);
      assert.ok(performance.now() - since < 3 * ASK_MS);
    },
  );

  it('finds one that takes long to connect to', { timeout: 10_000 }, async () => {
    const { world, connections, seek } = brokers();
    const connected = Promise.withResolvers<void>();
    world.coordinator = 1;
    world.connect = { 1: () => connected.promise };
    const found = seek();
    setTimeout(connected.resolve, 3 * ASK_MS);
    assert.equal(await found, '1');
    assert.deepEqual(connections, ['1']);
  });

  it('asks on while there is none, for a while', { timeout: 10_000 }, async () => {
    const { world, asked, seek } = brokers();
    let times = 0;
    world.answer = {
      3: async () => {
        times += 1;
        if (times < 3) throw notAvailable();
      },
      1: () => Promise.reject(notAvailable()),
      2: () => Promise.reject(notAvailable()),
    };
    assert.equal(await seek(), '3');
    world.answer[3] = () => Promise.reject(notAvailable());
    asked.length = 0;
    await assert.rejects(seek(), { type: 'GROUP_COORDINATOR_NOT_AVAILABLE' });
    assert.ok(asked.length > 3 * 5, `${asked.length} questions`);
  });

  it('hears of all else as it is, at once', async () => {
    const { world, asked, seek } = brokers();
    world.connect = { 1: () => Promise.reject(broken()), 2: () => Promise.reject(broken()) };
    world.answer = { 3: () => Promise.reject(notAuthorized()) };
    await assert.rejects(seek(), { type: 'GROUP_AUTHORIZATION_FAILED' });
    assert.deepEqual(asked, ['3']);
  });
});
