import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { styleOf } from './io.ts';
import type { PlatformPlan } from './plan-platform.ts';
import { hasChanges, planText, summarize, summaryLine } from './plan-text.ts';

const plain = styleOf({ colour: false });

const plan: PlatformPlan = {
  namespace: 'messaging',
  name: 'orders',
  objects: [
    {
      action: 'change',
      apiVersion: 'causeway.dev/v1alpha1',
      kind: 'MessagePlatform',
      name: 'orders',
      reason: 'the file differs from it',
      diff: '@@ -1,3 +1,3 @@\n spec:\n-  homeZone: zone-a\n+  homeZone: zone-b\n   redis: {}\n',
    },
    {
      action: 'create',
      apiVersion: 'v1',
      kind: 'Service',
      name: 'orders-redis',
      object: { apiVersion: 'v1', kind: 'Service' },
    },
    {
      action: 'create',
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      name: 'orders-gateway-zone-a',
      reason: 'waits for a Secret',
      object: {},
    },
    {
      action: 'delete',
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      name: 'orders-redis-zone-c',
      reason: 'it is no longer wanted',
    },
  ],
  topics: {
    source: 'kafka',
    changes: [
      {
        action: 'create',
        topic: 'orders.news',
        partitions: 1,
        replicationFactor: 3,
        config: { 'retention.ms': '86400000' },
      },
      { action: 'grow', topic: 'orders.chat', partitions: { from: 3, to: 6 } },
      {
        action: 'alter',
        topic: 'orders.chat',
        config: { 'retention.ms': { from: '5', to: null }, 'min.insync.replicas': { from: null, to: '2' } },
      },
      { action: 'delete', topic: 'orders.old' },
      {
        action: 'refuse',
        topic: 'orders.big',
        reason: 'FewerPartitions',
        message: 'Topic orders.big has 12.',
      },
    ],
  },
  problems: [
    {
      part: 'Gateways',
      reason: 'SecretNotFound',
      message: 'Secret messaging/orders-jwt does not exist. Create it with hmac or jwks.json.',
      needsPerson: true,
    },
  ],
  notes: ['To be issued: inner (NamesChanged).'],
};

const quiet: PlatformPlan = {
  namespace: 'messaging',
  name: 'orders',
  objects: [],
  topics: { source: 'kafka', changes: [] },
  problems: [],
  notes: [],
};

describe('a plan in text', () => {
  it('shows each change, what will not work, and what to know', () => {
    assert.equal(
      planText(plan, plain, false),
      `MessagePlatform messaging/orders

Objects:
  ~ MessagePlatform  orders  (the file differs from it)
      @@ -1,3 +1,3 @@
       spec:
      -  homeZone: zone-a
      +  homeZone: zone-b
         redis: {}
  + Service          orders-redis
  + Deployment       orders-gateway-zone-a  (waits for a Secret)
  - StatefulSet      orders-redis-zone-c

Topics:
  + orders.news  (1 partition, 3 replicas, retention.ms=86400000)
  ~ orders.chat  (partitions 3 → 6)
  ~ orders.chat  (retention.ms 5 → default, min.insync.replicas default → 2)
  - orders.old  (with all that is in it)
  ! orders.big  Topic orders.big has 12.

Will not work yet:
  ! Gateways: Secret messaging/orders-jwt does not exist. Create it with hmac or jwks.json.

Note:
  ! To be issued: inner (NamesChanged).
`,
    );
  });

  it('prints created objects, too, when asked for', () => {
    const [service] = plan.objects.slice(1, 2);
    const text = planText({ ...quiet, objects: service === undefined ? [] : [service] }, plain, true);
    assert.equal(
      text,
      `MessagePlatform messaging/orders

Objects:
  + Service  orders-redis
      +apiVersion: v1
      +kind: Service

Topics: as they should be.
`,
    );
  });

  it('is short when there is nothing to do', () => {
    assert.equal(
      planText(quiet, plain, false),
      `MessagePlatform messaging/orders

Objects: as they should be.

Topics: as they should be.
`,
    );
  });

  it('says when Kafka was not looked at', () => {
    const topics = {
      source: 'status' as const,
      note: 'Kafka was not asked (--no-kafka).',
      changes: [],
    };
    assert.match(
      planText({ ...quiet, topics }, plain, false),
      /^Topics \(Kafka was not looked at: compared with what the platform’s status says of them\): as they should be\.\n {2}! Kafka was not asked \(--no-kafka\)\.$/m,
    );
  });

  it('paints additions green, changes yellow and deletions red where colours are welcome', () => {
    const text = planText(plan, styleOf({ colour: true }), false);
    assert.ok(text.includes('\u001b[32m  + Service          orders-redis\u001b[39m'));
    assert.ok(text.includes('\u001b[31m      -  homeZone: zone-a\u001b[39m'));
    assert.ok(text.includes('\u001b[33m  ~ orders.chat  (partitions 3 → 6)\u001b[39m'));
  });
});

describe('the summary of a plan', () => {
  it('counts objects, and each topic once', () => {
    assert.equal(
      summaryLine(summarize([plan])),
      'Plan: 2 to create, 1 to change, 1 to delete; topics: 1 to create, 1 to change, 1 to delete, 1 refused.',
    );
    assert.equal(
      summaryLine(summarize([quiet])),
      'Plan: 0 to create, 0 to change, 0 to delete; topics: 0 to create, 0 to change, 0 to delete.',
    );
  });

  it('takes a refused topic for no change: nothing would be done about it', () => {
    const refused = plan.topics.changes.filter(({ action }) => action === 'refuse');
    assert.equal(hasChanges(summarize([{ ...quiet, topics: { source: 'kafka', changes: refused } }])), false);
    assert.equal(hasChanges(summarize([plan])), true);
  });
});
