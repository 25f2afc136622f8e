import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ETCD_KEY } from '@causeway/crds';
import type { ReplicationCheckpoint } from '@causeway/crds';
import { waitFor } from '../../../e2e/tools/index.ts';
import { startReplicator } from './replicator.ts';
import type { Replicator } from './replicator.ts';
import { replicatorConfig, sameKeys, silent, Zone } from './testing/index.ts';

/**
 * A home that was never moved is made anew with the same cluster id, or restored from a backup, and written past what its
 * follower has before that one looks: neither the id nor the revision tells the histories apart.
 */
const PREFIXES = ['/config/', '/tenants/'];
type Name = 'zone-a' | 'zone-b';
type Write = (zone: Zone) => Promise<unknown>;

describe('replicate: another history with the same cluster id', () => {
  let zones: Record<Name, Zone>;
  let replicator: Replicator | undefined;

  beforeEach(async () => {
    const [a, b] = await Promise.all([Zone.start('zone-a'), Zone.start('zone-b')]);
    zones = { 'zone-a': a, 'zone-b': b };
  });
  afterEach(async () => {
    await replicator?.stop();
    await Promise.all(Object.values(zones).map((zone) => zone.stop()));
  });

  const follow = async (): Promise<unknown[]> => {
    const of = { homeZone: 'zone-a', zone: 'zone-b', epoch: 1, prefixes: PREFIXES } as const;
    const started = startReplicator(replicatorConfig(zones, { ...of, prefixes: [...PREFIXES] }), silent);
    replicator = started;
    await waitFor('following', () => started.status.notReady() === undefined, { intervalMs: 20 });
    const [a, b] = [zones['zone-a'].etcd.endpoint, zones['zone-b'].etcd.endpoint];
    await waitFor('equality', () => sameKeys(a, b, PREFIXES));
    const { values } = await started.status.metrics.snapshots.get();
    return values.map(({ labels }) => labels['reason']);
  };
  const stop = async (): Promise<void> => {
    await replicator?.stop();
    replicator = undefined;
  };
  const checkpoint = async (): Promise<ReplicationCheckpoint> =>
    JSON.parse((await zones['zone-b'].get(ETCD_KEY.checkpoint)) ?? '{}') as ReplicationCheckpoint;
  /** Writes to the home while it is followed, so that the last of it is in the checkpoint. */
  const writeFollowed = async (writes: readonly Write[]): Promise<void> => {
    for (const write of writes) await write(zones['zone-a']);
    const { revision } = await zones['zone-a'].client.head();
    await waitFor('all has arrived', async () => BigInt((await checkpoint()).revision) >= revision);
  };
  const madeAnew = async (): Promise<void> => {
    await zones['zone-a'].stop();
    zones['zone-a'] = await Zone.start('zone-a');
  };

  const base: Write = (zone) => zone.put(['/config/a', '1'], ['/config/b', '1'], ['/tenants/c', '1']);
  const put =
    (key: string, value: string): Write =>
    (zone) =>
      zone.put([key, value]);
  const remove: Write = (zone) => zone.remove('/config/a');
  const noise: Write = put('/elsewhere/x', '1');

  const cases: [string, Write[], Write[]][] = [
    ['the last change was of another key', [put('/config/a', '2')], [put('/config/b', '3')]],
    [
      'of the same key, as where one is written all the time',
      [put('/config/a', '2')],
      [put('/config/a', '3')],
    ],
    ['a deletion, of a key that is there', [remove], [put('/config/b', '3')]],
    [
      'a deletion, and there is no such key',
      [put('/tenants/d', '1'), remove],
      [remove, put('/tenants/d', '2')],
    ],
  ];
  for (const [what, ours, theirs] of cases)
    it(`given ${what}: it takes a snapshot, and does not mix the two`, async () => {
      await base(zones['zone-a']);
      assert.deepEqual(await follow(), ['first-start']);
      await writeFollowed(ours);
      await stop();
      await madeAnew();
      for (const write of [base, ...theirs, noise, noise]) await write(zones['zone-a']);
      assert.ok((await zones['zone-a'].client.head()).revision > BigInt((await checkpoint()).revision));
      assert.deepEqual(await follow(), ['source-changed']);
    });

  it('given the follower had nothing but a snapshot, the newest key of it tells', async () => {
    await base(zones['zone-a']);
    await put('/tenants/c', '2')(zones['zone-a']);
    await follow();
    await stop();
    await madeAnew();
    for (const write of [base, put('/tenants/c', '3'), noise]) await write(zones['zone-a']);
    assert.deepEqual(await follow(), ['source-changed']);
  });

  for (const [what, ours] of cases)
    it(`given ${what}: its own history goes on without a snapshot`, async () => {
      await base(zones['zone-a']);
      await follow();
      await writeFollowed(ours);
      await stop();
      await writeSome(zones['zone-a']);
      assert.deepEqual(await follow(), []);
    });

  const writeSome: Write = async (zone) => {
    for (const write of [noise, put('/config/a', '9'), put('/tenants/d', '9')]) await write(zone);
  };

  it('a checkpoint that does not say it, of an earlier version, goes on', async () => {
    await base(zones['zone-a']);
    await follow();
    await stop();
    const { last, ...earlier } = await checkpoint();
    assert.ok(last);
    await zones['zone-b'].put([ETCD_KEY.checkpoint, JSON.stringify(earlier)]);
    await writeSome(zones['zone-a']);
    assert.deepEqual(await follow(), []);
  });

  it('compacted just past the checkpoint, where a watch could still begin: a snapshot', async () => {
    await base(zones['zone-a']);
    await follow();
    await stop();
    const { revision } = await checkpoint();
    await put('/config/a', '2')(zones['zone-a']);
    assert.equal((await zones['zone-a'].client.head()).revision, BigInt(revision) + 1n);
    await zones['zone-a'].compact();
    assert.deepEqual(await follow(), ['compacted']);
  });
});
