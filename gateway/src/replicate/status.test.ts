import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Status } from './status.ts';
import { figures } from './testing/figures.ts';

describe('the metrics of a replicator', () => {
  it('call it stalled when it is more than a minute behind, and no longer when it has caught up', async () => {
    let now = 1_000_000;
    const status = new Status(7, () => now);
    const seen = async (): Promise<[number | undefined, number | undefined]> => {
      const { stalled, lag_seconds: lag } = await figures(status.metrics.registry);
      return [stalled, lag];
    };
    status.enter('Following', '');
    status.seen(5n);
    status.reached(5n);
    assert.deepEqual(await seen(), [0, 0]);
    now += 1000;
    status.seen(6n);
    now += 59_000;
    assert.deepEqual(await seen(), [0, 60]);
    now += 1000;
    assert.deepEqual(await seen(), [1, 61]);
    status.reached(6n);
    status.seen(6n);
    assert.deepEqual(await seen(), [0, 0]);
    assert.equal((await figures(status.metrics.registry))['epoch'], 7);
  });

  it('call it stalled when nothing is said of the source for a minute: what it has is not known', async () => {
    let now = 1_000_000;
    const status = new Status(1, () => now);
    status.enter('Following', '');
    status.seen(5n);
    status.reached(5n);
    now += 61_000;
    status.enter('Connecting', 'the source does not answer');
    assert.equal((await figures(status.metrics.registry))['stalled'], 1);
  });

  for (const phase of ['Fenced', 'Blocked'] as const) {
    it(`call it stalled at once while it is ${phase}`, async () => {
      const status = new Status(1);
      status.seen(5n);
      status.reached(5n);
      status.enter(phase, 'for a reason');
      assert.equal((await figures(status.metrics.registry))['stalled'], 1);
      assert.equal((await figures(status.metrics.registry))[phase.toLowerCase()], 1);
      status.enter('Following', '');
      assert.equal((await figures(status.metrics.registry))['stalled'], 0);
    });
  }
});
