import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { median, percentile, rounded, table } from './report.ts';

describe('bench report', () => {
  it('median of odd, even and no values', () => {
    assert.equal(median([9, 1, 5]), 5);
    assert.equal(median([4, 1, 2, 9]), 3);
    assert.equal(median([]), Number.NaN);
  });

  it('percentiles by nearest rank', () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    assert.equal(percentile(values, 50), 50);
    assert.equal(percentile(values, 99), 99);
    assert.equal(percentile([7], 99), 7);
  });

  it('rounds all numbers and nothing else', () => {
    assert.deepEqual(rounded({ a: [1.23456, 'x'], b: { c: 2 } }), { a: [1.235, 'x'], b: { c: 2 } });
  });

  it('the table is aligned', () => {
    const lines = table([{ what: 'keys/s', causeway: 12_345.6, makeMirror: 1.25, ratio: 2 }]).split('\n');
    assert.equal(new Set(lines.map((line) => line.length)).size, 1);
    assert.match(lines[1] ?? '', /keys\/s\s+12,346\s+1\.3\s+2\.00 ×/);
  });
});
