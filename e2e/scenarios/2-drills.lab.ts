/** Drills of the zones that 1-drill.lab.ts has no time for, and a home that goes and comes back as planned. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failovers, readyToFail } from './failover.ts';
import { moves } from './moves.ts';
import { scenario } from './support.ts';

const NAME = 'drills';
const lab = scenario('scenario-drills', { setUp: (scene) => readyToFail(scene, NAME) });
const own = new Failovers(lab, NAME);

test('a planned move there and back: the home is where it was at first', async () => {
  for (const [from, to] of [
    ['zone-a', 'zone-c'],
    ['zone-c', 'zone-a'],
  ] as const) {
    const args = ['--from', from, '--mode', 'Planned', '--to-home', to];
    await moves(lab, NAME, { name: `to-${to}`, args });
    assert.equal((await own.status()).homeZone, to);
  }
});

test('drills of each zone in turn: the home comes back each time', async () => {
  for (const zone of ['zone-b', 'zone-c', 'zone-a']) {
    await moves(lab, NAME, { name: `drill-${zone}`, args: ['--from', zone, '--hold', '1s'] });
    assert.equal((await own.status()).homeZone, 'zone-a');
  }
});
