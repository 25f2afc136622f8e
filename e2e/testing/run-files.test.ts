import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../tools/index.ts';

test('a file that does not end after its last test is ended, and fails the run', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-run-files-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const files = ['ends', 'spins'].map((name) => join(folder, `${name}.test.mjs`));
  const passes = "import { test } from 'node:test'; test('passes', () => {});";
  writeFileSync(files[0] ?? '', passes);
  writeFileSync(files[1] ?? '', `${passes} process.on('exit', () => { for (;;); });`);
  const program = join(folder, 'run.mjs');
  const text = `
    import { runFiles } from ${JSON.stringify(join(import.meta.dirname, 'run-files.ts'))};
    const options = { cwd: '.', concurrency: 1, timeoutMs: 2_000, endMs: 1_000 };
    const { failed } = await runFiles(${JSON.stringify(files)}, options);
    console.log(failed + ' failed');
  `;
  // In a process of its own: node:test runs no files from within a test.
  writeFileSync(program, text);
  const { stdout } = await run(process.execPath, [program], { env: { NODE_TEST_CONTEXT: undefined } });
  assert.match(stdout, /nothing happened for 3 s/);
  assert.match(stdout, /[1-9]\d* failed/);
});
