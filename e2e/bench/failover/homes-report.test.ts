import assert from 'node:assert/strict';
import { test } from 'node:test';
import { homesRow, type HomesGroup } from './homes-report.ts';

type Run = HomesGroup['runs'][number];

function run(etcd: number, redis: number, aloneMs: number, violations: Run['violations'] = {}): Run {
  return { acknowledged: { etcd: 900, redis: 700 }, byOldHome: { etcd, redis }, aloneMs, violations };
}

test('what an old home took is told by its range, and how long its Redis was alone', () => {
  assert.deepEqual(
    homesRow({ kind: 'cut', isGone: true, runs: [run(179, 33, 10_654), run(133, 38, 11_085)] }),
    ['cut', '0 of 2', '0 of 2', '1,800', '156 (133–179)', '1,400', '35.5 (33–38)', '10.9 (10.7–11.1)'],
  );
});

test('runs with two homes are counted, and those with one that was alone for too long', () => {
  const runs = [run(1, 1, 0, { 'two-homes': 3 }), run(0, 0, 20_000, { unguarded: 1 }), run(0, 0, 0)];
  assert.deepEqual(homesRow({ kind: 'cut', isGone: true, runs }).slice(1, 3), ['1 of 3', '1 of 3']);
});

test('a zone that was only left was never alone', () => {
  assert.equal(homesRow({ kind: 'drill', isGone: false, runs: [run(0, 0, 0)] }).at(-1), '–');
});
