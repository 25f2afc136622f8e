import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import BrokerPool from 'kafkajs/src/cluster/brokerPool.js';
import newest from 'kafkajs/src/protocol/requests/metadata/v6/response.js';
import type { Metadata } from 'kafkajs/src/protocol/requests/metadata/v6/response.js';
import { LEADERLESS_MS, mendKafkaMetadata } from './kafkajs-metadata.ts';

// By their numbers in Kafka's protocol guide.
const [LEADER_NOT_AVAILABLE, NOT_AUTHORIZED, LISTENER_NOT_FOUND, UNKNOWN] = [5, 29, 72, -1];
const MAX_AGE_MS = 10_000;

/** Two topics with two partitions; the last one, and its topic, may have an error. */
function answer(partitionErrorCode: number, topicErrorCode = 0, leader = -1): Metadata {
  const whole = (partitionId: number) => ({ partitionErrorCode: 0, partitionId, leader: 1 });
  return {
    brokers: [],
    topicMetadata: [
      { topic: 'a', topicErrorCode: 0, partitionMetadata: [whole(0), whole(1)] },
      {
        topic: 'b',
        topicErrorCode,
        partitionMetadata: [whole(0), { partitionErrorCode, partitionId: 1, leader }],
      },
    ],
  };
}

describe('an answer of Kafka about its topics', () => {
  mendKafkaMetadata();
  mendKafkaMetadata();

  const leaders = ({ topicMetadata }: Metadata): number[] =>
    topicMetadata.flatMap(({ partitionMetadata }) => partitionMetadata.map(({ leader }) => leader));

  for (const code of [LEADER_NOT_AVAILABLE, LISTENER_NOT_FOUND])
    it(`counts, though a partition has no leader (${code})`, async () => {
      assert.deepEqual(leaders(await newest.parse(answer(code))), [1, 1, 1, -1]);
    });

  it('is an error with any other error', async () => {
    await assert.rejects(newest.parse(answer(UNKNOWN)), { type: 'UNKNOWN' });
    await assert.rejects(newest.parse(answer(0, NOT_AUTHORIZED)), { type: 'TOPIC_AUTHORIZATION_FAILED' });
    await assert.rejects(newest.parse(answer(0, LEADER_NOT_AVAILABLE)), { type: 'LEADER_NOT_AVAILABLE' });
  });

  it('is asked for again soon while a partition has no leader', async (test) => {
    test.mock.timers.enable({ apis: ['Date'] });
    const silent = (): void => undefined;
    const logger = { namespace: () => logger, debug: silent, info: silent, warn: silent, error: silent };
    const Made = BrokerPool as unknown as new (options: object) => BrokerPool;
    const pool = new Made({
      logger,
      metadataMaxAge: MAX_AGE_MS,
      connectionPoolBuilder: { build: async () => ({ host: 'a', port: 1 }) },
    });
    let told = answer(LEADER_NOT_AVAILABLE);
    Object.assign(pool, {
      seedBroker: { connectionPool: { host: 'a', port: 1 } },
      findConnectedBroker: async () => ({ metadata: () => newest.parse(told) }),
    });
    await pool.refreshMetadata(['a', 'b']);
    assert.equal(pool.metadataExpireAt, Date.now() + LEADERLESS_MS);
    told = answer(0, 0, 2);
    await pool.refreshMetadata(['a', 'b']);
    assert.equal(pool.metadataExpireAt, Date.now() + MAX_AGE_MS);
  });
});
