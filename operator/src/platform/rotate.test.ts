import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RotatingPod } from '../certificates/index.ts';
import { reminders } from './rotate.ts';

describe('a gateway that was told a version', () => {
  const pod: RotatingPod = {
    name: 'gateway-a',
    uid: 'a',
    zone: 'zone-a',
    ready: true,
    told: 2,
    toldAt: 100_000,
    shows: 1,
  };
  const remind = (change: Partial<RotatingPod>, now: number, refresh?: string): string[] =>
    reminders([{ ...pod, ...change }], [{ uid: 'a', refresh }], now).map((one) => one.refresh);

  it('is reminded every three seconds while it shows another one', () => {
    assert.deepEqual(remind({}, 102_999), []);
    assert.deepEqual(remind({}, 103_000), ['2-told-1']);
    assert.deepEqual(remind({}, 105_999, '2-told-1'), [], 'once for each time');
    assert.deepEqual(remind({}, 106_000, '2-told-1'), ['2-told-2']);
    assert.deepEqual(
      remind({ told: 1, shows: 2 }, 103_000, '2-told-2'),
      ['1-told-1'],
      'also on the way back',
    );
  });

  it('is left alone when it shows it, was not asked, is not ready, or was told nothing', () => {
    for (const change of [{ shows: 2 }, { shows: undefined }, { ready: false }, { told: undefined }])
      assert.deepEqual(remind(change, 150_000), []);
  });
});
