import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js';
import { createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import { LEADERS_MS, mendKafkaCoordinators } from './kafkajs-coordinator.ts';

const [UNKNOWN_MEMBER_ID, NOT_AUTHORIZED] = [25, 30];

interface Coordinator {
  heartbeat(): Promise<void>;
  joinGroup(as: { memberId: string }): Promise<object>;
  syncGroup(): Promise<object>;
}

/** A member of a group, whose coordinators fail as `failures` say, one for each call; after the last one it joins. */
function member(
  failures: Error[],
  refreshMetadata = async (): Promise<void> => undefined,
): { group: ConsumerGroup; joinedAs: string[] } {
  const joinedAs: string[] = [];
  const fail = async (): Promise<never> => {
    throw failures.shift() ?? new Error('nothing more is expected');
  };
  const coordinator: Coordinator = {
    heartbeat: fail,
    joinGroup: async ({ memberId }) => {
      joinedAs.push(memberId);
      return failures.length > 0 ? fail() : { memberId, leaderId: 'm-0', members: [] };
    },
    syncGroup: async () => ({ memberAssignment: Buffer.alloc(0) }),
  };
  const silent = (): void => undefined;
  const logger = { namespace: () => logger, debug: silent, info: silent, warn: silent, error: silent };
  const Constructor = ConsumerGroup as unknown as new (options: object) => ConsumerGroup;
  const group = new Constructor({
    retry: { retries: 0 },
    cluster: {
      findGroupCoordinator: async () => coordinator,
      refreshMetadata,
      committedOffsets: () => ({}),
    },
    groupId: 'g',
    topics: [],
    assigners: [],
    logger,
    instrumentationEmitter: { emit: silent },
  });
  return { group: Object.assign(group, { coordinator, memberId: 'm-1', lastRequest: 0 }), joinedAs };
}

const broken = (): Error =>
  Object.assign(new Error('Kafka has not answered'), { name: 'KafkaJSConnectionError' });

describe('a member whose coordinator is gone', () => {
  mendKafkaCoordinators();
  mendKafkaCoordinators();

  it('is told to join where the coordinator is now', async () => {
    const { group } = member([broken()]);
    await assert.rejects(group.heartbeat({ interval: 0 }), { type: 'NOT_COORDINATOR_FOR_GROUP' });
  });

  it('hears of all else as it is', async () => {
    const { group } = member([createErrorFromCode(UNKNOWN_MEMBER_ID)]);
    await assert.rejects(group.heartbeat({ interval: 0 }), { type: 'UNKNOWN_MEMBER_ID' });
  });

  it('looks for the next one until it is there, and joins as whom it was', async () => {
    const { group, joinedAs } = member([broken(), broken(), createErrorFromCode(NOT_AUTHORIZED)]);
    await assert.rejects(group.joinAndSync(), { type: 'GROUP_AUTHORIZATION_FAILED' });
    assert.deepEqual(joinedAs, ['m-1', 'm-1', 'm-1']);
  });

  it('asks for the leaders of partitions when it has joined', async () => {
    const asked = Promise.withResolvers<void>();
    let isThere = false;
    const { group } = member([], () => asked.promise);
    const joined = group.joinAndSync().then(() => (isThere = true));
    await turn();
    assert.equal(isThere, false);
    asked.resolve();
    await joined;
  });

  it('goes on when nobody tells it the leaders', { timeout: 10_000 }, async (test) => {
    test.mock.timers.enable({ apis: ['setTimeout'] });
    const unanswered = member([], () => new Promise<never>(() => undefined));
    const joined = unanswered.group.joinAndSync();
    await turn();
    test.mock.timers.tick(LEADERS_MS);
    await joined;
    await member([], async () => Promise.reject(broken())).group.joinAndSync();
  });
});
