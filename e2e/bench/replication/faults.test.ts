import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { countFaults } from './faults.ts';
import type { Seen } from './faults.ts';

const at = (transaction: number, revision: number, keys = ['0', '1', '2']): Seen[] =>
  keys.map((key) => ({ transaction, key, revision: String(revision) }));

describe('countFaults', () => {
  it('whole and once each: no fault, also when several come together', () => {
    assert.deepEqual(countFaults(3, [...at(0, 5), ...at(1, 6), ...at(2, 6)]), {
      skipped: 0,
      repeated: 0,
      halfSeen: 0,
      wentBack: 0,
    });
  });

  it('each fault is counted once for each transaction', () => {
    const seen = [
      ...at(0, 5, ['0']),
      ...at(0, 6, ['1', '2']), // in two revisions
      ...at(1, 7, ['0', '1']), // a key never comes
      ...at(3, 8), // 2 never comes at all
      ...at(3, 9), // again
    ];
    assert.deepEqual(countFaults(4, seen), { skipped: 2, repeated: 1, halfSeen: 2, wentBack: 0 });
  });

  it('what is older and comes later is counted, key by key', () => {
    assert.equal(countFaults(2, [...at(1, 5), ...at(0, 6)]).wentBack, 3);
  });
});
