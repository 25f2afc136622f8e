import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import type { ReplicatorConfig } from '@causeway/crds';
import { waitFor } from '../../../e2e/tools/index.ts';
import { etcdAdmin } from '../../../operator/src/platform/etcd-admin.ts';
import type { EtcdAdmin } from '../../../operator/src/platform/etcd-admin.ts';
import { startTcpProxy } from '../testing/tcp-proxy.ts';
import type { TcpProxy } from '../testing/tcp-proxy.ts';
import { startReplicator } from './replicator.ts';
import type { Replicator } from './replicator.ts';
import { figures, replicatorConfig, silent, Zone } from './testing/index.ts';

/** What Prometheus sees of a replicator after what people are to be told of. */
type Name = 'zone-a' | 'zone-b';

describe('replicate: metrics', () => {
  let zones: Record<Name, Zone>;
  let network: TcpProxy;
  let admin: EtcdAdmin;
  let running: Replicator[] = [];

  before(async () => {
    const [a, b] = await Promise.all([Zone.start('zone-a'), Zone.start('zone-b')]);
    zones = { 'zone-a': a, 'zone-b': b };
    network = await startTcpProxy(Number(new URL(b.etcd.endpoint).port));
    admin = etcdAdmin({
      access: (zone) => ({ endpoints: [zones[zone as Name].etcd.endpoint] }),
      applications: undefined,
    });
  });
  afterEach(async () => {
    await Promise.all(running.map((replicator) => replicator.stop()));
    running = [];
  });
  after(async () => {
    network.close();
    await Promise.all(Object.values(zones).map((zone) => zone.stop()));
  });

  const follow = async (
    homeZone: Name,
    epoch: number,
    target?: ReplicatorConfig['target'],
  ): Promise<Replicator> => {
    const zone = homeZone === 'zone-a' ? 'zone-b' : 'zone-a';
    const config = replicatorConfig(zones, { homeZone, zone, epoch, prefixes: ['/config/'] });
    const replicator = startReplicator({ ...config, ...(target && { target }) }, silent);
    running.push(replicator);
    await waitFor(`${zone} follows`, () => replicator.status.notReady() === undefined, { intervalMs: 20 });
    return replicator;
  };
  const scrape = ({ status }: Replicator): Promise<Record<string, number>> =>
    figures(status.metrics.registry);

  it('the target is cut off: the lag grows, in seconds and revisions, and is gone when it is back', async () => {
    const { 'zone-a': home } = zones;
    const replicator = await follow('zone-a', 1, { endpoints: [`http://127.0.0.1:${network.port}`] });
    await waitFor('no lag', async () => (await scrape(replicator))['lag_seconds'] === 0);
    network.cut();
    await home.put(['/config/a', '1']);
    await waitFor('a lag', async () => ((await scrape(replicator))['lag_seconds'] ?? 0) > 1);
    const { lag_revisions: behind, stalled } = await scrape(replicator);
    assert.ok(behind !== undefined && behind >= 1, `${behind} revisions`);
    assert.equal(stalled, 0, 'not before a minute');
    network.restore();
    await waitFor('no lag', async () => (await scrape(replicator))['lag_seconds'] === 0);
    assert.equal(await zones['zone-b'].get('/config/a'), '1');
    assert.equal((await scrape(replicator))['lag_revisions'], 0);
  });

  it('the home moves: who still follows the old one is stalled, and who follows the new one shows its epoch', async () => {
    const late = await follow('zone-a', 1);
    const first = await scrape(late);
    assert.deepEqual([first['epoch'], first['fenced'], first['stalled']], [1, 0, 0]);
    const { revision } = await admin.fence('zone-a', 2);
    await waitFor('all has arrived', async () => {
      const { checkpoint } = await admin.state('zone-b');
      return checkpoint !== undefined && BigInt(checkpoint.revision) >= BigInt(revision);
    });
    await admin.promote('zone-b', 2, 'zone-a', { atLeast: revision });
    await waitFor('it is fenced', async () => (await scrape(late))['fenced'] === 1);
    assert.equal((await scrape(late))['stalled'], 1);
    const next = await scrape(await follow('zone-b', 2));
    assert.deepEqual([next['epoch'], next['fenced'], next['stalled']], [2, 0, 0]);
  });
});
