import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addFinalizer, removeFinalizer } from './finalizers.ts';
import { isConflict } from './kube-api.ts';
import type { KubeObject } from './kube-api.ts';
import { FakeKubeApi } from './testing/index.ts';

const KIND = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true };
const REF = { namespace: 'ns', name: 'a' };

async function existing(api: FakeKubeApi, finalizers: string[]): Promise<KubeObject> {
  return api.create(KIND, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { ...REF, finalizers } });
}

test('a finalizer joins those of others, and leaves alone', async () => {
  const api = new FakeKubeApi();
  const object = await existing(api, ['foreign']);
  const added = await addFinalizer(api, KIND, object, 'causeway.dev/topics');
  assert.deepEqual(added.metadata.finalizers, ['foreign', 'causeway.dev/topics']);
  const calls = api.calls.length;
  assert.equal(await addFinalizer(api, KIND, added, 'causeway.dev/topics'), added);
  assert.equal(api.calls.length, calls, 'one that is there is not written again');
  const removed = await removeFinalizer(api, KIND, added, 'causeway.dev/topics');
  assert.deepEqual(removed?.metadata.finalizers, ['foreign']);
});

test('a stale object is a conflict: the finalizers of others are never lost', async () => {
  const api = new FakeKubeApi();
  const stale = await existing(api, []);
  await addFinalizer(api, KIND, stale, 'foreign');
  await assert.rejects(addFinalizer(api, KIND, stale, 'causeway.dev/topics'), isConflict);
  assert.deepEqual((await api.get(KIND, REF))?.metadata.finalizers, ['foreign']);
});

test('an object that is gone needs no finalizer removed', async () => {
  const api = new FakeKubeApi();
  const object = await existing(api, ['causeway.dev/topics']);
  await api.delete(KIND, REF);
  const deleting = await api.get(KIND, REF);
  assert.ok(deleting);
  await removeFinalizer(api, KIND, deleting, 'causeway.dev/topics');
  assert.equal(await api.get(KIND, REF), undefined);
  assert.equal(await removeFinalizer(api, KIND, object, 'causeway.dev/topics'), undefined);
});
