import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ZoneFailoverStatus } from '@causeway/crds';
import { partsOf, wholeOf } from './parts.ts';

const at = Date.parse('2026-11-26T04:00:00Z');
const time = (seconds: number): string => new Date(at + seconds * 1000).toISOString();

test('the time of a failover is told by its phases, from the act on', () => {
  const status: ZoneFailoverStatus = {
    phase: 'Succeeded',
    startedAt: time(11),
    verifiedAt: time(15),
    figures: { homelessMs: 800 },
    phases: [
      { name: 'Preflight', startedAt: time(11), endedAt: time(11.5) },
      { name: 'Shift', startedAt: time(12), endedAt: time(14) },
      { name: 'Restore', step: 'Shift', startedAt: time(20), endedAt: time(21) },
    ],
  };
  assert.deepEqual(partsOf(status, at), {
    detection: 11,
    phases: { Preflight: 0.5, Shift: 2, 'Restore/Shift': 1 },
    shifted: 14,
    verified: 15,
    homeless: 0.8,
  });
});

test('what there was not is no number', () => {
  const { shifted, homeless } = partsOf({ startedAt: time(1) }, at);
  assert.deepEqual([shifted, homeless], [Number.NaN, Number.NaN]);
});

test('the whole of a drill goes on until all is given back, and its hold is no part of it', () => {
  const phases = { Prepare: 8, Shift: 2, Hold: 5, 'Restore/Shift': 1, 'Restore/GiveBack': 6 };
  assert.equal(wholeOf({ detection: 0.5, phases }), 17.5);
});

test('what gave nothing back has no whole', () => {
  assert.equal(wholeOf({ detection: 0.5, phases: { Prepare: 8, Verify: 2 } }), Number.NaN);
});
