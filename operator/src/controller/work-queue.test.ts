import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createMetrics } from './metrics.ts';
import { settle, TestClock } from './testing/index.ts';
import { WorkQueue } from './work-queue.ts';

function makeQueue(): { queue: WorkQueue; clock: TestClock } {
  const clock = new TestClock();
  return { queue: new WorkQueue({ name: 'test', clock }), clock };
}

test('a key that waits is not added twice', async () => {
  const { queue } = makeQueue();
  queue.add('a');
  queue.add('a');
  queue.add('b');
  assert.equal(queue.length, 2);
  assert.equal(await queue.take(), 'a');
  assert.equal(await queue.take(), 'b');
});

test('a key that changes while it is worked on comes back, once, after the work, behind the others', async () => {
  const { queue } = makeQueue();
  queue.add('a');
  await queue.take();
  queue.add('a');
  queue.add('a');
  queue.add('b');
  assert.equal(queue.length, 1, 'a must not be handed to a second worker');
  queue.done('a');
  assert.equal(await queue.take(), 'b');
  assert.equal(await queue.take(), 'a');
  queue.done('a');
  assert.equal(queue.length, 0);
});

test('a delayed key comes at the earlier of two times', async () => {
  const { queue, clock } = makeQueue();
  queue.addAfter('a', 1000);
  queue.addAfter('a', 300);
  queue.addAfter('a', 2000);
  await clock.advance(299);
  assert.equal(queue.length, 0);
  await clock.advance(1);
  assert.equal(queue.length, 1);
  await queue.take();
  queue.done('a');
  await clock.advance(5000);
  assert.equal(queue.length, 0, 'the later times must not bring it again');
});

test('many delayed keys keep one sleeper', async () => {
  const { queue, clock } = makeQueue();
  for (let index = 0; index < 1000; index += 1) queue.addAfter(`k${index}`, 1000 + ((index * 7919) % 1000));
  await settle();
  assert.equal(clock.sleeping, 1);
  await clock.advance(2000);
  assert.equal(queue.length, 1000);
});

test('a failing key waits longer each time, at most five minutes, until it is forgotten', () => {
  const { queue } = makeQueue();
  const waits = Array.from({ length: 20 }, () => queue.addRateLimited('a'));
  assert.deepEqual(waits.slice(0, 5), [5, 10, 20, 40, 80]);
  assert.equal(waits.at(-1), 300_000);
  queue.forget('a');
  assert.equal(queue.addRateLimited('a'), 5);
});

test('when very many keys fail at once, they come back ten in a second', () => {
  const { queue } = makeQueue();
  for (let index = 0; index < 100; index += 1) queue.addRateLimited(`k${index}`);
  assert.equal(Math.round(queue.addRateLimited('one more')), 100);
  assert.equal(Math.round(queue.addRateLimited('and another')), 200);
});

test('a shut queue lets its workers go and takes nothing more', async () => {
  const { queue } = makeQueue();
  const waiting = queue.take();
  queue.shutDown();
  assert.equal(await waiting, undefined);
  queue.add('a');
  assert.equal(await queue.take(), undefined);
});

test('metrics have the names that dashboards for client-go expect', async () => {
  const metrics = createMetrics();
  const clock = new TestClock();
  const queue = new WorkQueue({ name: 'q', clock, metrics });
  queue.add('a');
  await clock.advance(2000);
  await queue.take();
  await clock.advance(500);
  queue.done('a');
  queue.addRateLimited('a');
  const text = await metrics.registry.metrics();
  assert.match(text, /workqueue_adds_total\{name="q"\} 1/);
  assert.match(text, /workqueue_depth\{name="q"\} 0/);
  assert.match(text, /workqueue_retries_total\{name="q"\} 1/);
  assert.match(text, /workqueue_queue_duration_seconds_sum\{name="q"\} 2\b/);
  assert.match(text, /workqueue_work_duration_seconds_sum\{name="q"\} 0.5/);
});

test('property: no key is with two workers, and no change is lost', async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('add' as const), key: fc.integer({ min: 0, max: 4 }) }),
    fc.record({ do: fc.constant('after' as const), key: fc.integer({ min: 0, max: 4 }) }),
    fc.record({ do: fc.constant('take' as const), key: fc.constant(0) }),
    fc.record({ do: fc.constant('done' as const), key: fc.nat(3) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const { queue, clock } = makeQueue();
      const working: string[] = [];
      /** Keys with a change that no take has answered since. */
      const owed = new Set<string>();
      const take = async (): Promise<void> => {
        const key = await queue.take();
        assert.ok(key !== undefined && !working.includes(key), `${key} is with two workers`);
        working.push(key);
        owed.delete(key);
      };
      for (const { do: what, key } of steps) {
        if (what === 'add') queue.add(`k${key}`);
        if (what === 'after') queue.addAfter(`k${key}`, 50);
        if (what === 'add' || what === 'after') owed.add(`k${key}`);
        if (what === 'after') await clock.advance(60);
        if (what === 'take' && queue.length > 0) await take();
        const finished = what === 'done' ? working.splice(key, 1)[0] : undefined;
        if (finished !== undefined) queue.done(finished);
      }
      for (const key of working.splice(0)) queue.done(key);
      while (queue.length > 0) await take();
      assert.deepEqual([...owed], []);
    }),
    { numRuns: 200 },
  );
});
