import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import BrokerPool from 'kafkajs/src/cluster/brokerPool.js';
import ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js';
import { createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import { waitFor } from '../../../e2e/tools/index.ts';
import { mendKafkaCoordinators, MOVED_MS } from './kafkajs-coordinator.ts';
import { LEADERS_MS } from './kafkajs-leaders.ts';
import { mendKafkaSeeks } from './kafkajs-seek.ts';

// By their numbers in Kafka's protocol guide.
const loading = (): Error => createErrorFromCode(14);
const notCoordinator = (): Error => createErrorFromCode(16);
const notAuthorized = (): Error => createErrorFromCode(30);
/** What a coordinator says of a member that has to join anew. */
const ANEW = { UNKNOWN_MEMBER_ID: 25, ILLEGAL_GENERATION: 22, REBALANCE_IN_PROGRESS: 27 };
const OFFSETS = { topics: [{ topic: 't', partitions: [{ partition: 0, offset: '7' }] }] };

const broken = (): Error =>
  Object.assign(new Error('Kafka has not answered'), { name: 'KafkaJSConnectionError' });
const never = (): Promise<never> => new Promise<never>(() => undefined);

interface Request {
  memberId: string;
  groupGenerationId: number;
}

/** A broker that says yes, unless an error is due, and notes what it was asked. */
function coordinator(broker: string, asked: string[], errors: Error[]) {
  const answer = async (what: string): Promise<void> => {
    asked.push(`${broker}: ${what}`);
    const error = errors.shift();
    if (error) throw error;
  };
  return {
    isConnected: () => true,
    heartbeat: (of: Request) => answer(`heartbeat of ${of.memberId} in ${of.groupGenerationId}`),
    offsetCommit: (of: Request) => answer(`commit of ${of.memberId} in ${of.groupGenerationId}`),
    leaveGroup: ({ memberId }: Request) => answer(`leave of ${memberId}`),
    joinGroup: async ({ memberId }: Request) => {
      await answer(`join as ${memberId}`);
      return { memberId, generationId: 4, leaderId: 'm-0', members: [] };
    },
    syncGroup: async () => ({ memberAssignment: Buffer.alloc(0) }),
  };
}

/** A member that has joined as m-1 in generation 4, at the first broker. Each look for its coordinator finds another one. */
async function member(errors: Error[] = []) {
  const asked: string[] = [];
  let looks = 0;
  const cluster = {
    findGroupCoordinator: async (): Promise<object> => {
      looks += 1;
      return coordinator(`broker ${looks}`, asked, errors);
    },
    brokerPool: {},
    refreshMetadata: async (): Promise<void> => undefined,
    committedOffsets: () => ({}),
  };
  const silent = (): void => undefined;
  const logger = { namespace: () => logger, debug: silent, info: silent, warn: silent, error: silent };
  const Constructor = ConsumerGroup as unknown as new (options: object) => ConsumerGroup;
  const group = new Constructor({
    retry: { retries: 0 },
    cluster,
    groupId: 'g',
    topics: [],
    assigners: [],
    logger,
    instrumentationEmitter: { emit: silent },
  });
  Object.assign(group, { memberId: 'm-1', lastRequest: 0 });
  const due = errors.splice(0);
  await group.joinAndSync();
  asked.length = 0;
  errors.push(...due);
  const beat = (): Promise<void> => group.heartbeat({ interval: 0 });
  return { group, asked, cluster, errors, beat };
}

describe('a member whose coordinator is another broker', () => {
  mendKafkaCoordinators();
  mendKafkaCoordinators();

  for (const [how, error] of [
    ['says so', notCoordinator],
    ['is gone', broken],
  ] as const) {
    it(`goes on at the next one as whom it was, when the last one ${how}`, async () => {
      const { beat, asked } = await member([error()]);
      await beat();
      await waitFor('the next one is asked', () => asked.length === 2);
      await turn();
      await beat();
      assert.deepEqual(asked, [
        'broker 1: heartbeat of m-1 in 4',
        'broker 2: heartbeat of m-1 in 4',
        'broker 2: heartbeat of m-1 in 4',
      ]);
    });
  }

  it('looks on while the next one is not ready, or no more the one', async () => {
    const { beat, asked } = await member([notCoordinator(), loading(), notCoordinator(), broken()]);
    await beat();
    await waitFor('one is ready', () => asked.length === 5);
    assert.equal(asked.at(-1), 'broker 5: heartbeat of m-1 in 4');
  });

  it('asks for the leaders of partitions when it is a member there, and is not held up by that', async () => {
    const { beat, asked, cluster } = await member([notCoordinator(), loading()]);
    const looked: number[] = [];
    cluster.refreshMetadata = () => {
      looked.push(asked.length);
      return never();
    };
    await beat();
    await waitFor('they are asked for', () => looked.length > 0);
    await turn();
    await beat();
    assert.deepEqual([looked, asked.at(-1)], [[3], 'broker 3: heartbeat of m-1 in 4']);
    assert.equal(asked.length, 4);
  });

  it('asks for them whom a heartbeat has reached, and not any that it is connected to', async (test) => {
    mendKafkaSeeks();
    const { group, beat } = await member();
    const brokerPool = group.cluster.brokerPool;
    // As kafkajs chooses among its brokers, of which this one is gone.
    const gone = { isConnected: () => true };
    Object.assign(brokerPool, { brokers: { 7: gone }, findBroker: async () => gone });
    const asked = (): Promise<unknown> => BrokerPool.prototype.findConnectedBroker.call(brokerPool);
    // Long after it joined.
    const later = performance.now() + 60_000;
    test.mock.method(performance, 'now', () => later);
    Object.assign(group, { lastRequest: Date.now() - 1_000 });
    await group.heartbeat({ interval: 60_000 });
    assert.equal(await asked(), gone, 'that heartbeat was not due');
    await beat();
    assert.equal(await asked(), group.coordinator);
  });

  it('is not held up meanwhile, and looks once', async () => {
    const { beat, asked, cluster } = await member([notCoordinator()]);
    const found = Promise.withResolvers<object>();
    let looks = 0;
    cluster.findGroupCoordinator = () => {
      looks += 1;
      return found.promise;
    };
    await Promise.all([beat(), beat()]);
    await beat();
    assert.deepEqual([looks, asked.length], [1, 1]);
    found.resolve(coordinator('next', asked, []));
    await waitFor('it is asked', () => asked.includes('next: heartbeat of m-1 in 4'));
  });

  for (const [type, code] of Object.entries(ANEW)) {
    it(`is told to join anew when the next one says ${type}`, async () => {
      const { beat, asked } = await member([notCoordinator(), createErrorFromCode(code)]);
      await beat();
      await waitFor('the next one is asked', () => asked.length === 2);
      await turn();
      await assert.rejects(beat(), { type });
    });
  }

  it('hears of all else as it is', async () => {
    const { beat } = await member([notAuthorized()]);
    await assert.rejects(beat(), { type: 'GROUP_AUTHORIZATION_FAILED' });
  });

  it('is told to join anew when none is found in time', { timeout: 10_000 }, async (test) => {
    test.mock.timers.enable({ apis: ['setTimeout'] });
    const { group, beat, cluster } = await member([broken()]);
    cluster.findGroupCoordinator = never;
    await beat();
    const committed = group.commitOffsets(OFFSETS);
    test.mock.timers.tick(MOVED_MS - 1);
    await turn();
    await beat();
    test.mock.timers.tick(1);
    await assert.rejects(committed, { type: 'NOT_COORDINATOR_FOR_GROUP' });
    await assert.rejects(beat(), { type: 'NOT_COORDINATOR_FOR_GROUP' });
  });

  it('tells the next one how far it is', async () => {
    const { group, asked } = await member([notCoordinator()]);
    await group.commitOffsets(OFFSETS);
    assert.deepEqual(asked, [
      'broker 1: commit of m-1 in 4',
      'broker 2: heartbeat of m-1 in 4',
      'broker 2: commit of m-1 in 4',
    ]);
  });

  it('tells it again while that one reads how far its groups are', async () => {
    const { group, asked, errors } = await member([notCoordinator()]);
    const committed = group.commitOffsets(OFFSETS);
    await waitFor('it is a member there', () => asked.length === 2);
    errors.push(loading());
    await committed;
    assert.deepEqual(asked.slice(2), [
      'broker 2: commit of m-1 in 4',
      'broker 3: heartbeat of m-1 in 4',
      'broker 3: commit of m-1 in 4',
    ]);
  });

  it('tells nobody when that takes too long, or it is no member any more', async (test) => {
    const slow = await member([notCoordinator()]);
    const committed = slow.group.commitOffsets(OFFSETS);
    await waitFor('it is a member there', () => slow.asked.length === 2);
    slow.errors.push(loading());
    const now = performance.now() + MOVED_MS;
    test.mock.method(performance, 'now', () => now);
    await assert.rejects(committed, { type: 'GROUP_LOAD_IN_PROGRESS' });
    test.mock.reset();
    const gone = await member([notCoordinator(), createErrorFromCode(ANEW.UNKNOWN_MEMBER_ID)]);
    await assert.rejects(gone.group.commitOffsets(OFFSETS), { type: 'UNKNOWN_MEMBER_ID' });
  });

  it('leaves when it has found the next one, there', async () => {
    const { group, beat, asked, cluster } = await member([notCoordinator()]);
    const found = Promise.withResolvers<object>();
    cluster.findGroupCoordinator = () => found.promise;
    await beat();
    const left = group.leave();
    await turn();
    found.resolve(coordinator('next', asked, []));
    await left;
    assert.deepEqual(asked.slice(1), ['next: heartbeat of m-1 in 4', 'next: leave of m-1']);
  });

  it('hears nothing of the look of before it joined', async () => {
    const { group, beat, asked, cluster } = await member([notCoordinator()]);
    const { findGroupCoordinator } = cluster;
    const found = Promise.withResolvers<object>();
    cluster.findGroupCoordinator = () => found.promise;
    await beat();
    cluster.findGroupCoordinator = findGroupCoordinator;
    await group.joinAndSync();
    found.resolve(coordinator('late', asked, []));
    await turn();
    await beat();
    assert.deepEqual(asked.slice(1), ['broker 2: join as m-1', 'broker 2: heartbeat of m-1 in 4']);
  });
});

describe('a member that joins', () => {
  mendKafkaCoordinators();

  it('looks for the coordinator until it is there, and joins as whom it was', async () => {
    const { group, asked } = await member([broken(), broken(), notAuthorized()]);
    await assert.rejects(group.joinAndSync(), { type: 'GROUP_AUTHORIZATION_FAILED' });
    assert.deepEqual(
      asked,
      [2, 3, 4].map((broker) => `broker ${broker}: join as m-1`),
    );
  });

  it('asks for the leaders of partitions when it has joined', async () => {
    const asked = Promise.withResolvers<void>();
    let isThere = false;
    const { group, cluster } = await member();
    cluster.refreshMetadata = () => asked.promise;
    const joined = group.joinAndSync().then(() => (isThere = true));
    await turn();
    assert.equal(isThere, false);
    asked.resolve();
    await joined;
  });

  it('goes on when nobody tells it the leaders', { timeout: 10_000 }, async (test) => {
    test.mock.timers.enable({ apis: ['setTimeout'] });
    const { group, cluster } = await member();
    cluster.refreshMetadata = never;
    const joined = group.joinAndSync();
    await turn();
    test.mock.timers.tick(LEADERS_MS);
    await joined;
    cluster.refreshMetadata = async () => Promise.reject(broken());
    await group.joinAndSync();
  });
});
