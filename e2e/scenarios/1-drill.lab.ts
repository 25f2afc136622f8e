/** A zone is left and comes back, under load: the home moves, and nothing that was acknowledged is lost or seen twice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zones } from '../lab/index.ts';
import { EtcdClient } from './etcd-client.ts';
import { Failovers, HomeWriter } from './failover.ts';
import { leaderOutOfHomes } from './operator.ts';
import { eventually, scenario } from './support.ts';
import { exchange, Traffic } from './traffic.ts';

const NAME = 'drill';
const lab = scenario('scenario-drill', {
  async setUp(scene) {
    await scene.readyPlatform(NAME, (spec) => {
      spec.gateway.replicasPerZone = 1;
    });
    await exchange(scene, NAME);
  },
});
const own = new Failovers(lab, NAME);

/** All is as it was: gateways, capacity, and nobody has the platform. */
async function assertGivenBack(): Promise<void> {
  await lab.waitReady(NAME);
  const { failover, away, gateways } = await own.status();
  assert.deepEqual([failover, away, gateways?.summary], [undefined, undefined, '3/3']);
  const marks =
    'jsonpath={range .items[*]}{.metadata.annotations.causeway\\.dev/drain}{.metadata.annotations.causeway\\.dev/failover}{end}';
  assert.equal(await lab.kubectl('get', 'pods', '-l', `causeway.dev/platform=${NAME}`, '-o', marks), '');
}

/** The last write that was taken is in every zone. */
async function assertReplicated(etcd: EtcdClient, key: string, value: number): Promise<void> {
  for (const zone of zones)
    await eventually(
      `${zone} has what was written last`,
      async () => (await etcd.get(zone, key)) === String(value),
    );
}

test('a drill of the home zone: the home goes to zone-b and comes back, and nothing is lost or doubled', async () => {
  const etcd = await EtcdClient.start(lab, NAME, 'zone-c');
  const traffic = await Traffic.start(lab, NAME);
  const writer = new HomeWriter(etcd, own, '/config/drill');
  try {
    await traffic.flows(25);
    const said = await own.start(
      'home',
      '--from',
      'zone-a',
      '--to-home',
      'zone-b',
      '--hold',
      '5s',
      '--min-ready',
      '1',
    );
    lab.progress.note(said.trim());
    await traffic.flows(25);
    lab.progress.note(await traffic.check());
  } finally {
    await writer.stop();
    await traffic.stop();
  }
  lab.progress.note(
    `${writer.taken} writes to etcd, ${writer.refused} refused, longest gap ${Math.round(writer.longestGap)} ms`,
  );
  const { status } = await own.get('home');
  lab.progress.note(JSON.stringify(status?.figures));
  assert.equal(status?.phase, 'Succeeded', status?.message ?? 'no status');
  assert.equal(status.figures?.replicationLag, 0);
  const { homeZone, epoch } = await own.status();
  assert.deepEqual([homeZone, epoch], ['zone-a', 3]);
  await assertReplicated(etcd, '/config/drill', writer.taken);
  await assertGivenBack();
  await exchange(lab, NAME);
});

test('a planned move: the home stays where it went', async () => {
  const etcd = await EtcdClient.start(lab, NAME, 'zone-c');
  const traffic = await Traffic.start(lab, NAME);
  const writer = new HomeWriter(etcd, own, '/config/planned');
  try {
    await traffic.flows(25);
    const said = await own.start('away', '--from', 'zone-a', '--mode', 'Planned', '--to-home', 'zone-c');
    lab.progress.note(said.trim());
    await traffic.flows(25);
    lab.progress.note(await traffic.check());
  } finally {
    await writer.stop();
    await traffic.stop();
  }
  lab.progress.note(
    `${writer.taken} writes to etcd, ${writer.refused} refused, longest gap ${Math.round(writer.longestGap)} ms`,
  );
  const { homeZone } = await own.status();
  assert.equal(homeZone, 'zone-c');
  await assertReplicated(etcd, '/config/planned', writer.taken);
  await assertGivenBack();
  lab.progress.note(
    `the home is in ${homeZone}, the operator's leader in ${await leaderOutOfHomes(lab.kube)}`,
  );
  await exchange(lab, NAME);
});
