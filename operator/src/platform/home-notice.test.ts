import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ANNOTATION, COMPONENT, LABEL } from '@causeway/crds';
import { KubeError, type ObjectRef } from '../controller/kube-api.ts';
import { keepHomeTold, planHomeNotices, tellHome } from './home-notice.ts';
import { ordersPlatform } from './testing/orders.ts';
import type { MessagePlatform } from './types.ts';
import type { Pod } from './workloads.ts';
import type { PlatformWorld } from './world.ts';

type Told = string | undefined;

function gateway(name: string, told?: Told, change: (pod: Pod) => void = () => undefined): Pod {
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      uid: `uid-${name}`,
      resourceVersion: '7',
      labels: { [LABEL.component]: COMPONENT.gateway },
      ...(told === undefined ? {} : { annotations: { [ANNOTATION.home]: told } }),
    },
  };
  change(pod);
  return pod;
}

function platformAt(epoch: number, homeZone = 'zone-b'): MessagePlatform {
  return ordersPlatform((platform) => {
    platform.status = { homeZone, epoch };
  });
}

describe('pods that are to be told of the home', () => {
  const due = (platform: MessagePlatform, ...pods: Pod[]): string[] =>
    planHomeNotices(platform, pods).map(({ metadata: { name } }) => name);

  it('are those that were told of another one, or nothing', () => {
    const pods = [gateway('new'), gateway('old', 'zone-a/4'), gateway('told', 'zone-b/5')];
    assert.deepEqual(due(platformAt(5), ...pods), ['new', 'old']);
    assert.deepEqual(due(platformAt(5, 'zone-a'), gateway('same epoch', 'zone-b/5')), ['same epoch']);
  });

  it('are none in the first epoch, but for one that was told otherwise', () => {
    assert.deepEqual(due(platformAt(1, 'zone-a'), gateway('new'), gateway('other', 'zone-b/5')), ['other']);
  });

  it('are gateways that stay, of platforms that replicate', () => {
    const redis = gateway('redis', undefined, ({ metadata }) => {
      metadata.labels = { [LABEL.component]: COMPONENT.redis };
    });
    const ends = gateway('ends', undefined, ({ metadata }) => {
      metadata.deletionTimestamp = '2026-11-26T12:00:00Z';
    });
    assert.deepEqual(due(platformAt(5), redis, ends), []);
    const alone = platformAt(5);
    delete alone.spec.etcd.prefixes;
    assert.deepEqual(due(alone, gateway('new')), []);
  });
});

describe('telling pods', () => {
  const conflict = new KubeError('changed', { code: 409, reason: 'Conflict' });
  const gone = new KubeError('not there', { code: 404, reason: 'NotFound' });
  const away = new KubeError('no', { code: 503, reason: 'ServiceUnavailable' });

  /** `fails`: what the API server answers to the patch of a pod. */
  function world({
    pods,
    stored,
    fails = {},
  }: {
    pods: Pod[];
    stored?: MessagePlatform;
    fails?: Record<string, KubeError>;
  }): { world: PlatformWorld; said: string[]; gets: () => number } {
    const said: string[] = [];
    let gets = 0;
    const kube = {
      get: async () => {
        gets += 1;
        return stored;
      },
      mergePatch: async (_: unknown, { name }: ObjectRef, { metadata }: { metadata: object }) => {
        said.push(`${name} ${JSON.stringify(metadata)}`);
        const failure = fails[name];
        if (failure !== undefined) throw failure;
      },
    };
    const cache = { ofPlatform: () => pods };
    return { world: { kube, cache } as unknown as PlatformWorld, said, gets: () => gets };
  }

  it('a failover tells each, whatever has changed of it; one that went is no error', async () => {
    const pods = [gateway('one'), gateway('two', 'zone-a/4'), gateway('told', 'zone-b/5')];
    const seen = world({ pods, fails: { one: gone } });
    await tellHome(seen.world, platformAt(5));
    assert.deepEqual(seen.said, [
      'one {"uid":"uid-one","annotations":{"causeway.dev/home":"zone-b/5"}}',
      'two {"uid":"uid-two","annotations":{"causeway.dev/home":"zone-b/5"}}',
    ]);
    const failing = world({ pods, fails: { one: away } });
    await assert.rejects(tellHome(failing.world, platformAt(5)), away);
    assert.equal(failing.said.length, 2);
  });

  it('the platform tells pods as it saw them: one that changed is left, and one that fails keeps no other', async () => {
    const pods = [gateway('one'), gateway('two'), gateway('three')];
    const seen = world({ pods, stored: platformAt(5), fails: { one: away, two: conflict } });
    assert.deepEqual(await keepHomeTold(seen.world, platformAt(5)), [away]);
    assert.equal(seen.said.length, 3);
    assert.match(seen.said[2] ?? '', /^three \{"uid":"uid-three","resourceVersion":"7",/);
  });

  it('the platform tells nobody of a home that was, and asks nothing when all are told', async () => {
    const later = world({ pods: [gateway('told', 'zone-c/6')], stored: platformAt(6, 'zone-c') });
    assert.deepEqual(await keepHomeTold(later.world, platformAt(5)), []);
    assert.deepEqual(later.said, []);
    const steady = world({ pods: [gateway('told', 'zone-b/5')], stored: platformAt(5) });
    assert.deepEqual(await keepHomeTold(steady.world, platformAt(5)), []);
    assert.deepEqual([steady.said, steady.gets()], [[], 0]);
  });
});
