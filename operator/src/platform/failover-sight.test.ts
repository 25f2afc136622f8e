import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  COMPONENT,
  LABEL,
  type DrainState,
  type HomeRecord,
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
  homes: [],
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

  it('is nothing while a snapshot is half written, or when it is of another home', () => {
    assert.equal(holds({ revision: '0', snapshot: { revision: '91' } }), undefined);
    assert.equal(holds({ homeZone: 'zone-c' }), undefined);
  });
});

describe('what an etcd holds of an earlier time of its home', () => {
  const became = (epoch: number, zone: string, from?: string): HomeRecord => ({
    epoch,
    zone,
    at: '',
    ...(from === undefined ? {} : { from: { zone: from, revision: '7', epoch: epoch - 1 } }),
  });
  /** zone-b is home again, since epoch 4; zone-a was so in between. */
  const homes = [became(2, 'zone-b', 'zone-a'), became(3, 'zone-a', 'zone-b'), became(4, 'zone-b', 'zone-a')];
  const look = (epoch: number, change: Partial<Seen> = {}): [number | undefined, boolean] => {
    const { checkpoint } = follower;
    assert.ok(checkpoint);
    const state = { ...follower, checkpoint: { ...checkpoint, homeZone: 'zone-b', epoch } };
    const at = { ...seen, home: 'zone-b', epoch: 4, homes, source: { ...home, epoch: 4 }, ...change };
    const { behind: missing, holds } = etcdSight(state, at);
    return [missing, holds !== undefined];
  };

  it('is nothing, and how far it is behind is unknown, whoever of the zones tells of it', () => {
    assert.deepEqual(look(2), [undefined, false]);
    assert.deepEqual(look(2, { homes: homes.slice(0, 2) }), [undefined, false]);
    assert.deepEqual(look(2, { homes: homes.slice(2) }), [undefined, false]);
    assert.deepEqual(look(4), [10, true]);
  });

  it('counts as ever after the home was given back, and while a promotion is not settled', () => {
    const aborted = [...homes, became(5, 'zone-a', 'zone-b'), became(6, 'zone-b')];
    assert.deepEqual(look(4, { epoch: 6, homes: aborted }), [10, true]);
    assert.deepEqual(look(4, { homes: aborted.slice(0, -1) }), [10, true]);
    assert.deepEqual(look(4, { epoch: 5, homes: aborted.slice(0, -1) }), [undefined, false]);
  });

  it('is asked for among the records of all zones', async () => {
    const platform = ordersPlatform();
    platform.status = { ...platform.status, homeZone: 'zone-b', epoch: 4 };
    const { checkpoint } = follower;
    const stale = { ...follower, checkpoint: { ...checkpoint, homeZone: 'zone-b', epoch: 2 } };
    const states = new Map([
      ['zone-a', { ...stale, homes: homes.slice(0, 2) }],
      ['zone-c', { ...stale, homes: homes.slice(0, 1) }],
    ]);
    const world = {
      cache: { all: () => [], get: () => undefined, ofPlatform: () => [] },
      clock: { now: () => 0, sleep: () => new Promise(() => undefined) },
      etcd: () => ({ state: (zone: string) => Promise.resolve(states.get(zone) ?? { reachable: false }) }),
      kube: { get: () => Promise.resolve(undefined) },
      redis: { look: () => Promise.reject(new Error('away')) },
    } as unknown as FailoverPlatformWorld;
    const { zones } = await lookForFailover(world, platform, {
      fromZone: 'zone-b',
      needs: { stores: true, clients: false, kafka: false, mirror: false },
      memory: new FenceMemory(),
      silence: new SilenceMemory(),
    });
    assert.deepEqual(
      zones.map(({ name, etcd }) => [name, etcd && etcd.holds]),
      [
        ['zone-a', undefined],
        ['zone-b', undefined],
        ['zone-c', undefined],
      ],
    );
    assert.ok(zones.every(({ name, etcd }) => (etcd !== undefined) === (name !== 'zone-b')));
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

  /** Looks by a failover of zone-a, one after another; how long zone-a was waited for each time. */
  async function waits(hurry: boolean, answers: readonly boolean[]): Promise<number[]> {
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
        needs: { stores: false, clients: true, kafka: false, mirror: false, hurry },
        memory,
        silence,
      });
      waited.push(least);
    }
    return waited;
  }

  it('is waited for a second, and in a hurry for less once that was in vain, until it answers again', async () => {
    assert.deepEqual(
      await waits(true, [false, false, true, true, false, false]),
      [1_000, 200, 200, 1_000, 1_000, 200],
    );
  });

  it('is waited for a second each time where there is no hurry', async () => {
    assert.deepEqual(await waits(false, [false, false]), [1_000, 1_000]);
  });
});
