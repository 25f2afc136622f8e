import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

const module = join(import.meta.dirname, 'begin-again.ts');

test('a process that begins again is another one, with the id, arguments and flags of the one before', () => {
  const script = `
    import { beginAgain } from ${JSON.stringify(module)};
    console.log(JSON.stringify([process.pid, process.argv.slice(1), process.execArgv, process.env.TURN]));
    process.on('exit', () => console.log('exit'));
    globalThis.setInterval(() => undefined, 1000);
    if (process.env.TURN === '2') process.exit(3);
    process.env.TURN = '2';
    beginAgain();`;
  const flags = ['--no-warnings', '--input-type=module', '-e', script];
  const { stdout, status } = spawnSync(process.execPath, [...flags, 'run', '--name=x y'], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  const [first, second, ...rest] = stdout.trim().split('\n');
  const [pid, argv, execArgv] = JSON.parse(first ?? '') as unknown[];
  assert.deepEqual(JSON.parse(second ?? ''), [pid, argv, execArgv, '2']);
  assert.deepEqual([argv, rest, status], [['run', '--name=x y'], ['exit'], 3]);
});
