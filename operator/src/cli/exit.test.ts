import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

const module = join(import.meta.dirname, 'exit.ts');

function exitCodeOf(held: string): number | null {
  const script = `import { exitSoon } from ${JSON.stringify(module)}; ${held}; exitSoon(3, 50);`;
  return spawnSync(process.execPath, ['--input-type=module', '-e', script], { timeout: 30_000 }).status;
}

test('a process that something still holds ends all the same, with its code', () => {
  assert.equal(exitCodeOf('setInterval(() => undefined, 1000)'), 3);
});

test('a process that nothing holds ends with its code', () => {
  assert.equal(exitCodeOf(''), 3);
});
