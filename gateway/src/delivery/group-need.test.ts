import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isNeeded } from './group-need.ts';

describe('one who could join a group', () => {
  const stable = (members: number): { state: string; members: number } => ({ state: 'Stable', members });

  it('is needed where too few are, and where nobody is', () => {
    assert.equal(isNeeded(stable(2), stable(2), 3), true);
    assert.equal(isNeeded({ state: 'Empty', members: 0 }, { state: 'Empty', members: 0 }, 3), true);
    assert.equal(isNeeded({ state: 'Dead', members: 0 }, { state: 'Dead', members: 0 }, 0), true);
  });

  it('is not needed where enough carry, nor when more come', () => {
    assert.equal(isNeeded(stable(3), stable(3), 3), false);
    assert.equal(isNeeded(stable(3), stable(5), 3), false);
  });

  it('is needed when one has left, though enough are still there', () => {
    assert.equal(isNeeded(stable(5), stable(4), 3), true);
  });

  for (const state of ['PreparingRebalance', 'CompletingRebalance'])
    it(`joins while the group changes anyway (${state})`, () => {
      assert.equal(isNeeded(stable(5), { state, members: 5 }, 3), true);
    });
});
