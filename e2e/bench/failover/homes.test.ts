import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeHomes } from './homes.ts';
import type { WriterLine } from './home-writer.ts';

const began = 1_000_000;
const outage = { zone: 'zone-a', from: began + 1_000, to: began + 60_000, emergency: began + 12_000 };

/** A write to Redis that took a millisecond; `reign`: it was taken. */
function write(zone: string, ms: number, reign?: string): WriterLine {
  const value = `${zone}-${ms}`;
  const told =
    reign === undefined
      ? { result: 'refused' as const }
      : { result: 'acknowledged' as const, reign, revision: '1' };
  const invokedAt = began + ms;
  return { value, client: zone, store: 'redis', zone, key: 'k', invokedAt, endedAt: invokedAt + 1, ...told };
}

test('a home that stops before the next one begins is alone', () => {
  const lines = [
    write('zone-a', 0, 'one'),
    write('zone-b', 10),
    write('zone-a', 900, 'one'),
    write('zone-b', 1_500, 'two'),
  ];
  const { violations, reigns, acknowledged } = judgeHomes(lines);
  assert.deepEqual([violations, reigns.redis, acknowledged.redis], [{}, 2, 3]);
});

test('two that take writes by turns are two homes', () => {
  const lines = [write('zone-a', 0, 'one'), write('zone-b', 100, 'two'), write('zone-a', 200, 'one')];
  assert.deepEqual(judgeHomes(lines).violations, { 'two-homes': 1 });
});

test('one that is cut off may go on until it notices, and no longer', () => {
  const lines = [write('zone-a', 0, 'one'), write('zone-a', 11_000, 'one'), write('zone-b', 13_000, 'two')];
  const fine = judgeHomes(lines, outage);
  assert.deepEqual([fine.violations, fine.aloneMs], [{}, 10_000]);
  const late = judgeHomes([...lines, write('zone-a', 20_000, 'one')], outage);
  assert.equal(late.violations.unguarded, 1);
});
