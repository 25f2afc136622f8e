import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stopOnSignals } from './stop.ts';

test('the first signal asks to stop, the second one does not wait', () => {
  const codes: number[] = [];
  const { signal, dispose } = stopOnSignals({
    signals: ['SIGTERM', 'SIGINT'],
    onSecond: (code) => codes.push(code),
  });
  try {
    process.emit('SIGTERM', 'SIGTERM');
    assert.equal(signal.aborted, true);
    assert.match(String(signal.reason), /stopped by SIGTERM/);
    assert.deepEqual(codes, []);
    process.emit('SIGINT', 'SIGINT');
    assert.deepEqual(codes, [130]);
  } finally {
    dispose();
  }
  assert.equal(process.listenerCount('SIGTERM'), 0);
});
