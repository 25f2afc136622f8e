/** A failover that nothing befalls, from its begin to its good end, under publications and writes to etcd. */
import assert from 'node:assert/strict';
import { COMPONENT, type ZoneFailoverStatus } from '@causeway/crds';
import { zones } from '../lab/index.ts';
import { EtcdClient } from './etcd-client.ts';
import { Failovers, HomeWriter } from './failover.ts';
import { metricsOfPods, sumOf } from './pod-metrics.ts';
import { eventually, type Scenario } from './support.ts';
import { exchange, Traffic } from './traffic.ts';

/**
 * Runs a failover of `name`, with the arguments of `causeway failover start`. Nothing that was acknowledged is lost or comes
 * twice, also not of the client that had to leave the zone; every zone has every write that was taken, and all is given back
 * afterwards. Gives its last status.
 */
export async function moves(
  lab: Scenario,
  platform: string,
  { name, args }: { name: string; args: readonly string[] },
): Promise<ZoneFailoverStatus> {
  const own = new Failovers(lab, platform);
  const etcd = await EtcdClient.start(lab, platform, 'zone-c');
  const traffic = await Traffic.start(lab, platform);
  const writer = new HomeWriter(etcd, own, `/config/${name}`);
  try {
    await traffic.flows(25);
    lab.progress.note((await own.start(name, ...args)).trim());
    await traffic.flows(25);
    await traffic.movedFrom((await own.get(name)).spec.fromZone);
    lab.progress.note(await traffic.check());
  } finally {
    await writer.stop();
    await traffic.stop();
  }
  const { taken, refused, longestGap } = writer;
  lab.progress.note(`${taken} writes to etcd, ${refused} refused, longest gap ${Math.round(longestGap)} ms`);
  for (const zone of zones)
    await eventually(
      `${zone} has what was written last`,
      async () => (await etcd.get(zone, `/config/${name}`)) === String(taken),
    );
  lab.progress.note((await own.verify()).trim());
  await syncFollows(lab, platform, (await own.status()).epoch ?? 1);
  await assertGivenBack(lab, platform, own);
  await exchange(lab, platform);
  const { status } = await own.get(name);
  assert.equal(status?.phase, 'Succeeded', status?.message ?? 'no status');
  lab.progress.note(JSON.stringify(status.figures));
  return status;
}

/** All is as it was: gateways, capacity, and nobody has the platform. */
async function assertGivenBack(lab: Scenario, platform: string, own: Failovers): Promise<void> {
  await lab.waitReady(platform);
  const { failover, away, gateways } = await own.status();
  assert.deepEqual([failover, away, gateways?.summary], [undefined, undefined, '3/3']);
  const marks =
    'jsonpath={range .items[*]}{.metadata.annotations.causeway\\.dev/drain}{.metadata.annotations.causeway\\.dev/failover}{end}';
  assert.equal(await lab.kubectl('get', 'pods', '-l', `causeway.dev/platform=${platform}`, '-o', marks), '');
}

/** How soon each gateway's /sync is to go on after a failover, milliseconds; the kubelet alone takes up to a minute to tell it. */
const SYNC_MS = 10_000;

/** Waits until /sync of every gateway follows the home of this epoch. */
async function syncFollows(lab: Scenario, platform: string, epoch: number): Promise<void> {
  await eventually(
    `/sync of all gateways follows epoch ${epoch}`,
    async () => {
      const texts = await metricsOfPods(lab, { platform, component: COMPONENT.gateway });
      return texts.every((text) => sumOf(text, 'causeway_gateway_sync_epoch') === epoch);
    },
    SYNC_MS,
  );
}
