import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ReplicationState } from '@causeway/crds';
import type { KubeObject } from '../controller/index.ts';
import { planRedisGuard, planRedisReloads, planRedisRoles, reloadCommand, type RedisState } from './redis.ts';
import { replicationProblems } from './replication-look.ts';
import { announcements, platformStatus, type StatusInput } from './status.ts';
import { ordersPlatform } from './testing/orders.ts';
import type { MessagePlatform, Problem } from './types.ts';
import { podProblems, readiness, zoneFacts, zoneProblems, type Pod, type ZoneFacts } from './workloads.ts';

const NOW = Date.parse('2026-11-23T12:00:00Z');
const HOST = 'orders-redis-zone-a.messaging.svc';
const READY = { exists: true, desired: 2, ready: 2, settled: true };
const ONE = { exists: true, desired: 1, ready: 1, settled: true };

function zone(name: string, over: Partial<ZoneFacts> = {}): ZoneFacts {
  return { name, nodes: 1, gateways: READY, redis: ONE, etcd: ONE, replicator: ONE, ...over };
}

function input(over: Partial<StatusInput> = {}): StatusInput {
  const follower: RedisState = { role: 'replica', primaryHost: HOST, inSync: true };
  return {
    platform: ordersPlatform(),
    zones: [zone('zone-a'), zone('zone-b'), zone('zone-c')],
    redis: new Map([
      ['zone-a', { role: 'primary' }],
      ['zone-b', follower],
      ['zone-c', follower],
    ]),
    replication: new Map(),
    topics: [{ name: 'orders.chat', state: 'Ready', owned: true }],
    certificates: { version: 1, notAfter: '2027-02-21T12:00:00Z' },
    problems: [],
    paused: false,
    now: NOW,
    ...over,
  };
}

function conditions(over: Partial<StatusInput> = {}): Record<string, string> {
  const { conditions: list = [] } = platformStatus(input(over));
  return Object.fromEntries(list.map(({ type, status, reason }) => [type, `${status} ${reason}`]));
}

function message(type: string, over: Partial<StatusInput>): string {
  return platformStatus(input(over)).conditions?.find((one) => one.type === type)?.message ?? '';
}

const STUCK: Problem = {
  part: 'Topics',
  reason: 'FewerPartitions',
  message: 'Set partitions to 12 or more.',
  needsPerson: true,
};

describe('the status of a platform', () => {
  it('is Ready when every part works', () => {
    assert.deepEqual(conditions(), {
      Ready: 'True AllPartsReady',
      Reconciling: 'False Settled',
      Stalled: 'False NotStalled',
      CertificatesReady: 'True AsDesired',
      TopicsReady: 'True AsDesired',
      RedisReady: 'True AsDesired',
      EtcdReady: 'True AsDesired',
      ReplicationReady: 'True AsDesired',
      GatewaysReady: 'True AsDesired',
    });
    const status = platformStatus(input());
    assert.equal(status.gateways?.summary, '6/6');
    assert.equal(status.topicsSummary, '1/1');
    assert.deepEqual(
      status.zones?.map(({ redis, replicator }) => [redis, replicator]),
      [
        ['Primary', 'None'],
        ['Replica', 'Ready'],
        ['Replica', 'Ready'],
      ],
    );
  });

  it('does not move while nothing happens', () => {
    const first = platformStatus(input());
    const platform = { ...ordersPlatform(), status: first };
    assert.deepEqual(platformStatus(input({ platform, now: NOW + 3_600_000 })), first);
  });

  it('is never healthy while a part is not', () => {
    const zones = [
      zone('zone-a'),
      zone('zone-b', { gateways: { ...READY, ready: 1, settled: false } }),
      zone('zone-c'),
    ];
    assert.equal(conditions({ zones })['Ready'], 'False Progressing');
    assert.equal(conditions({ zones })['Reconciling'], 'True Progressing');
    assert.match(message('Ready', { zones }), /Gateways: Waiting for gateway pods: zone-b 1\/2 ready/);
  });

  it('is Stalled by what only a person can solve, and says what to do', () => {
    assert.equal(conditions({ problems: [STUCK] })['Stalled'], 'True FewerPartitions');
    assert.equal(conditions({ problems: [STUCK] })['Ready'], 'False FewerPartitions');
    assert.match(message('TopicsReady', { problems: [STUCK] }), /Set partitions to 12 or more/);
  });

  it('waits, and is not Stalled, for what passes by itself', () => {
    const problems = [{ ...STUCK, reason: 'KafkaUnreachable', needsPerson: false }];
    assert.equal(conditions({ problems })['Stalled'], 'False NotStalled');
    assert.equal(conditions({ problems })['Reconciling'], 'True Progressing');
    assert.equal(conditions({ problems })['TopicsReady'], 'False KafkaUnreachable');
  });

  it('tells a Redis that does not follow', () => {
    const redis = new Map<string, RedisState>([
      ['zone-a', { role: 'primary' }],
      ['zone-b', { role: 'replica', inSync: false }],
    ]);
    assert.match(message('RedisReady', { redis }), /zone-b is Syncing, zone-c is NotReady/);
  });

  it('says Paused only while paused', () => {
    const platform: MessagePlatform = {
      ...ordersPlatform(),
      status: platformStatus(input({ paused: true })),
    };
    assert.equal(conditions({ paused: true })['Paused'], 'True PausedByAnnotation');
    assert.equal(conditions({ platform })['Paused'], undefined);
  });

  it('carries its own generation in each condition', () => {
    const platform = ordersPlatform(({ metadata }) => (metadata.generation = 7));
    const status = platformStatus(input({ platform }));
    assert.equal(status.observedGeneration, 7);
    assert.deepEqual([...new Set(status.conditions?.map((one) => one.observedGeneration))], [7]);
  });
});

describe('what people are told', () => {
  const told = (before: Partial<StatusInput> | undefined, after: Partial<StatusInput>): string[] =>
    announcements(
      before === undefined ? undefined : platformStatus(input(before)),
      platformStatus(input(after)),
    ).map(({ type, reason, warning }) => `${type} ${reason}${warning ? '!' : ''}`);
  const waiting = { zones: [zone('zone-a', { gateways: { ...READY, ready: 0, settled: false } })] };

  it('is nothing while parts come up at first, and then that it is Ready', () => {
    assert.deepEqual(told(undefined, waiting), []);
    assert.deepEqual(told(waiting, {}), ['Ready AllPartsReady']);
    assert.deepEqual(told({}, {}), []);
  });

  it('is each trouble, and its end', () => {
    assert.deepEqual(told({}, { problems: [STUCK] }), [
      'Ready FewerPartitions',
      'TopicsReady FewerPartitions!',
    ]);
    assert.deepEqual(told({ problems: [STUCK] }, {}), ['Ready AllPartsReady', 'TopicsReady AsDesired']);
  });
});

describe('a workload', () => {
  const deployment = (status: object, generation = 2): KubeObject =>
    ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'x', generation },
      spec: { replicas: 2 },
      status,
    }) as KubeObject;

  it('is settled only when every pod is new and ready and its controller has seen the latest', () => {
    const good = { observedGeneration: 2, replicas: 2, updatedReplicas: 2, readyReplicas: 2 };
    assert.equal(readiness(deployment(good)).settled, true);
    assert.equal(readiness(deployment({ ...good, observedGeneration: 1 })).settled, false);
    assert.equal(readiness(deployment({ ...good, updatedReplicas: 1 })).settled, false);
    assert.equal(readiness(deployment({ ...good, replicas: 3 })).settled, false);
    assert.equal(readiness(undefined).exists, false);
  });
});

describe('zones and pods', () => {
  const node = (name: string, ready: string): KubeObject =>
    ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels: { 'topology.kubernetes.io/zone': name } },
      status: { conditions: [{ type: 'Ready', status: ready }] },
    }) as KubeObject;
  const pod = (name: string, component: string, status: Pod['status']): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { 'causeway.dev/component': component } },
    ...(status === undefined ? {} : { status }),
  });

  it('count only ready nodes', () => {
    const facts = zoneFacts(ordersPlatform(), [], [node('zone-a', 'True'), node('zone-b', 'False')]);
    assert.deepEqual(
      facts.map(({ name, nodes }) => [name, nodes]),
      [
        ['zone-a', 1],
        ['zone-b', 0],
        ['zone-c', 0],
      ],
    );
  });

  it('that no node is in are told', () => {
    assert.match(
      zoneProblems(ordersPlatform(), [node('zone-a', 'True')])[0]?.message ?? '',
      /zone=zone-b or zone-c\. Add nodes there/,
    );
    assert.deepEqual(
      zoneProblems(
        ordersPlatform(),
        ['zone-a', 'zone-b', 'zone-c'].map((name) => node(name, 'False')),
      ),
      [],
    );
  });

  it('say why they do not come up, once for each cause', () => {
    const unschedulable = {
      conditions: [
        {
          type: 'PodScheduled',
          status: 'False',
          reason: 'Unschedulable',
          message: '0/3 nodes: Insufficient cpu',
        },
      ],
    };
    const pulling = {
      containerStatuses: [{ state: { waiting: { reason: 'ImagePullBackOff', message: 'no such image' } } }],
    };
    const starting = { containerStatuses: [{ state: { waiting: { reason: 'ContainerCreating' } } }] };
    const problems = podProblems([
      pod('g-2', 'gateway', unschedulable),
      pod('g-1', 'gateway', unschedulable),
      pod('r-1', 'redis', pulling),
      pod('e-1', 'etcd', starting),
    ]);
    assert.deepEqual(
      problems.map(({ part, reason, message: text }) => [part, reason, text]),
      [
        ['Gateways', 'Unschedulable', 'Pod g-1: 0/3 nodes: Insufficient cpu'],
        ['Redis', 'ImagePullBackOff', 'Pod r-1: no such image'],
      ],
    );
  });
});

describe('the roles of Redis', () => {
  const follower: RedisState = { role: 'replica', primaryHost: HOST, inSync: true };
  const plan = (states: [string, RedisState][]): string[] =>
    planRedisRoles(ordersPlatform(), new Map(states)).map(({ zone: name, act }) => `${name} ${act}`);

  it('with another certificate than the Secret has is told to read it anew', () => {
    const states = new Map<string, RedisState>([
      ['zone-a', { role: 'primary', certificate: 'old' }],
      ['zone-b', { ...follower, certificate: 'new' }],
      ['zone-c', follower],
    ]);
    assert.deepEqual(planRedisReloads('new', states), [{ zone: 'zone-a', act: 'reload' }]);
    assert.deepEqual(planRedisReloads(undefined, states), []);
    assert.deepEqual(reloadCommand(), [
      'CONFIG',
      'SET',
      'tls-cert-file',
      '/etc/causeway/internal/tls.crt',
      'tls-key-file',
      '/etc/causeway/internal/tls.key',
      'tls-ca-cert-file',
      '/etc/causeway/internal/ca.crt',
    ]);
  });

  it('are left alone when they are right', () => {
    assert.deepEqual(
      plan([
        ['zone-a', { role: 'primary' }],
        ['zone-b', follower],
        ['zone-c', follower],
      ]),
      [],
    );
  });

  it('are right by the name of the home, and by its address for as long as it has it', () => {
    const states = new Map<string, RedisState>([
      ['zone-a', { role: 'primary' }],
      ['zone-b', { ...follower, primaryHost: '10.1.0.7' }],
      ['zone-c', { role: 'replica', inSync: false }],
    ]);
    const told = (homeAddress?: string): string[] =>
      planRedisRoles(ordersPlatform(), states, homeAddress).map((action) => JSON.stringify(action));
    const follow = (name: string): string =>
      JSON.stringify({ zone: name, act: 'follow', host: HOST, port: 6379 });
    assert.deepEqual(told('10.1.0.7'), [follow('zone-c')]);
    assert.deepEqual(told('10.1.0.8'), [follow('zone-b'), follow('zone-c')]);
    assert.deepEqual(told(), [follow('zone-b'), follow('zone-c')]);
  });

  it('begin with the home zone: nobody follows one that is no primary yet', () => {
    assert.deepEqual(
      plan([
        ['zone-a', follower],
        ['zone-b', { role: 'primary' }],
      ]),
      ['zone-a promote'],
    );
    assert.deepEqual(
      plan([
        ['zone-a', { role: 'primary' }],
        ['zone-b', { role: 'primary' }],
        ['zone-c', { ...follower, primaryHost: 'elsewhere' }],
      ]),
      ['zone-b follow', 'zone-c follow'],
    );
  });

  describe('end with a guard of the primary', () => {
    type Change = Parameters<typeof ordersPlatform>[0];
    const guard = (home: Partial<RedisState>, others: readonly string[], change?: Change): string[] => {
      const states = new Map<string, RedisState>([
        ['zone-a', { role: 'primary', ...home }],
        ...others.map((other) => [other, follower] as const),
      ]);
      return planRedisGuard(ordersPlatform(change), states).map(({ zone: name, act }) => `${name} ${act}`);
    };
    const two: Change = (platform) => void platform.spec.zones.pop();

    it('once it hears a replica: the zone that is left is enough', () => {
      assert.deepEqual(guard({ heard: 2 }, ['zone-b', 'zone-c']), ['zone-a guard']);
      assert.deepEqual(guard({ heard: 1 }, ['zone-c']), ['zone-a guard']);
      assert.deepEqual(guard({}, ['zone-b', 'zone-c']), []);
      assert.deepEqual(guard({ heard: 2, fenced: true }, ['zone-b', 'zone-c']), []);
      assert.deepEqual(guard({ heard: 1, guarded: true }, ['zone-c']), []);
    });

    it('that is taken off when nobody else is left, and not while one answers that does not follow', () => {
      assert.deepEqual(guard({ guarded: true }, []), ['zone-a promote']);
      assert.deepEqual(guard({ guarded: true }, ['zone-c']), []);
      assert.deepEqual(guard({ guarded: true, heard: 1 }, []), [], 'only we do not see it');
    });

    it('not in a platform of two zones', () => {
      assert.deepEqual(guard({ heard: 1 }, ['zone-b'], two), []);
      assert.deepEqual(guard({ heard: 1, guarded: true }, ['zone-b'], two), ['zone-a promote']);
    });
  });

  it('takes writes again, when a fence was left behind in the home zone', () => {
    assert.deepEqual(plan([['zone-a', { role: 'primary', fenced: true }]]), ['zone-a promote']);
  });

  it('do not change while the home zone cannot be seen', () => {
    assert.deepEqual(plan([['zone-b', { role: 'primary' }]]), []);
  });
});

describe('the condition ReplicationReady', () => {
  const following = (over: Partial<ReplicationState> = {}): ReplicationState => ({
    phase: 'Following',
    reason: '',
    epoch: 3,
    lagRevisions: 0,
    lagSeconds: 0,
    ...over,
  });
  const seen = (over: Record<string, Partial<ReplicationState>>): Partial<StatusInput> => {
    const replication = new Map(Object.entries(over).map(([name, state]) => [name, following(state)]));
    return { replication, problems: replicationProblems(replication) };
  };
  const both = (over: Record<string, Partial<ReplicationState>>): [string | undefined, string] => [
    conditions(seen(over))['ReplicationReady'],
    message('ReplicationReady', seen(over)),
  ];

  it('says whom the zones follow, and under which epoch', () => {
    assert.deepEqual(both({ 'zone-b': {}, 'zone-c': {} }), [
      'True AsDesired',
      'Every zone follows zone-a (epoch 3).',
    ]);
    assert.deepEqual(both({}), ['True AsDesired', 'Every zone follows zone-a.']);
  });

  it('tells a lag in steps, so that it is not written each second', () => {
    const text = 'Every zone follows zone-a (epoch 3). zone-c is more than 5 seconds behind.';
    assert.deepEqual(both({ 'zone-b': { lagSeconds: 4.9 }, 'zone-c': { lagSeconds: 6 } }), [
      'True AsDesired',
      text,
    ]);
    assert.deepEqual(both({ 'zone-b': {}, 'zone-c': { lagSeconds: 59 } })[1], text);
  });

  it('is False once replication stands still, with why', () => {
    const reason = 'connect ECONNREFUSED';
    assert.deepEqual(both({ 'zone-b': { phase: 'Connecting', reason, lagSeconds: 61 } }), [
      'False ReplicationStalled',
      'zone-b is more than a minute behind: connect ECONNREFUSED.',
    ]);
    assert.match(both({ 'zone-b': { lagSeconds: 4000 } })[1], /more than an hour behind\.$/);
    const fenced = { phase: 'Fenced', reason: 'fenced: the target is at epoch 4' } as const;
    assert.match(
      both({ 'zone-b': fenced }).join(),
      /^False ReplicationFenced,zone-b is not replicated to: fenced/,
    );
  });

  it('waits for a person when only one can help', () => {
    const blocked = seen({ 'zone-b': { phase: 'Blocked', reason: 'the source has no key' } });
    assert.equal(conditions(blocked)['Stalled'], 'True ReplicationBlocked');
  });

  it('what an old home keeps aside is told, once, and does not make it unready', () => {
    const orphans = [
      { epoch: 2, zone: 'zone-c', since: '40', keys: 3, deletions: 1, at: '2026-11-23T11:00:00Z' },
    ];
    const before = platformStatus(input(seen({ 'zone-b': {}, 'zone-c': {} })));
    const platform = { ...ordersPlatform(), status: before };
    const after = platformStatus({
      ...input({ platform }),
      ...seen({ 'zone-b': {}, 'zone-c': { orphans } }),
    });
    const condition = after.conditions?.find(({ type }) => type === 'ReplicationReady');
    assert.deepEqual([condition?.status, condition?.reason], ['True', 'KeysKeptAside']);
    assert.match(
      condition?.message ?? '',
      /zone-c has 3 keys that it wrote as home of epoch 2 and no other zone has/,
    );
    assert.deepEqual(
      announcements(before, after).map(({ reason, warning }) => [reason, warning]),
      [['KeysKeptAside', true]],
    );
    assert.deepEqual(announcements(after, after), []);
    assert.equal(after.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
  });
});
