import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describePlan, FAULTS, planOf } from './plan.ts';

const SIZES = { brokers: 1, gateways: 3, subscribers: 5 };

describe('a plan of faults', () => {
  it('is the same for the same seed, and another for another', () => {
    assert.deepEqual(planOf(7, 2, SIZES), planOf(7, 2, SIZES));
    assert.notDeepEqual(planOf(7, 2, SIZES), planOf(8, 2, SIZES));
  });

  it('has every fault once in each round, some at the same time, none twice on one thing', () => {
    for (let seed = 0; seed < 50; seed += 1) {
      const plan = planOf(seed, 2, SIZES);
      for (const kind of FAULTS) assert.equal(plan.filter((fault) => fault.kind === kind).length, 2, kind);
      const redis = plan.filter(({ kind }) => /^redis-(kill|empty|rewind|freeze)$/.test(kind));
      for (const [index, fault] of redis.entries()) {
        const next = redis[index + 1];
        assert.ok(!next || next.at >= fault.at + fault.forMs, `seed ${seed}`);
      }
      assert.ok(plan.some((fault, index) => (plan[index + 1]?.at ?? Infinity) < fault.at + fault.forMs));
      assert.ok(plan.every(({ kind, on }) => on < (kind === 'leave' ? 5 : 3)));
    }
  });

  it('has only the faults that are asked for', () => {
    const plan = planOf(1, 3, SIZES, ['storm', 'fuzz']);
    assert.deepEqual(new Set(plan.map(({ kind }) => kind)), new Set(['storm', 'fuzz']));
  });

  it('is told in a line for each', () => {
    assert.equal(describePlan(planOf(1, 1, SIZES)).split('\n').length, FAULTS.length);
  });
});
