import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseQuantity, sameQuantity } from './quantity.ts';

test('the same amount in other words is the same', () => {
  const same: [unknown, unknown][] = [
    ['1000m', '1'],
    ['0.5Gi', '512Mi'],
    ['1e3', '1k'],
    ['1E3', 1000],
    ['100m', '0.1'],
    ['.5', '500m'],
    ['1.', '1'],
    ['2Ei', '2305843009213693952'],
    ['-1', '-1000m'],
    ['0', '0Gi'],
  ];
  for (const [a, b] of same) assert.ok(sameQuantity(a, b), `${String(a)} = ${String(b)}`);
});

test('other amounts, and what is no quantity, are not', () => {
  const other: [unknown, unknown][] = [
    ['1', '1m'],
    ['1G', '1Gi'],
    ['128Mi', '128M'],
    ['abc', 'abc'],
    ['', ''],
    ['1 Gi', '1Gi'],
    ['1', undefined],
    [null, null],
    ['1Kii', '1Kii'],
    ['.', '.'],
  ];
  for (const [a, b] of other) assert.ok(!sameQuantity(a, b), `${String(a)} ≠ ${String(b)}`);
});

test('what is finer than a billionth is rounded up, as the API server does', () => {
  assert.equal(parseQuantity('0.0000000001'), 1n);
  assert.equal(parseQuantity('1n'), 1n);
  assert.equal(parseQuantity('1e-12'), 1n);
});
