import assert from 'node:assert/strict';
import { it } from 'node:test';
import { keptUp } from './kept-up.ts';
import type { Published } from './load.ts';

const good: Published = {
  sent: 100,
  skipped: 0,
  acknowledged: 100,
  failed: 0,
  errors: {},
  deliveries: 5000,
  expected: 5000,
  sendSeconds: 10,
  seconds: 10.01,
  ackTimes: [[3, 100]],
  pushTimes: [[5, 5000]],
};

it('a server keeps up when all comes, and soon', () => {
  assert.equal(keptUp(good), true);
});

it('it does not when something is refused, missing, twice or late', () => {
  const worse: Partial<Published>[] = [
    { skipped: 1 },
    { failed: 1 },
    { deliveries: 4999 },
    { deliveries: 5001 },
    { seconds: 11.5 },
    { pushTimes: [[1500, 5000]] },
    { deliveries: 0, expected: 0, pushTimes: [] },
  ];
  for (const change of worse) assert.equal(keptUp({ ...good, ...change }), false, JSON.stringify(change));
});
