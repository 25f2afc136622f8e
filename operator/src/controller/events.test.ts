import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiEventRecorder, EVENT_KIND } from './events.ts';
import type { KubeEvent } from './events.ts';
import { KubeError, type KubeObject } from './kube-api.ts';
import { createMetrics } from './metrics.ts';
import { FakeKubeApi, TestClock } from './testing/index.ts';

const PLATFORM: KubeObject = {
  apiVersion: 'causeway.dev/v1alpha1',
  kind: 'MessagePlatform',
  metadata: { namespace: 'ns', name: 'orders', uid: 'u1', resourceVersion: '5' },
};
const INPUT = { type: 'Normal', reason: 'Created', note: 'Created Deployment x' } as const;

function start(capacity?: number): {
  api: FakeKubeApi;
  clock: TestClock;
  recorder: ApiEventRecorder;
  metrics: ReturnType<typeof createMetrics>;
  stop: () => Promise<void>;
  written: () => Promise<KubeEvent[]>;
} {
  const api = new FakeKubeApi();
  const clock = new TestClock();
  const metrics = createMetrics();
  const options = { api, clock, metrics, controller: 'causeway.dev/operator', instance: 'pod-1' };
  const recorder = new ApiEventRecorder(capacity === undefined ? options : { ...options, capacity });
  const ending = new AbortController();
  const running = recorder.run(ending.signal);
  const stop = async (): Promise<void> => {
    ending.abort();
    await running;
  };
  const written = async (): Promise<KubeEvent[]> => (await api.list<KubeEvent>(EVENT_KIND)).items;
  return { api, clock, recorder, metrics, stop, written };
}

test('an event says what happened to what, and who says so', async () => {
  const { clock, recorder, stop, written } = start();
  recorder.event(PLATFORM, INPUT);
  await clock.advance(0);
  const [event] = await written();
  assert.ok(event);
  assert.match(event.metadata.name, /^orders\./);
  assert.equal(event.metadata.namespace, 'ns');
  assert.equal(event.regarding.uid, 'u1');
  assert.equal(event.reportingController, 'causeway.dev/operator');
  assert.equal(event.action, 'Reconcile');
  assert.equal(event.series, undefined);
  await stop();
});

test('repeats become a series, that is written at the second and then every half hour', async () => {
  const { api, clock, recorder, stop, written } = start();
  for (let minute = 0; minute < 62; minute += 1) {
    recorder.event(PLATFORM, INPUT);
    await clock.advance(60_000);
  }
  const events = await written();
  assert.equal(events.length, 1);
  assert.equal(events[0]?.series?.count, 62);
  const writes = api.calls.filter(({ verb }) => verb === 'create' || verb === 'mergePatch');
  assert.equal(writes.length, 4);
  await clock.advance(7 * 60_000);
  recorder.event(PLATFORM, INPUT);
  await clock.advance(0);
  assert.equal((await written()).length, 2, 'after a pause it is a new event');
  await stop();
});

test('a series whose event has expired is made anew', async () => {
  const { api, clock, recorder, stop, written } = start();
  recorder.event(PLATFORM, INPUT);
  await clock.advance(0);
  const [event] = await written();
  await api.delete(EVENT_KIND, { namespace: 'ns', name: event?.metadata.name ?? '' });
  recorder.event(PLATFORM, INPUT);
  await clock.advance(0);
  assert.equal((await written())[0]?.series?.count, 2);
  await stop();
});

test('when the API server does not take events, they are dropped and counted; nothing fails', async () => {
  const { api, clock, recorder, metrics, stop } = start();
  api.before = () => {
    throw new Error('no');
  };
  recorder.event(PLATFORM, INPUT);
  await clock.advance(60_000);
  assert.match(await metrics.registry.metrics(), /causeway_events_dropped_total\{reason="failed"\} 1/);
  assert.equal(recorder.pending, 0);
  await stop();
});

test('an event that the API server refuses does not hold up those behind it', async () => {
  const { api, clock, recorder, metrics, stop, written } = start();
  api.before = ({ verb }) => {
    if (verb !== 'create' || api.calls.filter((call) => call.verb === 'create').length > 1) return;
    throw new KubeError('namespace is being terminated', { code: 403, reason: 'Forbidden' });
  };
  recorder.event(PLATFORM, INPUT);
  recorder.event(PLATFORM, { ...INPUT, note: 'another' });
  await clock.advance(0);
  assert.equal((await written()).length, 1);
  assert.match(await metrics.registry.metrics(), /causeway_events_dropped_total\{reason="failed"\} 1/);
  await stop();
});

test('one object that says something new all the time is cut short; others are heard', async () => {
  const { clock, recorder, metrics, stop, written } = start();
  for (let index = 0; index < 40; index += 1)
    recorder.event(PLATFORM, { ...INPUT, note: `attempt ${index}` });
  const other = { ...PLATFORM, metadata: { ...PLATFORM.metadata, name: 'other', uid: 'u2' } };
  recorder.event(other, INPUT);
  await clock.advance(0);
  assert.equal((await written()).length, 26);
  assert.match(await metrics.registry.metrics(), /causeway_events_dropped_total\{reason="spam"\} 15/);
  await stop();
});

test('a full outbox drops, and does not grow', async () => {
  const { recorder, metrics, stop } = start(3);
  for (let index = 0; index < 10; index += 1) {
    const object = { ...PLATFORM, metadata: { ...PLATFORM.metadata, uid: `u${index}` } };
    recorder.event(object, INPUT);
  }
  assert.equal(recorder.pending, 3);
  assert.match(await metrics.registry.metrics(), /causeway_events_dropped_total\{reason="full"\} 7/);
  await stop();
});

test('a stop writes what still waits', async () => {
  const { recorder, stop, written } = start();
  recorder.event(PLATFORM, INPUT);
  await stop();
  assert.equal((await written()).length, 1);
});

test('what is too long is cut to what the API takes', async () => {
  const { clock, recorder, stop, written } = start();
  recorder.event(PLATFORM, { ...INPUT, note: 'x'.repeat(5000) });
  await clock.advance(0);
  assert.equal((await written())[0]?.note.length, 1024);
  await stop();
});
