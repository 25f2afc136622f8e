import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MessagePlatformStatus } from '@causeway/crds';
import { KeyedLock } from '../controller/keyed-lock.ts';
import type { ResourceKind } from '../controller/kube-api.ts';
import type { Act } from '../failover/index.ts';
import { performAct, releaseClaim } from './failover-acts.ts';
import { FenceMemory } from './failover-memory.ts';
import type { FailoverPlatformWorld } from './failover-sight.ts';
import { ordersPlatform } from './testing/orders.ts';
import type { MessagePlatform } from './types.ts';

/** One platform as an API server stores it: of a share what is not applied any more goes. */
class Stored {
  readonly platform: MessagePlatform;
  readonly promotions: unknown[] = [];
  writes = 0;

  constructor(status: MessagePlatformStatus) {
    this.platform = ordersPlatform((one) => {
      one.status = status;
    });
  }

  /** What failover `name` does, whose copy of the platform may be old. */
  act(name: string, act: Act): Promise<void> {
    const world = this.#world();
    return performAct(world, { name, platform: this.platform }, { act, memory: new FenceMemory() });
  }

  release(name: string): Promise<void> {
    return releaseClaim(this.#world(), { name, platform: this.platform });
  }

  get share(): Pick<MessagePlatformStatus, 'homeZone' | 'epoch' | 'failover' | 'away'> {
    const { homeZone, epoch, failover, away } = this.platform.status ?? {};
    return {
      ...(homeZone === undefined ? {} : { homeZone }),
      ...(epoch === undefined ? {} : { epoch }),
      ...(failover === undefined ? {} : { failover }),
      ...(away === undefined ? {} : { away }),
    };
  }

  #world(): FailoverPlatformWorld {
    const kube = {
      get: ({ kind }: ResourceKind) =>
        Promise.resolve(kind === 'Secret' ? undefined : structuredClone(this.platform)),
      apply: (_kind: ResourceKind, object: MessagePlatform, options: unknown) => {
        assert.deepEqual(options, { subresource: 'status', manager: 'causeway-failover' });
        this.writes += 1;
        this.platform.status = object.status ?? {};
        return Promise.resolve(object);
      },
    };
    const promote = (...asked: unknown[]): Promise<void> => {
      this.promotions.push(asked);
      return Promise.resolve();
    };
    return {
      kube,
      cache: { get: () => undefined, ofPlatform: () => [] },
      homes: new KeyedLock(),
      etcd: () => ({ promote }),
    } as unknown as FailoverPlatformWorld;
  }
}

const claimed = (name: string): MessagePlatformStatus => ({
  homeZone: 'zone-a',
  epoch: 3,
  failover: { name },
});
const takeOut: Act = { act: 'takeOut', zone: 'zone-a', replicas: 3 };
const moveHome: Act = { act: 'moveHome', zone: 'zone-b', epoch: 4 };

describe('a claim', () => {
  it('is taken where nobody has one, once, and kept by what else the share has', async () => {
    const stored = new Stored({
      homeZone: 'zone-b',
      epoch: 2,
      away: [{ zone: 'zone-c', failover: 'before' }],
    });
    const before = stored.share;
    await stored.act('drill', { act: 'claim', over: undefined });
    assert.deepEqual(stored.share, { ...before, failover: { name: 'drill' } });
    await stored.act('drill', { act: 'claim', over: undefined });
    assert.equal(stored.writes, 1, 'what is so already is not written');
  });

  it("is refused while it is another failover's, and taken over from the one that was seen to have ended", async () => {
    const stored = new Stored(claimed('first'));
    for (const over of [undefined, 'zeroth'])
      await assert.rejects(stored.act('drill', { act: 'claim', over }), /is ZoneFailover first's by now/);
    assert.deepEqual([stored.share, stored.writes], [claimed('first'), 0]);
    await stored.act('drill', { act: 'claim', over: 'first' });
    assert.deepEqual(stored.share.failover, { name: 'drill' });
  });

  it('is given back by its holder only', async () => {
    const stored = new Stored(claimed('drill'));
    await stored.release('another');
    assert.equal(stored.writes, 0);
    await stored.release('drill');
    assert.deepEqual(stored.share, { homeZone: 'zone-a', epoch: 3 });
  });
});

describe('without the claim', () => {
  for (const [what, act] of [
    ['no zone is taken out of service', takeOut],
    ['no home moves', moveHome],
  ] as const)
    it(`${what}, whoever has it`, async () => {
      for (const status of [claimed('another'), { homeZone: 'zone-a', epoch: 3 }]) {
        const stored = new Stored(status);
        await assert.rejects(stored.act('drill', act), /another's by now|is not ours any more/);
        assert.deepEqual([stored.share, stored.writes], [status, 0]);
      }
    });

  it('a zone is given back all the same, and only by the failover that took it out', async () => {
    const away = [
      { zone: 'zone-a', failover: 'drill' },
      { zone: 'zone-c', failover: 'another' },
    ];
    const stored = new Stored({ ...claimed('another'), away });
    await stored.act('drill', { act: 'takeIn', zone: 'zone-c' });
    assert.equal(stored.writes, 0);
    await stored.act('drill', { act: 'takeIn', zone: 'zone-a' });
    assert.deepEqual(stored.share, { ...claimed('another'), away: away.slice(1) });
  });
});

describe('with the claim', () => {
  it('a zone is out of service once, with the last number of gateways', async () => {
    const stored = new Stored(claimed('drill'));
    await stored.act('drill', { ...takeOut, replicas: 2 });
    await stored.act('drill', takeOut);
    const away = [{ zone: 'zone-a', failover: 'drill', replicas: 3 }];
    assert.deepEqual(stored.share, { ...claimed('drill'), away });
  });

  it('the home moves to a higher epoch, and may be told again', async () => {
    const stored = new Stored(claimed('drill'));
    await stored.act('drill', moveHome);
    await stored.act('drill', moveHome);
    assert.deepEqual(stored.share, { ...claimed('drill'), homeZone: 'zone-b', epoch: 4 });
    assert.equal(stored.writes, 1);
  });

  it('the home does not move to a lower epoch, nor to another zone in the same one', async () => {
    for (const epoch of [2, 3]) {
      const stored = new Stored(claimed('drill'));
      await assert.rejects(
        stored.act('drill', { act: 'moveHome', zone: 'zone-b', epoch }),
        /the platform is in epoch 3, with its home in zone-a/,
      );
      assert.deepEqual([stored.share, stored.writes], [claimed('drill'), 0]);
    }
  });
});

describe('an etcd that is to be home', () => {
  it('is told the last move that came about', async () => {
    const stored = new Stored(claimed('drill'));
    await stored.act('drill', { act: 'promoteEtcd', zone: 'zone-b', epoch: 5, from: 'zone-a' });
    assert.deepEqual(stored.promotions, [['zone-b', 5, 'zone-a', { settled: 3 }]]);
  });
});
