import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { endProcess, identify, isAlive, parseStat } from './pid.ts';

test('a stat line whose command has spaces and parentheses is read from behind it', () => {
  const tail = ['S', '1', ...Array<string>(17).fill('0'), '4711', '0'].join(' ');
  assert.deepEqual(parseStat(`12 (a (b) c) ${tail}`), { state: 'S', parent: 1, startTime: 4711 });
  assert.equal(parseStat('nonsense'), undefined);
});

test('a process is alive until it is ended, and a recycled pid is another process', async () => {
  const child = spawn('sleep', ['60']);
  const pid = child.pid ?? 0;
  const identity = identify(pid);
  assert.equal(isAlive(identity), true);
  assert.equal(isAlive({ pid, startTime: identity.startTime - 1 }), false, 'same pid, other start');

  await endProcess({ pid, startTime: identity.startTime - 1 });
  assert.equal(isAlive(identity), true, 'ending the earlier owner of the pid leaves this one alone');

  await endProcess(identity);
  assert.equal(isAlive(identity), false);
});

test('a process that ignores SIGTERM is killed after the grace period', async () => {
  const child = spawn('sh', ['-c', 'trap "" TERM; echo ready; while :; do sleep 1; done'], {
    detached: true,
  });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  const identity = identify(child.pid ?? 0);
  await endProcess(identity, { graceMs: 200, group: true });
  assert.equal(isAlive(identity), false);
});
