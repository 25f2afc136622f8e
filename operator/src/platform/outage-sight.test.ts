import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { COMPONENT, LABEL, type ZoneView } from '@causeway/crds';
import { SilenceMemory } from './failover-memory.ts';
import type { FailoverPlatformWorld } from './failover-sight.ts';
import { automaticPorts } from './outage-sight.ts';
import { ordersPlatform } from './testing/orders.ts';

const ZONES = ['zone-a', 'zone-b', 'zone-c'];
const platform = ordersPlatform((of) => {
  of.spec.redis = { external: { host: 'redis', port: 6379 } } as unknown as typeof of.spec.redis;
  of.spec.etcd = { external: { endpoints: [] } } as unknown as typeof of.spec.etcd;
});
const pods = ZONES.map((zone) => ({
  metadata: { name: zone, labels: { [LABEL.component]: COMPONENT.gateway, [LABEL.zone]: zone } },
  status: { podIP: zone },
}));

/** A world in which zone-a has been silent since `goneAt`, and nobody else; the clock goes on when the silent are waited for. */
function worldOf(goneAt: number): { world: FailoverPlatformWorld; time: { now: number } } {
  const time = { now: goneAt };
  const view = (zone: string): ZoneView => {
    const seen = ZONES.filter((name) => name !== zone).map((name) => {
      const unreachableMs = name === 'zone-a' ? time.now - goneAt : 0;
      return { zone: name, reachable: unreachableMs === 0 ? 1 : 0, total: 1, unreachableMs };
    });
    return { zone, seen };
  };
  const world = {
    cache: { all: () => [], get: () => undefined, ofPlatform: () => pods, hasSeenOurWrites: () => true },
    clock: {
      now: () => time.now,
      sleep: async (ms: number, signal: AbortSignal) => {
        await new Promise((done) => setImmediate(done));
        if (!signal.aborted) time.now += ms;
      },
    },
    kube: { get: async () => undefined },
    gateways: {
      zones: (host: string) =>
        host === 'zone-a' ? new Promise(() => undefined) : Promise.resolve(view(host)),
    },
  } as unknown as FailoverPlatformWorld;
  return { world, time };
}

describe('a look at the zones', () => {
  it('hears what others say of a silent zone when that has been waited for: it is not a second old', async () => {
    const { world, time } = worldOf(1_000);
    time.now += 4_000;
    const { views, zones } = await automaticPorts(world, new SilenceMemory()).look(platform, ['zone-a']);
    const missed = views.flatMap(({ seen }) => seen.filter(({ zone }) => zone === 'zone-a'));
    assert.equal(time.now, 6_000, 'it took a second');
    assert.deepEqual(
      missed.map(({ unreachableMs }) => unreachableMs),
      [5_000, 5_000],
    );
    assert.deepEqual(
      zones.map(({ name, answers }) => [name, answers]),
      [
        ['zone-a', false],
        ['zone-b', true],
        ['zone-c', true],
      ],
    );
  });

  it('notes that a suspect said nothing, so that what follows need not wait for it again', async () => {
    const { world } = worldOf(0);
    const silence = new SilenceMemory();
    await automaticPorts(world, silence).look(platform, ['zone-a', 'zone-b']);
    assert.deepEqual(
      ZONES.map((zone) => silence.wasSilent(platform, zone)),
      [true, false, false],
    );
  });
});
