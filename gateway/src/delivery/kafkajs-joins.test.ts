import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js';
import Runner from 'kafkajs/src/consumer/runner.js';
import { createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import { waitFor } from '../../../e2e/tools/index.ts';
import { mendKafkaCoordinators } from './kafkajs-coordinator.ts';
import { mendKafkaJoins, StoppedError } from './kafkajs-joins.ts';

// By their numbers in Kafka's protocol guide.
const MEMBER_ID_REQUIRED = 79;
const unknownMember = (): Error => createErrorFromCode(25);
const notAuthorized = (): Error => createErrorFromCode(30);
const broken = (): Error =>
  Object.assign(new Error('Kafka has not answered'), { name: 'KafkaJSConnectionError' });

interface Started extends Runner {
  start(): Promise<void>;
}

/** A consumer of kafkajs that has not joined, and a coordinator that gives ids in turn. */
function consumer({ version = 9 } = {}) {
  const world = {
    /** What comes of each join, in order; then they succeed. */
    joins: [] as (() => Promise<void>)[],
    leave: async (): Promise<void> => undefined,
    /** Before it says yes. */
    sync: async (): Promise<void> => undefined,
  };
  const asked: string[] = [];
  const crashes: unknown[] = [];
  const events: string[] = [];
  let ids = 0;
  const give = async ({ response }: { response: { parse(answer: object): Promise<unknown> } }) => {
    asked.push('an id');
    ids += 1;
    return response.parse({ errorCode: MEMBER_ID_REQUIRED, memberId: `m-${ids}` });
  };
  const coordinator = {
    versions: { 11: { maxVersion: version } },
    lookupRequest: (apiKey: number) => (of: { memberId: string }) => ({
      request: { apiKey, ...of },
      response: {},
    }),
    connectionPool: {
      send: give,
      getConnection: async (index: number) => ({
        send: async ({ request }: { request: { memberId: string } }) => {
          asked.push(`leave as ${request.memberId} on ${index}`);
          await world.leave();
        },
      }),
    },
    joinGroup: async ({ memberId }: { memberId: string }) => {
      asked.push(`join as ${memberId}`);
      await world.joins.shift()?.();
      return { memberId: memberId || 'given', generationId: 1, leaderId: 'm-0', members: [] };
    },
    syncGroup: async () => {
      asked.push('sync');
      await world.sync();
      return { memberAssignment: Buffer.alloc(0) };
    },
    leaveGroup: async ({ memberId }: { memberId: string }) => void asked.push(`leave as ${memberId}`),
  };
  const silent = (): void => undefined;
  const logger = { namespace: () => logger, debug: silent, info: silent, warn: silent, error: silent };
  const instrumentationEmitter = { emit: (event: string) => void events.push(event) };
  const Group = ConsumerGroup as unknown as new (options: object) => ConsumerGroup;
  const group = new Group({
    retry: { retries: 3, initialRetryTime: 1 },
    cluster: {
      brokerPool: {},
      connect: async () => undefined,
      refreshMetadataIfNecessary: async () => undefined,
      findGroupCoordinator: async () => coordinator,
      refreshMetadata: async () => undefined,
      committedOffsets: () => ({}),
    },
    groupId: 'g',
    topics: [],
    assigners: [],
    logger,
    instrumentationEmitter,
  });
  const Made = Runner as unknown as new (options: object) => Started;
  const runner = new Made({
    logger,
    consumerGroup: group,
    instrumentationEmitter,
    concurrency: 1,
    onCrash: (error: unknown) => void crashes.push(error),
  });
  return { world, asked, events, crashes, group, runner };
}

const failing = (error: Error) => async (): Promise<never> => {
  throw error;
};

describe('a consumer that joins', () => {
  mendKafkaCoordinators();
  mendKafkaJoins();
  mendKafkaJoins();

  it('comes again as who it was when its connection broke', async () => {
    const { world, asked, group } = consumer();
    world.joins = [failing(broken()), failing(broken())];
    await group.joinAndSync();
    assert.deepEqual(asked, ['an id', 'join as m-1', 'join as m-1', 'join as m-1', 'sync']);
    assert.equal(group.memberId, 'm-1');
  });

  it('is somebody else where nobody knows it any more', async () => {
    const { world, asked, group } = consumer();
    world.joins = [failing(unknownMember())];
    await group.joinAndSync();
    assert.deepEqual(asked, ['an id', 'join as m-1', 'an id', 'join as m-2', 'sync']);
  });

  it('says each time that it begins to wait', async () => {
    const { world, events, group } = consumer();
    world.joins = [failing(broken())];
    await group.joinAndSync();
    assert.deepEqual(events, ['consumer.rebalancing', 'consumer.rebalancing', 'consumer.group_join']);
  });

  it('joins without an id where Kafka gives none', async () => {
    const { asked, group } = consumer({ version: 3 });
    await group.joinAndSync();
    assert.deepEqual(asked, ['join as ', 'sync']);
    assert.equal(group.memberId, 'given');
  });

  it('hears of all else as it is', async () => {
    const { world, asked, group } = consumer();
    world.joins = [failing(notAuthorized())];
    await assert.rejects(group.joinAndSync(), { type: 'GROUP_AUTHORIZATION_FAILED' });
    assert.deepEqual(asked, ['an id', 'join as m-1']);
  });
});

describe('a consumer that is stopped while it joins', () => {
  mendKafkaCoordinators();
  mendKafkaJoins();

  it('leaves at once, where nobody waits for the others, and joins no more', async () => {
    const { world, asked, crashes, runner } = consumer();
    const waiting = Promise.withResolvers<void>();
    world.joins = [() => waiting.promise];
    // As Kafka does: who waits is told that it is none any more.
    world.leave = async () => waiting.reject(unknownMember());
    const started = runner.start();
    await waitFor('it joins', () => asked.includes('join as m-1'));
    await runner.stop();
    await started;
    assert.deepEqual(asked, ['an id', 'join as m-1', 'leave as m-1 on 1']);
    assert.ok(crashes[0] instanceof StoppedError);
  });

  it('joins no more where nobody hears that it leaves', async () => {
    const { world, asked, crashes, runner } = consumer();
    const waiting = Promise.withResolvers<void>();
    world.joins = [() => waiting.promise];
    world.leave = failing(broken());
    const started = runner.start();
    await waitFor('it joins', () => asked.includes('join as m-1'));
    await runner.stop();
    waiting.reject(broken());
    await started;
    assert.equal(asked.filter((what) => what.startsWith('join')).length, 1);
    assert.ok(crashes[0] instanceof StoppedError);
  });

  it('leaves when it has joined all the same', async () => {
    const { world, asked, crashes, runner } = consumer();
    const syncing = Promise.withResolvers<void>();
    world.sync = () => syncing.promise;
    let isLost = true;
    world.leave = async () => {
      if (isLost) throw broken();
    };
    const started = runner.start();
    await waitFor('it is about to have joined', () => asked.includes('sync'));
    await runner.stop();
    isLost = false;
    syncing.resolve();
    await started;
    assert.deepEqual(asked.slice(3), ['leave as m-1 on 1', 'leave as m-1 on 1']);
    assert.equal(runner.running, false);
    assert.ok(crashes[0] instanceof StoppedError);
  });

  it('does not begin to when it was stopped before', async () => {
    const { asked, runner } = consumer();
    await runner.stop();
    await runner.start();
    await turn();
    assert.deepEqual(asked, []);
  });
});
