import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KafkaTopic, TopicQuestion } from '../platform/index.ts';
import { ordersPlatform } from '../platform/testing/orders.ts';
import { kafkaFromStatus, topicChanges } from './plan-topics.ts';

function ask(topics: KafkaTopic[], change: Partial<TopicQuestion> = {}): ReturnType<typeof topicChanges> {
  return topicChanges({
    platform: 'orders',
    wishes: ordersPlatform().spec.kafka.topics,
    deletionPolicy: 'Retain',
    known: [],
    kafka: { brokers: 3, topics: new Map(topics.map((topic) => [topic.name, topic])) },
    claimed: new Map(),
    ...change,
  });
}

const chat: KafkaTopic = {
  name: 'orders.chat',
  partitions: 6,
  replicationFactor: 3,
  config: { 'min.insync.replicas': '2' },
};

describe('planning topics', () => {
  it('creates what is missing', () => {
    assert.deepEqual(ask([]), [
      {
        action: 'create',
        topic: 'orders.chat',
        partitions: 6,
        replicationFactor: 3,
        config: { 'min.insync.replicas': '2' },
      },
    ]);
  });

  it('has nothing to say of a topic that is as asked for', () => {
    assert.deepEqual(ask([chat]), []);
  });

  it('grows and sets what differs, from what to what', () => {
    const known = [{ name: 'orders.chat', configKeys: ['min.insync.replicas', 'retention.ms'] }];
    const there = { ...chat, partitions: 3, config: { 'min.insync.replicas': '1', 'retention.ms': '5' } };
    assert.deepEqual(ask([there], { known }), [
      { action: 'grow', topic: 'orders.chat', partitions: { from: 3, to: 6 } },
      {
        action: 'alter',
        topic: 'orders.chat',
        config: {
          'min.insync.replicas': { from: '1', to: '2' },
          'retention.ms': { from: '5', to: null },
        },
      },
    ]);
  });

  it('says why it refuses', () => {
    assert.deepEqual(ask([{ ...chat, partitions: 12 }]), [
      {
        action: 'refuse',
        topic: 'orders.chat',
        reason: 'FewerPartitions',
        message:
          'Topic orders.chat has 12 partitions and the platform asks for 6; Kafka cannot take partitions away. Set partitions to 12 or more.',
      },
    ]);
  });

  it('deletes only what Causeway made and the policy gives up', () => {
    const known = [{ name: 'orders.chat', owned: true }];
    assert.deepEqual(ask([chat], { known, wishes: [], deletionPolicy: 'Delete' }), [
      { action: 'delete', topic: 'orders.chat' },
    ]);
    assert.deepEqual(ask([chat], { known, wishes: [] }), []);
  });
});

describe('Kafka as status has it', () => {
  it('stands in for a Kafka that cannot be asked', () => {
    const before = ordersPlatform((platform) => {
      platform.status = {
        topics: [{ name: 'orders.chat', state: 'Ready', owned: true, partitions: 6, replicationFactor: 3 }],
      };
    });
    const kafka = kafkaFromStatus(before);
    assert.deepEqual(ask([], { kafka }), []);
    const wishes = [{ name: 'chat', partitions: 12, replicationFactor: 3 }];
    assert.deepEqual(
      ask([], {
        kafka,
        wishes,
        known: [{ name: 'orders.chat', owned: true, configKeys: ['min.insync.replicas'] }],
      }),
      [
        { action: 'grow', topic: 'orders.chat', partitions: { from: 6, to: 12 } },
        {
          action: 'alter',
          topic: 'orders.chat',
          config: { 'min.insync.replicas': { from: '2', to: null } },
        },
      ],
    );
  });

  it('knows nothing of a platform that is not there', () => {
    assert.equal(kafkaFromStatus(undefined).topics.size, 0);
  });
});
