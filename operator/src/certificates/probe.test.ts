import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { failingSince } from './probe.ts';

describe('the clients of a pod', () => {
  const failing = (since: [number, number], before: [number, number]): string | undefined => {
    const count = ([completed, failed]: [number, number]): { completed: number; failed: number } => ({
      completed,
      failed,
    });
    return failingSince({ since: count(since), before: count(before) });
  };

  it('fail since it moved, when many more of them refuse what it shows than before', () => {
    assert.equal(failing([30, 30], [1000, 10]), '30 of 60 handshakes failed since then (50 %; 1 % before)');
    assert.equal(failing([0, 20], [0, 0]), '20 of 20 handshakes failed since then (100 %; 0 % before)');
  });

  it('do not fail since then, when they are few, or failed before as well', () => {
    assert.equal(failing([0, 19], [100, 0]), undefined, 'a handful breaks off at any time');
    assert.equal(failing([1000, 50], [1000, 0]), undefined, 'one in twenty');
    assert.equal(failing([60, 40], [80, 20]), undefined, 'twice as many as before');
    assert.equal(failingSince(undefined), undefined, 'it says nothing');
  });
});
