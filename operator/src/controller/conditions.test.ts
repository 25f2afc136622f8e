import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findCondition, isConditionTrue, removeCondition, setCondition, toMicroTime } from './conditions.ts';
import type { Condition } from './conditions.ts';

const T0 = Date.UTC(2026, 10, 23, 12, 0, 0, 900);
const ready = {
  type: 'Ready',
  status: 'False',
  reason: 'Starting',
  message: 'one gateway of 6 is ready',
} as const;

test('the transition time changes only with the status', () => {
  const first = setCondition([], ready, T0);
  assert.equal(first[0]?.lastTransitionTime, '2026-11-23T12:00:00Z');
  const second = setCondition(first, { ...ready, message: '5 gateways of 6 are ready' }, T0 + 60_000);
  assert.equal(second[0]?.lastTransitionTime, '2026-11-23T12:00:00Z');
  const third = setCondition(second, { ...ready, status: 'True', reason: 'Up' }, T0 + 120_000);
  assert.equal(third[0]?.lastTransitionTime, '2026-11-23T12:02:00Z');
});

test('what changes nothing gives back the same array, so that nothing is written', () => {
  const first = setCondition([], { ...ready, observedGeneration: 1 }, T0);
  assert.equal(setCondition(first, { ...ready, observedGeneration: 1 }, T0 + 5000), first);
  assert.notEqual(setCondition(first, { ...ready, observedGeneration: 2 }, T0 + 5000), first);
});

test('others are kept, in their order', () => {
  const base: Condition = { ...ready, lastTransitionTime: 'then' };
  const before = [{ ...base, type: 'A' }, base, { ...base, type: 'Foreign' }];
  const after = setCondition(before, { ...ready, status: 'True' }, T0);
  assert.deepEqual(
    after.map(({ type }) => type),
    ['A', 'Ready', 'Foreign'],
  );
  assert.deepEqual(
    removeCondition(after, 'Ready').map(({ type }) => type),
    ['A', 'Foreign'],
  );
  assert.equal(removeCondition(after, 'None'), after);
});

test('only True is true', () => {
  const conditions = setCondition([], { ...ready, status: 'Unknown' }, T0);
  assert.equal(isConditionTrue(conditions, 'Ready'), false);
  assert.equal(isConditionTrue(undefined, 'Ready'), false);
  assert.equal(findCondition(conditions, 'Ready')?.status, 'Unknown');
});

test('a MicroTime has six digits', () => {
  assert.equal(toMicroTime(T0), '2026-11-23T12:00:00.900000Z');
});
