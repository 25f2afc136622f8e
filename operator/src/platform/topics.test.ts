import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  claimedByOthers,
  planTopicDeletion,
  planTopics,
  unknownTopics,
  type KafkaTopic,
  type TopicAction,
  type TopicPlan,
  type TopicQuestion,
  type TopicStatus,
  type TopicWish,
} from './topics.ts';

const CHAT: TopicWish = {
  name: 'chat',
  partitions: 6,
  replicationFactor: 3,
  config: { 'min.insync.replicas': '2' },
};

function topic(over: Partial<KafkaTopic> = {}): KafkaTopic {
  return {
    name: 'orders.chat',
    partitions: 6,
    replicationFactor: 3,
    config: { 'min.insync.replicas': '2' },
    ...over,
  };
}

function question(
  over: Partial<TopicQuestion> & { existing?: KafkaTopic[]; brokers?: number } = {},
): TopicQuestion {
  const { existing = [], brokers = 3, ...rest } = over;
  return {
    platform: 'orders',
    wishes: [CHAT],
    deletionPolicy: 'Retain',
    known: [],
    kafka: { brokers, topics: new Map(existing.map((one) => [one.name, one])) },
    claimed: new Map(),
    ...rest,
  };
}

/** Applies actions as Kafka would. */
function perform(topics: Map<string, KafkaTopic>, actions: readonly TopicAction[]): Map<string, KafkaTopic> {
  const after = new Map(topics);
  for (const action of actions) {
    const before = after.get(action.topic);
    if (action.act === 'create') after.set(action.topic, { ...action, name: action.topic });
    else if (action.act === 'delete') after.delete(action.topic);
    else if (before !== undefined && action.act === 'grow')
      after.set(action.topic, { ...before, partitions: action.partitions });
    else if (before !== undefined && action.act === 'alter')
      after.set(action.topic, { ...before, config: action.config });
  }
  return after;
}

const reasons = (plan: TopicPlan): string[] => plan.problems.map((problem) => problem.reason);
const acts = (plan: TopicPlan): string[] => plan.actions.map((action) => action.act);

describe('a topic that is not there', () => {
  it('is created, and status says so before', () => {
    const plan = planTopics(question());
    assert.deepEqual(plan.actions, [
      {
        act: 'create',
        topic: 'orders.chat',
        partitions: 6,
        replicationFactor: 3,
        config: { 'min.insync.replicas': '2' },
      },
    ]);
    assert.deepEqual(plan.topics, [
      { name: 'orders.chat', state: 'Creating', owned: true, configKeys: ['min.insync.replicas'] },
    ]);
  });

  it('is refused when there are too few brokers, and the other topics go on', () => {
    const wishes = [CHAT, { name: 'audit', partitions: 1, replicationFactor: 1 }];
    const plan = planTopics(question({ wishes, brokers: 1 }));
    assert.deepEqual(reasons(plan), ['TooFewBrokers']);
    assert.deepEqual(
      plan.actions.map((action) => action.topic),
      ['orders.audit'],
    );
    assert.match(
      plan.problems[0]?.message ?? '',
      /asks for 3 replicas, and Kafka has 1 brokers.*lower replicationFactor/,
    );
  });

  it('is not created where an older platform claims the name', () => {
    const plan = planTopics(question({ claimed: new Map([['orders.chat', 'other/orders']]) }));
    assert.deepEqual([acts(plan), reasons(plan)], [[], ['TopicConflict']]);
  });
});

describe('a topic that is there', () => {
  it('as asked for is left alone', () => {
    assert.deepEqual(acts(planTopics(question({ existing: [topic()] }))), []);
  });

  it('that somebody else made is never taken for ours', () => {
    assert.equal(planTopics(question({ existing: [topic()] })).topics[0]?.owned, false);
    const known: TopicStatus[] = [{ name: 'orders.chat', state: 'Creating', owned: true }];
    assert.equal(
      planTopics(question({ existing: [topic()], known })).topics[0]?.owned,
      true,
      'we had said that we create it',
    );
  });

  it('grows', () => {
    assert.deepEqual(planTopics(question({ existing: [topic({ partitions: 3 })] })).actions, [
      { act: 'grow', topic: 'orders.chat', partitions: 6 },
    ]);
  });

  it('with more partitions than asked for is refused, and its settings are still repaired', () => {
    const plan = planTopics(question({ existing: [topic({ partitions: 12, config: {} })] }));
    assert.deepEqual([acts(plan), reasons(plan)], [['alter'], ['FewerPartitions']]);
    assert.match(plan.problems[0]?.message ?? '', /has 12 partitions.*Set partitions to 12 or more/);
  });

  it('with another replication factor is refused', () => {
    assert.deepEqual(reasons(planTopics(question({ existing: [topic({ replicationFactor: 2 })] }))), [
      'ReplicationFactorDiffers',
    ]);
  });

  it('gets back settings that were changed, and keeps those that are not ours', () => {
    const config = { 'min.insync.replicas': '1', 'retention.bytes': '1000' };
    assert.deepEqual(planTopics(question({ existing: [topic({ config })] })).actions, [
      {
        act: 'alter',
        topic: 'orders.chat',
        config: { 'min.insync.replicas': '2', 'retention.bytes': '1000' },
        changed: ['min.insync.replicas'],
      },
    ]);
  });

  it('loses a setting that we made and nobody asks for any more', () => {
    const config = { 'min.insync.replicas': '2', 'retention.ms': '1000', 'retention.bytes': '5' };
    const known: TopicStatus[] = [
      { name: 'orders.chat', owned: true, configKeys: ['min.insync.replicas', 'retention.ms'] },
    ];
    const [action] = planTopics(question({ existing: [topic({ config })], known })).actions;
    assert.deepEqual(action?.act === 'alter' && action.config, {
      'min.insync.replicas': '2',
      'retention.bytes': '5',
    });
  });

  it('without settings has no list of them at all, since an empty one could not be taken out of status again', () => {
    const plan = planTopics(question({ wishes: [{ name: 'chat', partitions: 6, replicationFactor: 3 }] }));
    assert.deepEqual(plan.topics, [{ name: 'orders.chat', state: 'Creating', owned: true }]);
  });

  it('still knows a setting that is to go until it has gone, so that a crash in between forgets nothing', () => {
    const known: TopicStatus[] = [{ name: 'orders.chat', owned: true, configKeys: ['retention.ms'] }];
    const before = topic({ config: { 'min.insync.replicas': '2', 'retention.ms': '1000' } });
    const keys = (existing: KafkaTopic): unknown =>
      planTopics(question({ existing: [existing], known })).topics[0]?.configKeys;
    assert.deepEqual(keys(before), ['min.insync.replicas', 'retention.ms']);
    assert.deepEqual(keys(topic()), ['min.insync.replicas']);
  });
});

function gone(deletionPolicy: 'Retain' | 'Delete', known: TopicStatus[]): TopicPlan {
  return planTopicDeletion({
    platform: 'orders',
    deletionPolicy,
    known,
    kafka: question({ existing: [topic()] }).kafka,
  });
}

describe('a topic that nobody asks for any more', () => {
  const ours: TopicStatus[] = [{ name: 'orders.chat', state: 'Ready', owned: true }];
  const theirs: TopicStatus[] = [{ name: 'orders.chat', state: 'Ready', owned: false }];
  it('is deleted only when that was asked for and we made it', () => {
    assert.deepEqual(acts(gone('Delete', ours)), ['delete']);
    assert.deepEqual(acts(gone('Retain', ours)), []);
    assert.deepEqual(acts(gone('Delete', theirs)), []);
  });
});

describe('any topics', () => {
  const name = fc.constantFrom('chat', 'audit', 'jobs');
  const config = fc.dictionary(
    fc.constantFrom('retention.ms', 'min.insync.replicas', 'segment.ms'),
    fc.constantFrom('1', '2'),
  );
  const wish = fc.record({
    name,
    partitions: fc.integer({ min: 1, max: 9 }),
    replicationFactor: fc.integer({ min: 1, max: 3 }),
    config,
  });
  const wishes = fc.uniqueArray(wish, { selector: (one) => one.name });
  const existing = fc.uniqueArray(
    fc.record({
      name: name.map((one) => `orders.${one}`),
      partitions: fc.integer({ min: 1, max: 9 }),
      replicationFactor: fc.integer({ min: 1, max: 3 }),
      config,
    }),
    { selector: (one) => one.name },
  );

  it('are settled after one round, and never shrink, and nothing foreign is deleted', () => {
    fc.assert(
      fc.property(wishes, existing, fc.constantFrom('Retain', 'Delete'), (asked, there, deletionPolicy) => {
        const first = planTopics(
          question({ wishes: asked, existing: there, deletionPolicy: deletionPolicy as 'Retain' }),
        );
        const before = new Map(there.map((one) => [one.name, one]));
        const after = perform(before, first.actions);
        for (const one of there) {
          assert.ok(after.has(one.name), 'status knew nothing, so nothing was ours to delete');
          assert.ok((after.get(one.name)?.partitions ?? 0) >= one.partitions);
        }
        const second = planTopics(
          question({
            wishes: asked,
            existing: [...after.values()],
            known: first.topics,
            deletionPolicy: deletionPolicy as 'Retain',
          }),
        );
        assert.deepEqual(second.actions, []);
        const third = planTopics(
          question({
            wishes: asked,
            existing: [...after.values()],
            known: second.topics,
            deletionPolicy: deletionPolicy as 'Retain',
          }),
        );
        assert.deepEqual(third.topics, second.topics, 'at steady state the status does not move');
      }),
    );
  });
});

describe('topics that cannot be looked at', () => {
  it('keep what was known of them', () => {
    const known: TopicStatus[] = [
      { name: 'orders.chat', state: 'Ready', owned: true, partitions: 6 },
      { name: 'orders.old', state: 'Deleting', owned: true },
    ];
    assert.deepEqual(unknownTopics('orders', [CHAT, { ...CHAT, name: 'new' }], known), [
      { name: 'orders.chat', state: 'Unknown', owned: true, partitions: 6 },
      { name: 'orders.new', state: 'Unknown' },
      { name: 'orders.old', state: 'Deleting', owned: true },
    ]);
  });
});

describe('two platforms that want one topic', () => {
  const mine = {
    namespace: 'a',
    name: 'orders',
    uid: '2',
    creationTimestamp: '2026-11-02T00:00:00Z',
    bootstrapServers: 'k1:9092,k2:9092',
    topics: ['chat'],
  };
  const older = {
    ...mine,
    namespace: 'b',
    uid: '1',
    creationTimestamp: '2026-11-01T00:00:00Z',
    bootstrapServers: 'k2:9092',
  };

  it('leave it to the older one', () => {
    assert.deepEqual([...claimedByOthers(mine, [mine, older])], [['orders.chat', 'b/orders']]);
    assert.equal(claimedByOthers(older, [mine, older]).size, 0);
  });

  it('do not meet in different Kafkas or under different names', () => {
    assert.equal(claimedByOthers(mine, [{ ...older, bootstrapServers: 'k9:9092' }]).size, 0);
    assert.equal(claimedByOthers(mine, [{ ...older, name: 'billing' }]).size, 0);
  });
});
