import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject, ObjectMeta } from './kube-api.ts';
import { askIn, newAsk, withAsk, withHolder, withoutHolder, zoneOfHolder } from './lease-notes.ts';

const ASK = { identity: 'two', zone: 'zone-b', at: '2026-01-01T00:00:00Z' };
const HOLDER = { identity: 'one', zone: 'zone-a' };
const OTHERS = { 'example.com/owner': 'platform team' };
const metadata: ObjectMeta = { name: 'operator', resourceVersion: '7', annotations: OTHERS };

function lease(of: ObjectMeta): KubeObject {
  return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: of };
}

test('a holder writes its zone and drops the ask; one who asks leaves the zone; nobody touches what others wrote', () => {
  const held = withHolder(metadata, HOLDER);
  assert.equal(zoneOfHolder(lease(held), 'one'), 'zone-a');
  const asked = withAsk(held, ASK);
  assert.equal(zoneOfHolder(lease(asked), 'one'), 'zone-a');
  assert.deepEqual(askIn(lease(asked)), ASK);
  assert.deepEqual(withHolder(asked, HOLDER), held);
  assert.deepEqual(withoutHolder(asked, undefined), metadata);
  assert.deepEqual(withoutHolder(held, ASK), withAsk(metadata, ASK));
});

test('a holder that does not know its zone takes away what an earlier one wrote', () => {
  assert.deepEqual(withHolder(withAsk(withHolder(metadata, HOLDER), ASK), undefined), metadata);
  const bare = { name: 'operator' };
  assert.deepEqual(withHolder(withHolder(bare, HOLDER), undefined), bare);
});

test('a zone is only that of the process that the note names', () => {
  const held = lease(withHolder(metadata, HOLDER));
  assert.equal(zoneOfHolder(held, 'an earlier version'), undefined);
  assert.equal(zoneOfHolder(held, undefined), undefined);
  assert.equal(zoneOfHolder(held, ''), undefined);
  assert.equal(zoneOfHolder(lease(metadata), undefined), undefined);
});

test('an ask is new when it is another one than before', () => {
  const [without, asked] = [lease(metadata), lease(withAsk(metadata, ASK))];
  assert.deepEqual(newAsk(without, asked), ASK);
  assert.deepEqual(newAsk(undefined, asked), ASK);
  assert.equal(newAsk(asked, asked), undefined);
  assert.equal(newAsk(asked, without), undefined);
  const again = { ...ASK, at: '2026-01-01T00:00:10Z' };
  assert.deepEqual(newAsk(asked, lease(withAsk(metadata, again))), again);
});

for (const text of [
  '',
  'zone-a',
  'null',
  '1',
  '[]',
  '{}',
  '{"identity":"one"}',
  '{"identity":"one","zone":1,"at":"x"}',
])
  test(`a note that is ${text === '' ? 'empty' : text} says nothing`, () => {
    const annotations = { 'causeway.dev/zone': text, 'causeway.dev/asked-by': text };
    assert.equal(zoneOfHolder(lease({ name: 'operator', annotations }), 'one'), undefined);
    assert.equal(askIn(lease({ name: 'operator', annotations })), undefined);
  });
