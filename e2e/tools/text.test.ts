import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatElapsed } from './progress.ts';
import { CommandError, run } from './run.ts';
import { waitFor } from './wait.ts';

function refuse(): boolean {
  throw new Error('connection refused');
}

test('elapsed times read as a person says them', () => {
  assert.equal(formatElapsed(420), '0.4 s');
  assert.equal(formatElapsed(12_400), '12 s');
  assert.equal(formatElapsed(59_700), '1 min 00 s');
  assert.equal(formatElapsed(185_000), '3 min 05 s');
});

test('a command that fails says which, how, and what it wrote', async () => {
  await assert.rejects(run('sh', ['-c', 'echo oh no >&2; exit 3']), (error: unknown) => {
    assert.ok(error instanceof CommandError);
    assert.equal(error.exitCode, 3);
    assert.match(error.message, /sh -c.*exit 3\noh no/);
    return true;
  });
  await assert.rejects(run('no-such-program', []), /no-such-program: cannot start/);
  await assert.rejects(run('sleep', ['30'], { timeoutMs: 50 }), /timed out after 50 ms/);
});

test('waiting ends with the value, or with what the condition last said', async () => {
  let asked = 0;
  assert.equal(
    await waitFor('a third time', () => (asked++ === 2 ? 'yes' : false), { intervalMs: 1 }),
    'yes',
  );
  await assert.rejects(
    waitFor('the server', refuse, { timeoutMs: 20, intervalMs: 5 }),
    /the server.*connection refused/,
  );
});
