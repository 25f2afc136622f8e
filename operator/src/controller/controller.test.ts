import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Controller, namedByLabel, ownerOfKind } from './controller.ts';
import { Informer } from './informer.ts';
import type { KubeObject } from './kube-api.ts';
import { createMetrics } from './metrics.ts';
import { FakeKubeApi, settle, TestClock } from './testing/index.ts';

const CONFIG_MAP = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true };

function configMap(name: string, labels: Record<string, string> = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'ns', name, labels } };
}

test('given a change, the object that the label names is reconciled, once however many changes there were', async () => {
  const clock = new TestClock();
  const api = new FakeKubeApi();
  const informer = new Informer({ api, kind: CONFIG_MAP, clock });
  const seen: string[] = [];
  const controller = new Controller({
    name: 'test',
    clock,
    reconcile: async ({ namespace, name }) => {
      seen.push(`${namespace}/${name}`);
    },
  }).watches(informer, namedByLabel('platform'));
  const stop = new AbortController();
  await api.create(CONFIG_MAP, configMap('a', { platform: 'orders' }));
  await api.create(CONFIG_MAP, configMap('b', { platform: 'orders' }));
  await api.create(CONFIG_MAP, configMap('c'));
  const running = [informer.run(stop.signal), controller.run(stop.signal)];
  await clock.advance(0);
  assert.deepEqual(seen, ['ns/orders']);
  await api.delete(CONFIG_MAP, { namespace: 'ns', name: 'a' });
  await clock.advance(0);
  assert.deepEqual(seen, ['ns/orders', 'ns/orders']);
  stop.abort();
  await Promise.all(running);
});

test('given a reconcile that fails, it is tried again, later each time, and works in the end', async () => {
  const clock = new TestClock();
  const metrics = createMetrics();
  const at: number[] = [];
  const start = clock.now();
  const controller = new Controller({
    name: 'test',
    clock,
    metrics,
    reconcile: async () => {
      at.push(clock.now() - start);
      if (at.length < 4) throw new Error('not yet');
    },
  });
  const stop = new AbortController();
  const running = controller.run(stop.signal);
  controller.enqueue({ namespace: 'ns', name: 'a' });
  await clock.advance(10_000);
  assert.deepEqual(at, [0, 5, 15, 35]);
  const text = await metrics.registry.metrics();
  assert.match(text, /controller_runtime_reconcile_errors_total\{controller="test"\} 3/);
  assert.match(text, /controller_runtime_reconcile_total\{controller="test",result="success"\} 1/);
  stop.abort();
  assert.equal(await running, true);
});

test('given requeueAfterMs, the key comes back then', async () => {
  const clock = new TestClock();
  let runs = 0;
  const controller = new Controller({
    name: 'test',
    clock,
    reconcile: async () => {
      runs += 1;
      return { requeueAfterMs: 1000 };
    },
  });
  const stop = new AbortController();
  const running = controller.run(stop.signal);
  controller.enqueue({ name: 'a' });
  await clock.advance(3500);
  assert.equal(runs, 4);
  stop.abort();
  await running;
});

test('no more keys run at once than allowed, and one key never twice', async () => {
  const clock = new TestClock();
  let active = 0;
  let most = 0;
  const perKey = new Map<string, number>();
  const controller = new Controller({
    name: 'test',
    clock,
    concurrency: 3,
    reconcile: async ({ name }) => {
      active += 1;
      most = Math.max(most, active);
      perKey.set(name, (perKey.get(name) ?? 0) + 1);
      assert.equal(perKey.get(name), 1);
      await clock.sleep(10);
      perKey.set(name, 0);
      active -= 1;
    },
  });
  const stop = new AbortController();
  const running = controller.run(stop.signal);
  for (let round = 0; round < 5; round += 1) {
    for (let key = 0; key < 8; key += 1) controller.enqueue({ name: `k${key}` });
    await clock.advance(7);
  }
  await clock.advance(1000);
  assert.equal(most, 3);
  assert.ok(controller.idle);
  stop.abort();
  await running;
});

test('a stop waits for what runs, then aborts it, then goes without it', async () => {
  const clock = new TestClock();
  const events: string[] = [];
  const controller = new Controller({
    name: 'test',
    clock,
    graceMs: 1000,
    abandonMs: 500,
    reconcile: async ({ name }, { signal }) => {
      signal.addEventListener('abort', () => events.push(`${name} aborted`));
      if (name === 'quick') await clock.sleep(500);
      if (name === 'obedient') await clock.sleep(60_000, signal).catch(() => undefined);
      if (name === 'stuck') await clock.sleep(60_000);
      events.push(`${name} ended`);
    },
  });
  const stop = new AbortController();
  for (const name of ['quick', 'obedient', 'stuck']) controller.enqueue({ name });
  const running = controller.run(stop.signal);
  await settle();
  stop.abort();
  await clock.advance(999);
  assert.deepEqual(events, ['quick ended']);
  await clock.advance(1);
  assert.deepEqual(events, ['quick ended', 'obedient aborted', 'stuck aborted', 'obedient ended']);
  await clock.advance(500);
  assert.equal(await running, false, 'it must say that something still runs');
});

test('when leadership is lost, what runs is aborted at once', async () => {
  const clock = new TestClock();
  let reason: unknown;
  const controller = new Controller({
    name: 'test',
    clock,
    reconcile: async (_key, { signal }) => {
      await clock.sleep(60_000, signal).catch((error: unknown) => {
        reason = error;
      });
    },
  });
  const lost = new AbortController();
  controller.enqueue({ name: 'a' });
  const running = controller.run(new AbortController().signal, lost.signal);
  await settle();
  lost.abort();
  assert.equal(await running, true);
  assert.match(String(reason), /leadership was lost/);
});

test('a reconcile that takes too long has its signal aborted', async () => {
  const clock = new TestClock();
  const errors: string[] = [];
  const controller = new Controller({
    name: 'test',
    clock,
    timeoutMs: 2000,
    reconcile: async (_key, { signal }) => {
      await clock.sleep(60_000, signal).catch((error: unknown) => errors.push(String(error)));
    },
  });
  const stop = new AbortController();
  controller.enqueue({ name: 'a' });
  const running = controller.run(stop.signal);
  await clock.advance(2000);
  assert.deepEqual(errors, ['Error: reconcile took longer than 2 s']);
  stop.abort();
  await running;
});

test('owners of other kinds are not mapped', () => {
  const object = configMap('a');
  object.metadata.ownerReferences = [
    { apiVersion: 'x/v1', kind: 'Other', name: 'other', uid: '1' },
    { apiVersion: 'causeway.dev/v1alpha1', kind: 'MessagePlatform', name: 'orders', uid: '2' },
  ];
  const map = ownerOfKind({ apiVersion: 'causeway.dev/v1alpha1', kind: 'MessagePlatform' });
  assert.deepEqual(map(object), [{ namespace: 'ns', name: 'orders' }]);
});
