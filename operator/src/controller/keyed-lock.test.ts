import assert from 'node:assert/strict';
import { it } from 'node:test';
import { KeyedLock } from './keyed-lock.ts';

it('lets one work at a time on a key, in the order of asking, also after a failure', async () => {
  const lock = new KeyedLock();
  const order: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = lock.run('a', async () => {
    order.push('first begins');
    await gate.promise;
    order.push('first ends');
    throw new Error('it failed');
  });
  const second = lock.run('a', async () => void order.push('second'));
  await lock.run('b', async () => void order.push('another key'));
  gate.resolve();
  await assert.rejects(first, /it failed/);
  await second;
  assert.deepEqual(order, ['first begins', 'another key', 'first ends', 'second']);
});
