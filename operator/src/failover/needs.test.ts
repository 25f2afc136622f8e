import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LAG_EVERY_MS, needsOf } from './needs.ts';
import { BEGIN, type FailoverState, type Phase } from './state.ts';

const at = (phase: Phase, more: Partial<FailoverState> = {}): FailoverState => ({ ...BEGIN, phase, ...more });

describe('a look', () => {
  for (const phase of ['Prepare', 'Drain'] as const)
    it(`asks stores in ${phase} now and then, for nothing is decided on them`, () => {
      assert.equal(needsOf(at(phase), 'Drill', LAG_EVERY_MS - 1).stores, false);
      assert.equal(needsOf(at(phase), 'Drill', LAG_EVERY_MS).stores, true);
      assert.equal(needsOf(at(phase), 'Emergency', Infinity).stores, false);
    });

  it('asks stores at the end of Drain, so that Fence finds connections that are made', () => {
    assert.equal(needsOf(at('Drain', { figures: { drainMs: 9_000 } }), 'Planned', 0).stores, true);
  });

  for (const phase of ['Preflight', 'Fence', 'Promote', 'Shift', 'Verify', 'Hold'] as const)
    it(`asks stores each time in ${phase}`, () => {
      assert.equal(needsOf(at(phase), 'Drill', 0).stores, true);
    });

  it('asks Kafka in Prepare once there is capacity, until leaders have moved', () => {
    const asks = (figures: FailoverState['figures']): boolean =>
      needsOf(at('Prepare', { figures }), 'Planned', 0).kafka;
    assert.deepEqual([{}, { capacityMs: 1 }, { capacityMs: 1, leadersMoved: 6 }].map(asks), [
      false,
      true,
      false,
    ]);
  });

  it('is in a hurry while an Emergency is under way, and not for the zone that comes back after it', () => {
    const hurry = (phase: Phase, mode: 'Emergency' | 'Drill'): boolean | undefined =>
      needsOf(at(phase, { holds: true }), mode, 0).hurry;
    assert.deepEqual(
      (['Queued', 'Fence', 'RollingBack', 'Succeeded', 'Failed'] as const).map((phase) =>
        hurry(phase, 'Emergency'),
      ),
      [true, true, true, undefined, undefined],
    );
    assert.equal(hurry('Fence', 'Drill'), undefined);
  });
});
