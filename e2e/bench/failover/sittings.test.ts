import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sittingsOf } from './sittings.ts';

test('runs that follow each other are of one sitting', () => {
  assert.equal(sittingsOf([]), 0);
  assert.equal(sittingsOf(['2026-11-26T23:45:13Z', '2026-11-26T23:43:47Z', '2026-11-26T23:50:00Z']), 1);
});

test('a run long after the one before begins another sitting, in whatever order they are told', () => {
  assert.equal(sittingsOf(['2026-11-27T03:59:43Z', '2026-11-26T23:43:47Z', '2026-11-26T23:45:13Z']), 2);
});
