import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { markdownTable, shown, spread } from './markdown.ts';

describe('tables of the benchmarks page', () => {
  it('show three digits that matter', () => {
    assert.deepEqual([0.12345, 4.567, 78.91, 1234.5, 0, Number.NaN].map(shown), [
      '0.123',
      '4.57',
      '78.9',
      '1,235',
      '0',
      '–',
    ]);
  });

  it('show the median and the range', () => {
    assert.equal(spread([5, 4.1, 6]), '5 (4.1–6)');
    assert.equal(spread([5]), '5');
    assert.equal(spread([5, 5.0001]), '5');
    assert.equal(spread([]), '–');
  });

  it('have numbers on the right', () => {
    assert.equal(
      markdownTable([
        ['what', 'n'],
        ['a', '1'],
      ]),
      '| what | n |\n| --- | --: |\n| a | 1 |',
    );
  });
});
