/** Troubles that last, one at a time: what the operator says, what it goes on with, and what it leaves alone. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ANNOTATION, objectName } from '@causeway/crds';
import { KubeError, type KubeObject } from '../controller/kube-api.ts';
import { KafkaFailure } from '../platform/kafka.ts';
import { KIND } from '../platform/kinds.ts';
import { reference } from './check.ts';
import { calm, type Call, type FaultPlan } from './network.ts';
import { isGone, isReady, scenarioNamed } from './scenarios.ts';
import { differences, finalState } from './state.ts';
import { createPlatform, editPlatform, emptyWorld, NAMESPACE, PLATFORM, type World } from './world.ts';

const USER = { manager: 'kubectl' };

/** Refuses what `applies` says, and answers all else. */
function refusing(applies: (call: Call) => boolean, error: Error): FaultPlan {
  return (call) => (applies(call) ? { kind: 'refused', afterMs: 5, error } : calm(call));
}

async function pass(world: World, seconds: number): Promise<void> {
  await world.time.run(() => false, world.time.now + seconds * 1000);
}

async function until(world: World, what: string, done: () => boolean): Promise<void> {
  assert.ok(await world.time.run(done, world.time.now + 600_000), `${what}: not within ten minutes`);
}

function condition(
  world: World,
  type: string,
): { status: string; reason: string; message: string } | undefined {
  return world.platform?.status?.conditions?.find((each) => each.type === type);
}

describe('when Secrets are refused', () => {
  it('it says so, makes the rest, does not write without end, and is ready once they are allowed', async () => {
    const expected = await reference(scenarioNamed('create'));
    const quota = new KubeError('exceeded quota: secrets', { code: 403, reason: 'Forbidden' });
    const world = emptyWorld({
      plan: refusing((call) => call.mutates && call.what.startsWith('Secret '), quota),
    });
    world.startOperator();
    createPlatform(world);
    await pass(world, 10);
    assert.equal(condition(world, 'CertificatesReady')?.reason, 'Forbidden');
    assert.match(
      condition(world, 'CertificatesReady')?.message ?? '',
      /orders-ca was refused .*exceeded quota/,
    );
    assert.equal(
      world.platform?.status?.certificates,
      undefined,
      'a certificate that is not stored does not exist',
    );
    assert.ok(
      world.kube.get(KIND.deployment, {
        namespace: NAMESPACE,
        name: objectName.zoneGateway('orders', 'zone-a'),
      }),
    );
    const before = world.network.writes;
    await pass(world, 20);
    // A try every two seconds, and nothing else.
    assert.ok(world.network.writes - before <= 20, `${world.network.writes - before} writes in 20 seconds`);
    world.network.setPlan(calm);
    await until(world, 'ready', () => isReady(world));
    await pass(world, 60);
    assert.deepEqual(differences(expected.state, finalState(world)), []);
    assert.deepEqual(world.violations, []);
  });
});

describe('a platform that is paused from the start', () => {
  it('gets nothing but a status that says so, once', async () => {
    const world = emptyWorld();
    world.startOperator();
    createPlatform(world);
    const annotations = { [ANNOTATION.paused]: 'true' };
    world.kube.patch(KIND.platform, PLATFORM, { metadata: { annotations } }, USER);
    await pass(world, 300);
    assert.equal(condition(world, 'Paused')?.status, 'True');
    const owned = world.kube.all().filter(({ object }) => (object.metadata.ownerReferences ?? []).length > 0);
    assert.deepEqual(owned, []);
    assert.deepEqual([...world.kafka.snapshot().keys()], []);
    assert.ok(world.network.mutations <= 2, `${world.network.mutations} writes`);
  });
});

describe('fields of others', () => {
  it('are left alone: labels, annotations, and the replicas when an autoscaler owns them', async () => {
    const world = emptyWorld();
    createPlatform(world, (spec) => {
      delete spec.gateway.replicasPerZone;
    });
    world.startOperator();
    await until(world, 'ready', () => isReady(world));
    const ref = { namespace: NAMESPACE, name: objectName.zoneGateway('orders', 'zone-a') };
    const mine = { labels: { team: 'a' }, annotations: { note: 'b' } };
    world.kube.patch(
      KIND.deployment,
      ref,
      { metadata: mine, spec: { replicas: 4 } },
      { manager: 'autoscaler' },
    );
    const writes = world.network.mutations;
    await pass(world, 300);
    const deployment = world.kube.get(KIND.deployment, ref) as KubeObject & { spec: { replicas: number } };
    assert.equal(deployment.spec.replicas, 4);
    assert.equal(deployment.metadata.labels?.['team'], 'a');
    assert.equal(deployment.metadata.annotations?.['note'], 'b');
    // The status tells of the new pods; nothing else is written.
    assert.ok(world.network.mutations - writes <= 4, `${world.network.mutations - writes} writes`);
    editPlatform(world, (spec) => {
      spec.gateway.limits.burst = 7;
    });
    await until(world, 'ready again', () => isReady(world));
    const after = world.kube.get(KIND.deployment, ref) as KubeObject & { spec: { replicas: number } };
    assert.equal(after.spec.replicas, 4);
    assert.equal(after.metadata.labels?.['team'], 'a');
  });
});

describe('when Kafka is away for good', () => {
  it('a deletion waits and says what is left, and a person can give up on it', async () => {
    const world = emptyWorld();
    createPlatform(world, (spec) => {
      spec.kafka.deletionPolicy = 'Delete';
    });
    world.startOperator();
    await until(world, 'ready', () => isReady(world));
    const away = new KafkaFailure(
      'KafkaUnreachable',
      'Kafka at kafka.kafka:9092 cannot be reached: it is away.',
    );
    world.network.setPlan(refusing((call) => call.target === 'kafka', away));
    world.kube.delete(KIND.platform, PLATFORM);
    await pass(world, 120);
    assert.match(
      condition(world, 'Stalled')?.message ?? '',
      /Deletion waits for topics orders\.chat.*abandon-topics=true/,
    );
    const writes = world.network.writes;
    await pass(world, 120);
    assert.equal(world.network.writes, writes, 'it waits without a word');
    const annotations = { [ANNOTATION.abandonTopics]: 'true' };
    world.kube.patch(KIND.platform, PLATFORM, { metadata: { annotations } }, USER);
    await until(world, 'gone', () => isGone(world));
    assert.deepEqual(
      [...world.kafka.snapshot().keys()],
      ['orders.chat'],
      'the topic is left, as was asked for',
    );
  });
});

describe('a topic that is there before the platform', () => {
  it('is used, and never deleted', async () => {
    const world = emptyWorld();
    const topic = {
      name: 'orders.chat',
      partitions: 6,
      replicationFactor: 3,
      config: {},
      madeBy: 'others',
    } as const;
    world.kafka.put(topic);
    createPlatform(world, (spec) => {
      spec.kafka.deletionPolicy = 'Delete';
    });
    world.startOperator();
    await until(world, 'ready', () => isReady(world));
    world.kube.delete(KIND.platform, PLATFORM);
    await until(world, 'gone', () => isGone(world));
    assert.deepEqual([...world.kafka.snapshot().keys()], ['orders.chat']);
    assert.deepEqual(world.violations, []);
  });
});

describe('when Kafka shows a new topic only after a while', () => {
  for (const ms of [1, 3, 5, 7, 100, 5_000]) {
    it(`the topic is still known to be ours, after ${ms} ms`, async () => {
      const world = emptyWorld();
      world.kafka.showsAfter(world.time, ms);
      createPlatform(world, (spec) => {
        spec.kafka.deletionPolicy = 'Delete';
      });
      world.startOperator();
      await until(world, 'ready', () => isReady(world));
      assert.equal(world.platform?.status?.topics?.[0]?.owned, true);
    });
  }

  it('a topic that somebody else made just before us is never taken for ours', async () => {
    const world = emptyWorld();
    world.kafka.showsAfter(world.time, 5_000);
    createPlatform(world, (spec) => {
      spec.kafka.deletionPolicy = 'Delete';
    });
    world.kafka.put({
      name: 'orders.chat',
      partitions: 6,
      replicationFactor: 3,
      config: {},
      madeBy: 'others',
    });
    world.startOperator();
    await until(world, 'ready', () => isReady(world));
    assert.equal(world.platform?.status?.topics?.[0]?.owned, false);
  });
});
