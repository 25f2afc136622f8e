import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { waitFor } from '../../../e2e/tools/index.ts';
import { startTcpProxy } from '../testing/tcp-proxy.ts';
import type { TcpProxy } from '../testing/tcp-proxy.ts';
import { HIGH_WATER } from './hold.ts';
import { startReplicator } from './replicator.ts';
import type { Replicator } from './replicator.ts';
import { checkHistory, readHistory, replicatorConfig, sameKeys, silent, Zone } from './testing/index.ts';

const PREFIXES = ['/config/'];
/** One answer of a watch is about as large as etcd's requests may be, 1.5 MiB; it may come before the watch waits. */
const ONE_ANSWER = 2 * 1024 * 1024;
const VALUE = 'v'.repeat(1_000_000);
const WRITES = 64;

describe('replicate: a target that takes nothing', () => {
  let zones: Record<'zone-a' | 'zone-b', Zone>;
  let network: TcpProxy;
  let replicator: Replicator;

  before(async () => {
    const [a, b] = await Promise.all([Zone.start('zone-a'), Zone.start('zone-b')]);
    zones = { 'zone-a': a, 'zone-b': b };
    network = await startTcpProxy(Number(new URL(b.etcd.endpoint).port));
    const config = replicatorConfig(zones, {
      homeZone: 'zone-a',
      zone: 'zone-b',
      epoch: 1,
      prefixes: PREFIXES,
    });
    const target = { endpoints: [`http://127.0.0.1:${network.port}`] };
    replicator = startReplicator({ ...config, target }, silent);
  });
  after(async () => {
    network.close();
    await replicator.stop();
    await Promise.all(Object.values(zones).map((zone) => zone.stop()));
  });

  it('what is read of the source meanwhile has a bound, and after it all comes over', async () => {
    const { 'zone-a': home, 'zone-b': zone } = zones;
    const buffered = async (): Promise<number> =>
      (await replicator.status.metrics.bufferedBytes.get()).values[0]?.value ?? 0;
    await waitFor('ready', () => replicator.status.notReady() === undefined);
    network.stall();
    let most = 0;
    for (let n = 0; n < WRITES; n++) {
      await home.put([`/config/${n % 8}`, `${n} ${VALUE}`]);
      most = Math.max(most, await buffered());
    }
    await waitFor('as much as may wait', async () => {
      most = Math.max(most, await buffered());
      return most > HIGH_WATER;
    });
    assert.equal(replicator.status.phase, 'Following', 'the transaction is still under way');
    assert.ok(most <= HIGH_WATER + ONE_ANSWER, `${most} bytes of ${WRITES * VALUE.length} waited`);
    network.restore();
    await waitFor('equality', () => sameKeys(home.etcd.endpoint, zone.etcd.endpoint, PREFIXES));
    const { revisions } = checkHistory(
      await readHistory(home.etcd.endpoint, PREFIXES),
      await readHistory(zone.etcd.endpoint, PREFIXES),
    );
    assert.equal(revisions, WRITES, 'each revision came over');
    await waitFor('nothing to wait', async () => (await buffered()) === 0);
  });
});
