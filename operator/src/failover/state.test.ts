import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BEGIN, enter, isMovingHome, type FailoverState, type Phase } from './state.ts';

/** A failover that went through `phases`, one a second. */
function through(...phases: Phase[]): FailoverState {
  return phases.reduce((state, phase, index) => enter(state, index * 1_000, { phase }), BEGIN);
}

const FENCED = through('Preflight', 'Prepare', 'Drain', 'Fence');
const AT_FENCE = 3_000;

test('the home is on its way from the fence until everybody is told', () => {
  const promoted = enter(FENCED, 3_400, { phase: 'Promote' });
  const shifted = enter(promoted, 3_800, { phase: 'Shift' });
  assert.deepEqual(
    [through('Preflight', 'Prepare', 'Drain'), FENCED, promoted, shifted].map((state) =>
      isMovingHome(state, 4_500),
    ),
    [false, true, true, true],
  );
});

test('gateways have a moment to come back to the home, once it has arrived', () => {
  const shifted = enter(enter(FENCED, 3_400, { phase: 'Promote' }), 3_800, { phase: 'Shift' });
  const verified = enter(shifted, 4_200, { phase: 'Verify' });
  assert.deepEqual(
    [4_200, 5_299, 5_300].map((now) => isMovingHome(verified, now)),
    [true, true, false],
  );
});

test('on its way back too, by the times of the way back', () => {
  const out = enter(enter(FENCED, 3_400, { phase: 'Promote' }), 3_800, { phase: 'Shift' });
  const held = enter(enter(out, 4_000, { phase: 'Verify' }), 4_500, { phase: 'Hold' });
  const back = (step: 'CatchUp' | 'Fence' | 'GiveBack'): FailoverState =>
    enter(held, 60_000, { phase: 'Restore', step });
  assert.deepEqual(
    [held, back('CatchUp'), back('Fence'), back('GiveBack')].map((state) => isMovingHome(state, 61_000)),
    [false, false, true, false],
  );
});

test('one that takes long waits for something, and holds nothing else up', () => {
  assert.equal(isMovingHome(FENCED, AT_FENCE + 4_999), true);
  assert.equal(isMovingHome(FENCED, AT_FENCE + 5_000), false);
  // What it lifts was never fenced here: an operator of before wrote that.
  assert.equal(isMovingHome({ ...FENCED, phases: [] }, AT_FENCE + 5_000), false);
});
