import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { IHeaders, KafkaMessage } from 'kafkajs';
import { Payload } from '../protocol/index.ts';
import { onceOf } from './once.ts';

const message = (headers: IHeaders, timestamp = '1000'): KafkaMessage => ({
  key: Buffer.from('chat:a'),
  value: null,
  timestamp,
  attributes: 0,
  offset: '7',
  headers,
});
const by = (user?: string) => ({
  id: 'e',
  t: 5,
  data: Payload.ofJson(1),
  ...(user !== undefined && { info: { user, client: 'c' } }),
});
const idOf = (key: IHeaders['string'], user?: string): string | undefined =>
  onceOf(message({ 'idempotency-key': key }), by(user))?.id;

describe('the idempotency key of a record', () => {
  it('is its header, whoever wrote it and however', () => {
    const id = idOf('k', 'ann');
    assert.match(id ?? '', /^[\w-]{22}$/);
    assert.equal(idOf(Buffer.from('k'), 'ann'), id);
    assert.equal(idOf([Buffer.from('k'), Buffer.from('l')], 'ann'), id, 'the first of several');
    assert.equal(idOf('k'.repeat(10_000), 'ann')?.length, 22);
  });

  it('is none without a header, or with an empty one', () => {
    for (const key of ['', Buffer.alloc(0), [], undefined]) assert.equal(idOf(key, 'ann'), undefined);
    assert.equal(onceOf(message({}), by('ann')), undefined);
  });

  it("is its user's own", () => {
    const ids = [idOf('k', 'ann'), idOf('k', 'bob'), idOf('k'), idOf('l', 'ann'), idOf('nk', 'an')];
    assert.equal(new Set(ids).size, ids.length);
  });

  it('goes by the time that the record has in Kafka, or else says itself', () => {
    assert.equal(onceOf(message({ 'idempotency-key': 'k' }), by())?.at, 1_000);
    assert.equal(onceOf(message({ 'idempotency-key': 'k' }, '-1'), by())?.at, 5);
  });
});
