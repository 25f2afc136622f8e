/**
 * Failovers with faults in the middle of them: the operator dies, and the home zone is cut off. After each the same holds as
 * in 2-outage.lab.ts.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cut, heal, zones } from '../lab/index.ts';
import { EtcdClient } from './etcd-client.ts';
import { Failovers, outage, readyToFail, withstand } from './failover.ts';
import { aimAtLeader, newLeader } from './operator.ts';
import { eventually, scenario } from './support.ts';

const NAME = 'move';
const lab = scenario('scenario-move', {
  setUp: (scene) => readyToFail(scene, NAME),
});
const own = new Failovers(lab, NAME);

test('the leader is killed in the middle of a drill: the next one finishes it, and nothing is lost', async () => {
  await withstand(lab, NAME, async () => {
    const target = await aimAtLeader(lab.kube);
    const drill = own.start('killed', '--from', 'zone-a', '--to-home', 'zone-b', '--hold', '1s');
    await eventually('it drains', async () => (await own.get('killed')).status?.phase === 'Drain', 120_000);
    target.kill();
    await newLeader(lab.kube, target.identity);
    lab.progress.note((await drill).trim());
  });
  const { homeZone, epoch } = await own.status();
  assert.deepEqual([homeZone, epoch], ['zone-a', 3]);
});

test('the home zone is cut off: an emergency moves the home, and the zone follows when it is back', async () => {
  const etcd = await EtcdClient.start(lab, NAME, 'zone-c');
  await etcd.put('zone-a', '/config/before', 'yes');
  await eventually('zone-b has it', async () => (await etcd.get('zone-b', '/config/before')) === 'yes');
  const has = (zone: string): Promise<boolean> =>
    eventually(`${zone} has it`, async () => (await etcd.get(zone, '/config/while-cut')) === 'yes');
  await withstand(lab, NAME, async ({ traffic }) => {
    await outage('zone-a', [cut, heal], async () => {
      const began = performance.now();
      const said = await own.start('fire', '--from', 'zone-a', '--mode', 'Emergency', '--to-home', 'zone-b');
      lab.progress.note(said.trim());
      await traffic.flows(25);
      lab.progress.note(
        `publications flow ${((performance.now() - began) / 1000).toFixed(1)} s after the word`,
      );
      assert.equal((await own.status()).homeZone, 'zone-b');
      await etcd.put('zone-b', '/config/while-cut', 'yes');
      await has('zone-c');
      await traffic.movedFrom('zone-a');
    });
    assert.equal(await own.ended('fire'), 'Succeeded');
  });
  assert.equal((await own.status()).homeZone, 'zone-b');
  await assert.rejects(
    etcd.put('zone-a', '/config/old-home', 'no'),
    /permission denied/,
    'the old home takes no writes',
  );
  for (const zone of zones) await has(zone);
});
