import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { KubeError } from './kube-api.ts';
import { createLogger } from './log.ts';
import type { LoggerOptions } from './log.ts';
import { settle } from './testing/index.ts';

function capture(options: LoggerOptions = {}): { lines: string[]; logger: ReturnType<typeof createLogger> } {
  const lines: string[] = [];
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(String(chunk).trimEnd());
      done();
    },
  });
  return { lines, logger: createLogger({ ...options, stream }) };
}

test('a line is JSON with the fields of its logger, and errors keep what matters', async () => {
  const { lines, logger } = capture();
  const error = new KubeError('pods is forbidden', { code: 403, reason: 'Forbidden' });
  logger.child({ controller: 'platform' }).warn('could not', { error, message: 'field' });
  logger.debug('not at this level');
  await settle();
  assert.equal(lines.length, 1);
  const line = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
  assert.equal(line.level, 'warn');
  assert.equal(line.message, 'could not');
  assert.equal(line.detail, 'field');
  assert.equal(line.controller, 'platform');
  assert.deepEqual(line.error, { message: 'pods is forbidden', code: 403, reason: 'Forbidden' });
  assert.ok(!Number.isNaN(Date.parse(String(line.timestamp))));
});

test("our own bugs have a stack, a server's answers don't", async () => {
  const { lines, logger } = capture();
  logger.error('bug', { error: new TypeError('x is not a function', { cause: new Error('why') }) });
  await settle();
  const { error } = JSON.parse(lines[0] ?? '') as { error: { stack: string; cause: { message: string } } };
  assert.match(error.stack, /log\.test\.ts/);
  assert.equal(error.cause.message, 'why');
});

test('for people it is one readable line', async () => {
  const { lines, logger } = capture({ format: 'human' });
  logger.info('created', { kind: 'Service', object: 'orders' });
  await settle();
  assert.match(lines[0] ?? '', /^\S+ INFO {2}created {2}kind=Service object=orders$/);
});
