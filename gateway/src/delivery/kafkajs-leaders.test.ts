import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js';
import { createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import { LEADERS_MS, mendKafkaLeaders } from './kafkajs-leaders.ts';

/** By its number in Kafka's protocol guide. */
const notLeader = (): Error => createErrorFromCode(6);
const notAuthorized = (): Error => createErrorFromCode(29);
const broken = (name: string): Error => Object.assign(new Error('it is gone'), { name });

/** A member of a group, and what it asks when a fetch has failed. */
function member() {
  const asked: string[] = [];
  const group = Object.assign(Object.create(ConsumerGroup.prototype) as ConsumerGroup, {
    cluster: {
      refreshMetadata: async () => void asked.push('leaders'),
      removeBroker: () => void asked.push('removeBroker'),
    },
    joinAndSync: async () => void asked.push('join'),
    logger: { debug: () => undefined, warn: () => undefined, error: () => undefined },
  });
  return { group, asked };
}

describe('a member whose fetch has failed', () => {
  mendKafkaLeaders();
  mendKafkaLeaders();

  for (const [why, error] of [
    ['another broker leads', notLeader()],
    ['the broker cannot be reached', broken('KafkaJSConnectionError')],
    ['the broker is gone', broken('KafkaJSConnectionClosedError')],
    ['the broker is silent', broken('KafkaJSRequestTimeoutError')],
  ] as const)
    it(`asks who leads by now, and joins nothing, when ${why}`, async () => {
      const { group, asked } = member();
      await group.recoverFromFetch(error);
      assert.deepEqual(asked, ['leaders']);
    });

  it('goes on when nobody says who leads, or nobody answers', async (test) => {
    const { group } = member();
    Object.assign(group.cluster, { refreshMetadata: () => Promise.reject(new Error('all are gone')) });
    await group.recoverFromFetch(notLeader());
    test.mock.timers.enable({ apis: ['setTimeout'] });
    const state = { isOver: false };
    Object.assign(group.cluster, { refreshMetadata: () => new Promise(() => undefined) });
    const over = group.recoverFromFetch(notLeader()).then(() => (state.isOver = true));
    while (!state.isOver) {
      test.mock.timers.tick(LEADERS_MS / 4);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await over;
  });

  it('fails as before with what is no matter of leaders', async () => {
    const { group, asked } = member();
    await assert.rejects(group.recoverFromFetch(notAuthorized()), /TOPIC_AUTHORIZATION_FAILED|authorized/i);
    assert.deepEqual(asked, []);
  });
});
