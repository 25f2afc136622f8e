import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Tally } from './tally.ts';

describe('the books of a load', () => {
  it('are complete when every message is answered and everywhere', () => {
    const tally = new Tally(['a', 'b']);
    const message = tally.sent('a', 'chat:1', 10);
    tally.acknowledged(message, 12);
    tally.received('a', message, 13);
    assert.equal(tally.complete, false);
    tally.received('b', message, 15);
    assert.equal(tally.complete, true);
    assert.deepEqual(tally.acknowledgements, [2]);
    assert.deepEqual(tally.pairs(), [
      { from: 'a', to: 'a', values: [3] },
      { from: 'a', to: 'b', values: [5] },
    ]);
  });

  it('count what is lost, twice, and out of order', () => {
    const tally = new Tally(['a', 'b']);
    const first = tally.sent('a', 'chat:1', 0);
    const second = tally.sent('a', 'chat:1', 1);
    tally.acknowledged(first, 2);
    tally.acknowledged(second, 2);
    tally.received('a', second, 3);
    tally.received('a', first, 4);
    tally.received('a', first, 5);
    tally.received('b', second, 5);
    const { lost, duplicated, outOfOrder } = tally.counts();
    assert.deepEqual({ lost, duplicated, outOfOrder }, { lost: 1, duplicated: 1, outOfOrder: 1 });
  });

  it('do not call lost what was never acknowledged', () => {
    const tally = new Tally(['a']);
    tally.failed(tally.sent('a', 'chat:1', 0), new Error('108 too many'));
    assert.equal(tally.complete, true);
    const { failed, failure, lost } = tally.counts();
    assert.deepEqual({ failed, failure, lost }, { failed: 1, failure: '108 too many', lost: 0 });
  });

  it('leave out the warm-up, also what of it comes late', () => {
    const tally = new Tally(['a']);
    const early = tally.sent('a', 'chat:1', 0);
    tally.restart();
    tally.received('a', early, 9);
    tally.acknowledged(early, 9);
    tally.failed(early, new Error('late'));
    assert.deepEqual(tally.counts(), {
      sent: 0,
      acknowledged: 0,
      failed: 0,
      received: 0,
      lost: 0,
      duplicated: 0,
      outOfOrder: 0,
    });
    assert.equal(tally.complete, true);
  });
});
