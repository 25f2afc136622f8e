/** Each of these acts is one that the operator must never do: the simulation must notice it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SECRET_KEY } from '@causeway/crds';
import { encodeSecret } from '../certificates/index.ts';
import type { KubeObject } from '../controller/kube-api.ts';
import { KIND } from '../platform/kinds.ts';
import { redisHost } from '../platform/redis.ts';
import type { MessagePlatform } from '../platform/types.ts';
import { checkOwnDeletion } from './invariants.ts';
import { simIssuer } from './sim-issuer.ts';
import { differences, withoutVersions } from './state.ts';
import { createPlatform, emptyWorld, NAMESPACE, type World } from './world.ts';

function worldWith(change?: (spec: MessagePlatform['spec']) => void): World {
  const world = emptyWorld();
  createPlatform(world, change);
  return world;
}

function noticed(world: World, text: RegExp): void {
  assert.match(world.violations.join('\n'), text);
}

async function storeAuthority(world: World): Promise<void> {
  const { name, uid = '' } = world.platform?.metadata ?? { name: '' };
  const issuer = simIssuer(world.time, Math.floor(Math.random() * 1e6));
  const validity = { notBefore: world.time.now, notAfter: world.time.now + 86_400_000 };
  const { certificate } = await issuer.authority({ commonName: 'x', ...validity });
  const owner = { apiVersion: 'causeway.dev/v1alpha1', kind: 'MessagePlatform', name, uid, controller: true };
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace: NAMESPACE, name: `${name}-ca`, ownerReferences: [owner] },
    data: encodeSecret({ [SECRET_KEY.ca]: certificate }),
  };
  world.kube.apply(KIND.secret, secret, { manager: 'causeway' });
}

describe('the simulation notices', () => {
  it('a second authority', async () => {
    const world = worldWith();
    await storeAuthority(world);
    assert.deepEqual(world.violations, []);
    await storeAuthority(world);
    noticed(world, /authority number 2/);
  });

  it('a topic that is made before status says so', () => {
    const world = worldWith();
    world.kafka.perform({
      act: 'create',
      topic: 'orders.chat',
      partitions: 6,
      replicationFactor: 3,
      config: {},
    });
    noticed(world, /made before status said so/);
  });

  it('the deletion of a topic that is to be kept, or is not ours', () => {
    const kept = worldWith();
    kept.kafka.perform({ act: 'delete', topic: 'orders.old' });
    noticed(kept, /although the policy is Retain/);
    const foreign = worldWith((spec) => {
      spec.kafka.deletionPolicy = 'Delete';
    });
    foreign.kafka.put({
      name: 'orders.old',
      partitions: 1,
      replicationFactor: 1,
      config: {},
      madeBy: 'others',
    });
    foreign.kafka.perform({ act: 'delete', topic: 'orders.old' });
    noticed(foreign, /not made by the operator/);
  });

  it('a topic that is to shrink', () => {
    const world = worldWith();
    world.kafka.put({
      name: 'orders.chat',
      partitions: 6,
      replicationFactor: 3,
      config: {},
      madeBy: 'operator',
    });
    assert.throws(() => world.kafka.perform({ act: 'grow', topic: 'orders.chat', partitions: 3 }));
    noticed(world, /was to shrink from 6 to 3/);
  });

  it('two Redis that are told to be primary in one epoch', () => {
    const world = worldWith();
    for (const zone of ['zone-a', 'zone-b']) {
      const host = redisHost(world.platform as MessagePlatform, zone);
      world.redis.start(host, '', { certificate: undefined });
      world.redis.act(host, { act: 'promote', zone }, undefined);
    }
    noticed(world, /orders-redis-zone-b\S* was promoted in the epoch in which orders-redis-zone-a\S* was/);
  });

  it('a platform that goes and leaves its topics behind', () => {
    const world = worldWith((spec) => {
      spec.kafka.deletionPolicy = 'Delete';
    });
    const topic = {
      name: 'orders.chat',
      partitions: 6,
      replicationFactor: 3,
      config: {},
      madeBy: 'operator',
    } as const;
    world.kafka.put(topic);
    const status = { topics: [{ name: topic.name, owned: true }] };
    const ref = { namespace: NAMESPACE, name: 'orders' };
    world.kube.edit(KIND.platform, ref, (object) => ({ ...object, status }), {
      manager: 'x',
      subresource: 'status',
    });
    world.kube.delete(KIND.platform, ref);
    noticed(world, /went, and left topics: orders\.chat/);
  });

  it('the deletion of an object that is not the platform’s', () => {
    const foreign: KubeObject = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'mine' } };
    assert.match(checkOwnDeletion(foreign) ?? '', /Secret mine was deleted, and is not the platform's/);
    assert.equal(checkOwnDeletion(undefined), undefined);
  });

  it('every difference of two states', () => {
    const expected = new Map<string, unknown>([
      ['Service a', { spec: { port: 1 } }],
      ['Service b', {}],
    ]);
    const actual = new Map<string, unknown>([
      ['Service a', { spec: { port: 2 } }],
      ['Service c', {}],
    ]);
    assert.deepEqual(differences(expected, actual), [
      'Service a.spec.port: expected 1, got 2',
      'Service b is missing',
      'Service c should not be there',
    ]);
  });

  it('no difference between two numbers of the served certificate, when asked not to', () => {
    const withVersion = (n: number): Map<string, unknown> =>
      new Map([['Secret orders-tls', { data: { current: String(n), [`tls-${n}.crt`]: { keyFits: true } } }]]);
    assert.notDeepEqual(differences(withVersion(1), withVersion(2)), []);
    assert.deepEqual(differences(withoutVersions(withVersion(1)), withoutVersions(withVersion(2))), []);
  });
});
