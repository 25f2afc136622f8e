import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Applier } from './applier.ts';
import type { EventInput } from './events.ts';
import { Informer } from './informer.ts';
import { InformerSet } from './informer-set.ts';
import { KubeError } from './kube-api.ts';
import type { KubeObject } from './kube-api.ts';
import { FakeKubeApi, TestClock } from './testing/index.ts';
import { recordWrites, WriteLedger } from './write-ledger.ts';

const CONFIG_MAP = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true };
const OWNER: KubeObject = {
  apiVersion: 'x/v1',
  kind: 'X',
  metadata: { namespace: 'ns', name: 'owner', uid: 'o' },
};
const REF = { namespace: 'ns', name: 'a' };

function configMap(value: string, name = 'a'): KubeObject & { data: Record<string, string> } {
  const managedFields = [
    { manager: 'causeway', operation: 'Apply', fieldsV1: { 'f:data': { 'f:value': {} } } },
  ];
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { ...REF, name, managedFields }, data: { value } };
}

async function start(): Promise<{
  api: FakeKubeApi;
  applier: Applier;
  clock: TestClock;
  ledger: WriteLedger;
  told: EventInput[];
  stop: () => Promise<void>;
}> {
  const api = new FakeKubeApi();
  const clock = new TestClock();
  const cache = new InformerSet();
  cache.add(new Informer({ api, kind: CONFIG_MAP, clock }));
  const ledger = new WriteLedger(cache);
  const told: EventInput[] = [];
  const events = { event: (_regarding: KubeObject, input: EventInput) => void told.push(input) };
  const applier = new Applier({ api: recordWrites(api, ledger), cache, events });
  const ending = new AbortController();
  const running = cache.run(ending.signal);
  await clock.advance(0);
  const stop = async (): Promise<void> => {
    ending.abort();
    await running;
  };
  return { api, applier, clock, ledger, told, stop };
}

test('it creates, then writes nothing more, and repairs what others change or delete', async () => {
  const { api, applier, clock, told, stop } = await start();
  const apply = async (): Promise<string> =>
    (await applier.apply(CONFIG_MAP, configMap('1'), { regarding: OWNER })).outcome;
  assert.equal(await apply(), 'created');
  assert.equal(await apply(), 'unchanged', 'the cache has not seen it yet');
  await clock.advance(0);
  const writes = api.calls.filter(({ verb }) => verb === 'apply').length;
  for (let round = 0; round < 5; round += 1) assert.equal(await apply(), 'unchanged');
  assert.equal(api.calls.filter(({ verb }) => verb === 'apply').length, writes);
  await api.mergePatch(CONFIG_MAP, REF, { data: { value: 'edited' } });
  await clock.advance(0);
  assert.equal(await apply(), 'repaired');
  await clock.advance(0);
  await api.delete(CONFIG_MAP, REF);
  await clock.advance(0);
  assert.equal(await apply(), 'repaired');
  assert.deepEqual(
    told.map(({ reason, note }) => `${reason}: ${note}`),
    [
      'Created: Created ConfigMap a',
      'Repaired: Repaired ConfigMap a: data.value was changed by another',
      'Repaired: Repaired ConfigMap a: it is not there',
    ],
  );
  await stop();
});

test('a new wish is an update, without an event', async () => {
  const { applier, clock, told, stop } = await start();
  await applier.apply(CONFIG_MAP, configMap('1'), { regarding: OWNER });
  await clock.advance(0);
  assert.equal((await applier.apply(CONFIG_MAP, configMap('2'), { regarding: OWNER })).outcome, 'updated');
  assert.equal(told.length, 1);
  await stop();
});

test('one object that is refused does not keep the others from being applied', async () => {
  const { api, applier, stop } = await start();
  api.before = ({ name }) => {
    if (name === 'bad') throw new KubeError('spec.x: Invalid value', { code: 422, reason: 'Invalid' });
  };
  const items = ['a', 'bad', 'c'].map((name) => ({ kind: CONFIG_MAP, object: configMap('1', name) }));
  const report = await applier.applyAll(items);
  assert.equal(report.writes, 2);
  assert.deepEqual(
    report.failures.map(({ object, error }) => [object.metadata.name, error.message]),
    [['bad', 'spec.x: Invalid value']],
  );
  await stop();
});

test('remove deletes once, by UID, and leaves alone what is not there', async () => {
  const { api, applier, clock, stop } = await start();
  assert.equal(await applier.remove(CONFIG_MAP, REF), false);
  await applier.apply(CONFIG_MAP, configMap('1'));
  await clock.advance(0);
  assert.equal(await applier.remove(CONFIG_MAP, REF), true);
  await clock.advance(0);
  assert.equal(await applier.remove(CONFIG_MAP, REF), false);
  assert.equal(await api.get(CONFIG_MAP, REF), undefined);
  await stop();
});

test('the ledger knows whether the cache has seen our writes and deletions', async () => {
  const { api, applier, clock, ledger, stop } = await start();
  api.swallow = () => true;
  await applier.apply(CONFIG_MAP, configMap('1'));
  await clock.advance(0);
  assert.equal(ledger.cacheHasSeen(CONFIG_MAP, REF), false);
  assert.equal(ledger.cacheHasSeen(CONFIG_MAP, { ...REF, name: 'never written' }), true);
  api.swallow = () => false;
  // A fresh watch tells what the last one didn't.
  api.endWatches();
  await clock.advance(5_000);
  assert.equal(ledger.cacheHasSeen(CONFIG_MAP, REF), true);
  assert.equal(ledger.size, 0);
  api.swallow = () => true;
  await applier.remove(CONFIG_MAP, REF);
  await clock.advance(0);
  assert.equal(ledger.cacheHasSeen(CONFIG_MAP, REF), false);
  api.swallow = () => false;
  api.endWatches();
  await clock.advance(5_000);
  assert.equal(ledger.cacheHasSeen(CONFIG_MAP, REF), true);
  await stop();
});

test('made and deleted before the cache saw either: seen only when the cache has come that far', async () => {
  const { api, clock, ledger, stop } = await start();
  const recorded = recordWrites(api, ledger);
  api.swallow = () => true;
  const made = await recorded.create(CONFIG_MAP, configMap('1'));
  await recorded.delete(CONFIG_MAP, REF, { uid: made.metadata.uid ?? '' });
  await clock.advance(0);
  assert.equal(ledger.cacheHasSeen(CONFIG_MAP, REF), false, 'not there yet is not gone');
  api.bookmark();
  await clock.advance(0);
  assert.equal(ledger.cacheHasSeen(CONFIG_MAP, REF), true);
  await stop();
});
