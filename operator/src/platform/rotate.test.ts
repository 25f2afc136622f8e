import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RotatingPod, Rotation } from '../certificates/index.ts';
import { refreshes } from './rotate.ts';

describe('a gateway that was told a version', () => {
  const rotation: Rotation = {
    from: 1,
    to: 2,
    reason: 'Requested',
    stage: 'Roll',
    startedAt: 90_000,
    stageSince: 100_000,
  };
  const pod: RotatingPod = {
    name: 'gateway-a',
    uid: 'a',
    zone: 'zone-a',
    ready: true,
    told: 2,
    toldAt: 100_000,
    shows: 1,
  };
  const remind = (
    change: Partial<RotatingPod & Pick<Rotation, 'stage'>>,
    now: number,
    refresh?: string,
  ): string[] => {
    const { stage = rotation.stage, ...how } = change;
    // Its inner link is where the stage wants it.
    const link = { uid: 'a', ready: true, trusts: true, shows: stage === 'RollBack' ? 1 : 2, refresh };
    const seen = { links: [{ ...link, ready: how.ready ?? true }], pods: [{ ...pod, ...how }] };
    return refreshes(seen, { rotation: { ...rotation, stage }, now }).map((one) => one.refresh);
  };

  it('is reminded every three seconds while it shows another one', () => {
    assert.deepEqual(remind({}, 102_999), []);
    assert.deepEqual(remind({}, 103_000), ['2-Roll-1']);
    assert.deepEqual(remind({}, 105_999, '2-Roll-1'), [], 'once for each time');
    assert.deepEqual(remind({}, 106_000, '2-Roll-1'), ['2-Roll-2']);
    const back = { stage: 'RollBack', told: 1, shows: 2 } as const;
    assert.deepEqual(remind(back, 103_000, '2-Roll-2'), ['2-RollBack-1'], 'also on the way back');
  });

  it('is left alone when it shows it, was not asked, is not ready, or was told nothing', () => {
    for (const change of [{ shows: 2 }, { shows: undefined }, { ready: false }, { told: undefined }])
      assert.deepEqual(remind(change, 150_000), []);
  });
});
