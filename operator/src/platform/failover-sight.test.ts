import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  COMPONENT,
  LABEL,
  type DrainState,
  type ReplicationCheckpoint,
  type ReplicationState,
} from '@causeway/crds';
import type { EtcdState } from './etcd-admin.ts';
import { FenceMemory, SilenceMemory } from './failover-memory.ts';
import { etcdSight, lookForFailover, type FailoverPlatformWorld } from './failover-sight.ts';
import { gatewayReplicas } from './gateway.ts';
import { ordersPlatform } from './testing/orders.ts';

type Seen = Parameters<typeof etcdSight>[1];

const home: EtcdState = { reachable: true, epoch: 1, revision: '100' };
const follower: EtcdState = {
  reachable: true,
  epoch: 1,
  revision: '900',
  checkpoint: { sourceClusterId: '1', homeZone: 'zone-a', revision: '90', epoch: 1, prefixes: [] },
};
const report: ReplicationState = { phase: 'Following', reason: '', epoch: 1, revision: '98', lagSeconds: 0 };
const seen: Seen = {
  isHome: false,
  home: 'zone-a',
  epoch: 1,
  source: home,
  wroteLast: undefined,
  report: undefined,
};

function behind(change: Partial<Seen>, state: EtcdState = follower): number | undefined {
  return etcdSight(state, { ...seen, ...change }).behind;
}

describe('how far an etcd is behind its home', () => {
  it('is told by its checkpoint, or by its replicator, which knows that nothing came since', () => {
    assert.equal(behind({}), 10);
    assert.equal(behind({ report }), 2);
    assert.equal(behind({ report: { ...report, revision: '101' } }), 0);
  });

  it('is not told by a replicator of another epoch, or one that does not follow', () => {
    assert.equal(behind({ report: { ...report, epoch: 2 } }), 10);
    assert.equal(behind({ report: { ...report, phase: 'Blocked' } }), 10);
  });

  it("is counted up to the fence, once there is one: what comes later is not an application's", () => {
    const fenced = { ...home, fenced: true, revision: '105' };
    assert.equal(behind({ source: fenced, wroteLast: 99n, report }), 1);
    assert.equal(behind({ source: fenced, wroteLast: 98n, report }), 0);
    assert.equal(behind({ source: fenced, wroteLast: undefined, report }), undefined);
  });

  it('is unknown while the home is away, in a snapshot, or for the keys of another home', () => {
    const { checkpoint } = follower;
    assert.ok(checkpoint);
    assert.equal(behind({ source: undefined, report }), undefined);
    assert.equal(
      behind({}, { ...follower, checkpoint: { ...checkpoint, snapshot: { revision: '5' } } }),
      undefined,
    );
    assert.equal(behind({}, { ...follower, checkpoint: { ...checkpoint, homeZone: 'zone-b' } }), undefined);
    assert.equal(behind({}, { reachable: true }), undefined);
  });
});

describe('what an etcd holds of its home', () => {
  const holds = (change: Partial<ReplicationCheckpoint>): ReturnType<typeof etcdSight>['holds'] => {
    const { checkpoint } = follower;
    assert.ok(checkpoint);
    return etcdSight({ ...follower, checkpoint: { ...checkpoint, ...change } }, seen).holds;
  };

  it('is what is whole: a zone that has a revision in part holds less than one that has all of it, and can be home', () => {
    assert.deepEqual(holds({ partial: { revision: '91', changes: 7 } }), { epoch: 1, revision: 90 });
    assert.deepEqual(holds({ revision: '91' }), { epoch: 1, revision: 91 });
  });

  it('is nothing while a snapshot is half written', () => {
    assert.equal(holds({ revision: '0', snapshot: { revision: '91' } }), undefined);
  });
});

describe('a home whose fence nobody remembers', () => {
  it('counts as one that takes writes: it is fenced once more, and says its revision', () => {
    const state = { ...home, fenced: true };
    assert.equal(etcdSight(state, { ...seen, isHome: true }).fenced, false);
    assert.equal(etcdSight(state, { ...seen, isHome: true, wroteLast: 100n }).fenced, true);
    assert.equal(etcdSight({ ...follower, fenced: true }, seen).fenced, true);
  });
});

describe('the gateways of a zone', () => {
  it('are more while another zone is away, and as many as ever in the zone that is', () => {
    const platform = ordersPlatform();
    platform.spec.gateway.replicasPerZone = 2;
    const away = [{ zone: 'zone-a', failover: 'drill', replicas: 3 }];
    const moved = { ...platform, status: { ...platform.status, away } };
    assert.deepEqual(
      ['zone-a', 'zone-b'].map((zone) => gatewayReplicas(moved, zone)),
      [2, 3],
    );
    assert.equal(gatewayReplicas(platform, 'zone-b'), 2);
    delete moved.spec.gateway.replicasPerZone;
    assert.equal(gatewayReplicas(moved, 'zone-b'), undefined);
  });
});

describe('a zone that says nothing', () => {
  const drain = { phase: 'Serving', connections: 0 } as unknown as DrainState;
  const platform = ordersPlatform();
  const pods = ['zone-a', 'zone-b'].map((zone) => ({
    metadata: { name: zone, labels: { [LABEL.component]: COMPONENT.gateway, [LABEL.zone]: zone } },
    status: { podIP: zone },
  }));

  /** Looks by the mode's failover of zone-a, one after another; how long zone-a was waited for each time. */
  async function waits(mode: 'Planned' | 'Emergency', answers: readonly boolean[]): Promise<number[]> {
    const waited: number[] = [];
    let isThere = false;
    // Who answers is waited for as long as ever.
    let least = Infinity;
    const world = {
      cache: { all: () => [], get: () => undefined, ofPlatform: () => pods },
      clock: {
        now: () => 0,
        sleep: (ms: number) => {
          least = Math.min(least, ms);
          return isThere ? new Promise(() => undefined) : Promise.resolve();
        },
      },
      gateways: {
        drain: (host: string) =>
          host === 'zone-b' || isThere ? Promise.resolve(drain) : new Promise(() => undefined),
      },
    } as unknown as FailoverPlatformWorld;
    const [memory, silence] = [new FenceMemory(), new SilenceMemory()];
    for (isThere of answers) {
      least = Infinity;
      await lookForFailover(world, platform, {
        fromZone: 'zone-a',
        mode,
        needs: { stores: false, clients: true, kafka: false, mirror: false },
        memory,
        silence,
      });
      waited.push(least);
    }
    return waited;
  }

  it('is waited for a second, and for less once an Emergency has waited so long, until it answers again', async () => {
    assert.deepEqual(
      await waits('Emergency', [false, false, true, true, false, false]),
      [1_000, 200, 200, 1_000, 1_000, 200],
    );
  });

  it('is waited for a second each time before it may be left in order', async () => {
    assert.deepEqual(await waits('Planned', [false, false]), [1_000, 1_000]);
  });
});
