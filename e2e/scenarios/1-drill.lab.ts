/** Zones are left and come back, under load: the home moves, and nothing that was acknowledged is lost or seen twice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failovers } from './failover.ts';
import { moves } from './moves.ts';
import { leaderOutOfHomes, operatorRestarts } from './operator.ts';
import { scenario } from './support.ts';
import { exchange } from './traffic.ts';

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

test('a drill of the home zone: the home goes to zone-b and comes back, and nothing is lost or doubled', async () => {
  const args = ['--from', 'zone-a', '--to-home', 'zone-b', '--hold', '5s', '--min-ready', '1'];
  const { figures } = await moves(lab, NAME, { name: 'home', args });
  assert.notEqual(figures?.replicationLag, undefined, 'how far zone-b was behind was seen, and waited for');
  assert.ok(
    (figures?.partitionsLed ?? 0) > 0,
    'Kafka led partitions from zone-a, whose leaders had to leave',
  );
  const { homeZone, epoch } = await own.status();
  assert.deepEqual([homeZone, epoch], ['zone-a', 3]);
});

test('a drill of a zone that is not home: its clients move, and the home stays', async () => {
  const args = ['--from', 'zone-b', '--hold', '1s'];
  const { phases = [] } = await moves(lab, NAME, { name: 'not-home', args });
  assert.ok(!phases.some(({ name }) => name === 'Fence'), 'nobody was fenced');
  const { homeZone, epoch } = await own.status();
  assert.deepEqual([homeZone, epoch], ['zone-a', 3]);
});

test('a planned move: the home stays where it went', async () => {
  const args = ['--from', 'zone-a', '--mode', 'Planned', '--to-home', 'zone-c'];
  const restarts = await operatorRestarts(lab.kube);
  await moves(lab, NAME, { name: 'away', args });
  assert.equal((await own.status()).homeZone, 'zone-c');
  lab.progress.note(`the operator's leader is in ${await leaderOutOfHomes(lab.kube)}`);
  assert.equal(
    await operatorRestarts(lab.kube),
    restarts,
    'a leader that hands over is a standby in its place',
  );
});
