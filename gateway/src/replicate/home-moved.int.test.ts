import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ETCD_KEY } from '@causeway/crds';
import type { ReplicationCheckpoint, ReplicatorConfig } from '@causeway/crds';
import { waitFor } from '../../../e2e/tools/index.ts';
import { etcdAdmin } from '../../../operator/src/platform/etcd-admin.ts';
import type { EtcdAdmin } from '../../../operator/src/platform/etcd-admin.ts';
import { startReplicator } from './replicator.ts';
import type { Replicator } from './replicator.ts';
import { readHistory, replicatorConfig, sameKeys, silent, Zone } from './testing/index.ts';

/**
 * The home moves between real etcds that have the same cluster id, as managed ones do. Fence and promotion are the
 * operator's own.
 */
const PREFIXES = ['/config/', '/tenants/'];
type Name = 'zone-a' | 'zone-b' | 'zone-c';
let zones: Record<Name, Zone>;
let admin: EtcdAdmin;
let running: Replicator[] = [];

const config = (homeZone: Name, zone: Name, epoch: number): ReplicatorConfig =>
  replicatorConfig(zones, { homeZone, zone, epoch, prefixes: PREFIXES });
const follow = async (homeZone: Name, zone: Name, epoch: number): Promise<Replicator> => {
  const replicator = startReplicator(config(homeZone, zone, epoch), silent);
  running.push(replicator);
  await waitFor(
    `${zone} follows ${homeZone}`,
    () => {
      const missing = replicator.status.notReady();
      if (missing !== undefined) throw new Error(missing);
      return true;
    },
    { intervalMs: 20 },
  );
  return replicator;
};
const stopAll = async (): Promise<void> => {
  await Promise.all(running.map((replicator) => replicator.stop()));
  running = [];
};
const equal = (one: Name, other: Name): Promise<boolean> =>
  waitFor(`${other} equal to ${one}`, () =>
    sameKeys(zones[one].etcd.endpoint, zones[other].etcd.endpoint, PREFIXES),
  );
const snapshots = async (replicator: Replicator): Promise<unknown[]> =>
  (await replicator.status.metrics.snapshots.get()).values.map(({ labels }) => labels['reason']);
const checkpoint = async (zone: Name): Promise<ReplicationCheckpoint> =>
  JSON.parse((await zones[zone].get(ETCD_KEY.checkpoint)) ?? '{}') as ReplicationCheckpoint;
const written = async (zone: Name, from: bigint): Promise<string[]> =>
  (await readHistory(zones[zone].etcd.endpoint, PREFIXES, from)).flatMap(({ changes }) => changes).sort();

describe('replicate: the home moves', () => {
  beforeEach(async () => {
    const [a, b, c] = await Promise.all(
      (['zone-a', 'zone-b', 'zone-c'] as const).map((name) => Zone.start(name)),
    );
    assert.ok(a && b && c);
    zones = { 'zone-a': a, 'zone-b': b, 'zone-c': c };
    admin = etcdAdmin({
      access: (zone) => ({ endpoints: [zones[zone as Name].etcd.endpoint] }),
      applications: undefined,
    });
    const ids = await Promise.all([a, b, c].map(async ({ client }) => (await client.head()).clusterId));
    assert.equal(new Set(ids).size, 1, 'the zones have one cluster id');
  });
  afterEach(async () => {
    await stopAll();
    await Promise.all(Object.values(zones).map((zone) => zone.stop()));
  });

  /** zone-a is home; zone-b has all of it, and zone-c stands where it was before the last changes. */
  const behind = async (): Promise<void> => {
    const { 'zone-a': a } = zones;
    await a.put(['/config/a', '1'], ['/config/same', 's'], ['/tenants/gone', 'x']);
    // Revisions that the new home has none for: the same number means a later state there.
    for (let n = 0; n < 60; n++) await a.put(['/elsewhere/x', String(n)]);
    await follow('zone-a', 'zone-c', 1);
    await stopAll();
    await follow('zone-a', 'zone-b', 1);
    await a.put(['/config/a', '2'], ['/tenants/new', 'n']);
    await a.remove('/tenants/gone');
    await equal('zone-a', 'zone-b');
  };

  /** zone-b is made anew, with nothing in it. */
  const loseVolume = async (): Promise<Zone> => {
    const lost = await Zone.start('zone-b');
    await zones['zone-b'].stop();
    zones['zone-b'] = lost;
    return lost;
  };

  /** zone-b became home, zone-c followed it, and zone-b is made anew. */
  const followedAndLost = async (): Promise<Zone> => {
    await behind();
    await admin.promote('zone-b', 2, 'zone-a');
    await stopAll();
    await follow('zone-b', 'zone-c', 2);
    await stopAll();
    return loseVolume();
  };

  it('a third zone follows the new home from its state, not from a revision of the old one', async () => {
    await behind();
    const { 'zone-b': b, 'zone-c': c } = zones;
    await admin.fence('zone-a', 2);
    await admin.promote('zone-b', 2, 'zone-a');
    await stopAll();
    // The new home is past the revision of the old one at which zone-c stands: nothing there looks wrong.
    for (let n = 0; n < 90; n++) await b.put(['/config/m', String(n)]);
    assert.ok((await b.client.head()).revision > BigInt((await checkpoint('zone-c')).revision));
    const untouched = await c.modRevision('/config/same');
    const from = (await c.client.head()).revision + 1n;
    const replicator = await follow('zone-b', 'zone-c', 2);
    await equal('zone-b', 'zone-c');
    assert.deepEqual(await snapshots(replicator), ['home-moved']);
    assert.equal(await c.modRevision('/config/same'), untouched);
    assert.deepEqual(
      await written('zone-c', from),
      ['/config/a=Mg==', '/config/m=ODk=', '/tenants/gone deleted', '/tenants/new=bg=='],
      'each difference once: readers see no key vanish and return',
    );
    const { epoch, homeZone } = await checkpoint('zone-c');
    assert.deepEqual({ epoch, homeZone }, { epoch: 2, homeZone: 'zone-b' });
    await b.put(['/config/after', '1']);
    await equal('zone-b', 'zone-c');
  });

  it('who has more of the old home than the new one had says what is taken back', async () => {
    const { 'zone-a': a, 'zone-c': c } = zones;
    await a.put(['/config/a', '1']);
    await follow('zone-a', 'zone-b', 1);
    await stopAll();
    const promotedAt = (await checkpoint('zone-b')).revision;
    const revision = String(await a.put(['/config/a', '2'], ['/config/new', '2']));
    await follow('zone-a', 'zone-c', 1);
    await stopAll();
    await admin.promote('zone-b', 2, 'zone-a');
    const warned: unknown[] = [];
    const warn = (message: string, fields?: object): void => void warned.push([message.slice(0, 22), fields]);
    running.push(startReplicator(config('zone-b', 'zone-c', 2), { ...silent, warn }));
    await equal('zone-b', 'zone-c');
    assert.equal(await c.get('/config/a'), '1');
    const said = { oldHome: 'zone-a', revision, promotedAt, zone: 'zone-c', newHome: 'zone-b' };
    assert.deepEqual(warned, [['this zone has more of ', said]]);
  });

  it('the old home follows the new one when it is back, and takes over again', async () => {
    await behind();
    const { 'zone-a': a, 'zone-b': b } = zones;
    const fence = await admin.fence('zone-a', 2);
    await waitFor('all has arrived', async () => {
      const { checkpoint: at } = await admin.state('zone-b');
      return at !== undefined && BigInt(at.revision) >= BigInt(fence.revision);
    });
    await admin.promote('zone-b', 2, 'zone-a', { atLeast: fence.revision });
    await stopAll();
    await b.put(['/config/a', 'of b']);
    const back = await follow('zone-b', 'zone-a', 2);
    await equal('zone-b', 'zone-a');
    assert.equal(await a.get('/config/a'), 'of b');
    assert.equal((back.status.state() as { orphans?: unknown }).orphans, undefined, 'nothing was lost');
    const second = await admin.fence('zone-b', 3);
    await waitFor('all has arrived', async () => {
      const { checkpoint: at } = await admin.state('zone-a');
      return at !== undefined && BigInt(at.revision) >= BigInt(second.revision);
    });
    await admin.promote('zone-a', 3, 'zone-b', { atLeast: second.revision });
    await stopAll();
    await a.put(['/config/a', 'of a again']);
    await Promise.all([follow('zone-a', 'zone-b', 3), follow('zone-a', 'zone-c', 3)]);
    await equal('zone-a', 'zone-b');
    await equal('zone-a', 'zone-c');
  });

  it('a key with a lease stays in every zone once the home has moved, until somebody deletes it or takes a lease anew', async () => {
    const { 'zone-a': a, 'zone-b': b, 'zone-c': c } = zones;
    const all = async (key: string): Promise<(string | undefined)[]> =>
      Promise.all([a, b, c].map((zone) => zone.get(key)));
    const endBefore = await a.putLeased(600, ['/config/before', '1']);
    const endAfter = await a.putLeased(600, ['/config/left', '1'], ['/config/owned', '1']);
    await Promise.all([follow('zone-a', 'zone-b', 1), follow('zone-a', 'zone-c', 1)]);
    await endBefore();
    await Promise.all([equal('zone-a', 'zone-b'), equal('zone-a', 'zone-c')]);
    assert.deepEqual(await all('/config/before'), [undefined, undefined, undefined]);
    assert.equal(await c.get('/config/left'), '1');
    const { revision } = await admin.fence('zone-a', 2);
    await waitFor(
      'all has arrived',
      async () => BigInt((await checkpoint('zone-b')).revision) >= BigInt(revision),
    );
    await admin.promote('zone-b', 2, 'zone-a', { atLeast: revision });
    await stopAll();
    await Promise.all([follow('zone-b', 'zone-a', 2), follow('zone-b', 'zone-c', 2)]);
    // Nobody renews it there any more: the old home would lose what it now only follows.
    await endAfter();
    assert.deepEqual(await all('/config/left'), ['1', '1', '1']);
    await b.putLeased(2, ['/config/owned', 'by its owner, at the new home']);
    await waitFor('the new lease is over', async () => (await b.get('/config/owned')) === undefined);
    await b.remove('/config/left');
    await Promise.all([equal('zone-b', 'zone-a'), equal('zone-b', 'zone-c')]);
    assert.deepEqual(await all('/config/owned'), [undefined, undefined, undefined]);
    assert.deepEqual(await all('/config/left'), [undefined, undefined, undefined]);
  });

  it('a fence is noticed at once: the follower writes its checkpoint when it has all up to it', async () => {
    await behind();
    await zones['zone-a'].put(['/elsewhere/x', '1']);
    const began = performance.now();
    const { revision } = await admin.fence('zone-a', 2);
    await waitFor(
      'the checkpoint at the fence',
      async () => BigInt((await checkpoint('zone-b')).revision) >= BigInt(revision),
      { timeoutMs: 10_000, intervalMs: 5 },
    );
    // An idle checkpoint alone would come after 30 s.
    assert.ok(performance.now() - began < 10_000);
  });

  it('a new home that has no key left is followed: the promotion vouches for it', async () => {
    await behind();
    await zones['zone-a'].remove('/config/a', '/config/same', '/tenants/new');
    await equal('zone-a', 'zone-b');
    await admin.fence('zone-a', 2);
    await admin.promote('zone-b', 2, 'zone-a');
    await stopAll();
    await follow('zone-b', 'zone-c', 2);
    await equal('zone-b', 'zone-c');
    assert.equal(await zones['zone-c'].get('/config/a'), undefined);
  });

  it('a new home that lost everything after its promotion does not empty the others', async () => {
    await behind();
    await stopAll();
    await loseVolume();
    const replicator = startReplicator(config('zone-b', 'zone-c', 2), silent);
    running.push(replicator);
    await waitFor('blocked', () => replicator.status.phase === 'Blocked');
    assert.match(replicator.status.notReady() ?? '', /has no key under .* Nothing is deleted/);
    assert.equal(await zones['zone-c'].get('/config/a'), '1');
  });

  it('a home that lost its volume and has been written since is not taken for the one it was', async () => {
    const lost = await followedAndLost();
    const { revision } = await checkpoint('zone-c');
    // Two keys of three: enough not to be taken for one that still lacks most of what it had.
    for (let n = 0; (await lost.client.head()).revision <= BigInt(revision); n++)
      await lost.put(['/config/new', String(n)], ['/config/newer', String(n)]);
    const replicator = await follow('zone-b', 'zone-c', 2);
    assert.deepEqual(await snapshots(replicator), ['source-changed']);
    await equal('zone-b', 'zone-c');
  });

  it('a home that lost its volume and has a first key again does not take the others’ keys, until it has most of them', async () => {
    const lost = await followedAndLost();
    await lost.put(['/config/a', 'of an application that found nothing']);
    const replicator = startReplicator(config('zone-b', 'zone-c', 2), silent);
    running.push(replicator);
    await waitFor('blocked', () => replicator.status.phase === 'Blocked');
    assert.match(
      replicator.status.notReady() ?? '',
      /has only 1 key under \/config\/ \/tenants\/ while the target has 3, .* Nothing is deleted\. Restore the source/,
    );
    assert.equal(await zones['zone-c'].get('/config/same'), 's');
    await lost.put(['/config/same', 's']);
    await equal('zone-b', 'zone-c');
    assert.equal(
      await zones['zone-c'].get('/tenants/new'),
      undefined,
      'a backup need not have the last keys',
    );
  });

  it('who stands at the last revision of a home that was given back says so in its epoch, before anything changes', async () => {
    await behind();
    await admin.fence('zone-a', 2);
    await admin.promote('zone-a', 2, 'zone-a');
    // The replicator of before is not told yet, and takes all that there is.
    await zones['zone-a'].put(['/config/last', '1']);
    await equal('zone-a', 'zone-b');
    const { revision } = await checkpoint('zone-b');
    assert.equal(BigInt(revision), (await zones['zone-a'].client.head()).revision);
    await stopAll();
    const replicator = await follow('zone-a', 'zone-b', 2);
    await waitFor('the new epoch in the checkpoint', async () => (await checkpoint('zone-b')).epoch === 2, {
      timeoutMs: 10_000,
      intervalMs: 10,
    });
    assert.equal((await checkpoint('zone-b')).revision, revision);
    assert.deepEqual(await snapshots(replicator), []);
  });

  it('a home that was fenced and given back is followed on, without a snapshot', async () => {
    await behind();
    await stopAll();
    await admin.fence('zone-a', 2);
    await admin.promote('zone-a', 2, 'zone-a');
    await zones['zone-a'].put(['/config/a', '3']);
    const replicator = await follow('zone-a', 'zone-c', 2);
    await equal('zone-a', 'zone-c');
    assert.deepEqual(await snapshots(replicator), []);
    assert.equal((await checkpoint('zone-c')).epoch, 2);
  });
});
