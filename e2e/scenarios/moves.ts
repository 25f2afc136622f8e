/** A failover that nothing befalls, from its begin to its good end, under publications and writes to etcd. */
import assert from 'node:assert/strict';
import { COMPONENT, type ZoneFailoverStatus } from '@causeway/crds';
import { zones } from '../lab/index.ts';
import { EtcdClient } from './etcd-client.ts';
import { Failovers, HomeWriter } from './failover.ts';
import { metricsOfPods, sumOf } from './pod-metrics.ts';
import { eventually, withKafka, type Scenario } from './support.ts';
import { exchange, Traffic } from './traffic.ts';

/**
 * Runs a failover of `name`, with the arguments of `causeway failover start`. Nothing that was acknowledged is lost or comes
 * twice, also not of the client that had to leave the zone; every zone has every write that was taken, Kafka's leaders left the zone,
 * and all is given back afterwards. Gives its last status.
 */
export async function moves(
  lab: Scenario,
  platform: string,
  { name, args }: { name: string; args: readonly string[] },
): Promise<ZoneFailoverStatus> {
  const own = new Failovers(lab, platform);
  const etcd = await EtcdClient.start(lab, platform, 'zone-c');
  const leaders = await leadersOf(platform);
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
  await own.ended(name);
  await assertGivenBack(lab, platform, own);
  await assertLed(platform, leaders);
  await exchange(lab, platform);
  const { status } = await own.get(name);
  assert.equal(status?.phase, 'Succeeded', status?.message ?? 'no status');
  lab.progress.note(JSON.stringify(status.figures));
  const { partitionsLed = 0, leadersMoved = 0 } = status.figures ?? {};
  assert.ok(leadersMoved > 0 || partitionsLed === 0, `of ${partitionsLed} leaders none left the zone`);
  assert.equal(status.orders, undefined, 'every order of replicas is given back');
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

interface Led {
  partition: number;
  leader: number;
  replicas: number[];
}

/** Of each partition of the platform's topic, who leads it, and its replicas in their order. */
function leadersOf(platform: string): Promise<Led[]> {
  return withKafka(async (admin) => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [`${platform}.chat`] });
    return topics
      .flatMap(({ partitions }) => partitions)
      .map(({ partitionId: partition, leader, replicas }) => ({ partition, leader, replicas }))
      .toSorted((a, b) => a.partition - b.partition);
  });
}

/** How long leaders may take until they are back once the orders are, milliseconds: far less than Kafka's own balancing does. */
const LEADERS_MS = 10_000;

/**
 * Replicas are in the order of before, and whoever led by that order does so again. A partition that another one led, since a
 * broker had been away, may be led by either.
 */
async function assertLed(platform: string, before: readonly Led[]): Promise<void> {
  const asBefore = async (): Promise<true> => {
    const now = (await leadersOf(platform)).map((led, index) => {
      const { leader = -1, replicas = [] } = before[index] ?? {};
      return leader === replicas[0] ? led : { ...led, leader };
    });
    assert.deepEqual(now, before);
    return true;
  };
  await eventually('Kafka leads all partitions as before', asBefore, LEADERS_MS);
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
