import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Payload } from '../protocol/index.ts';
import { publishCallOf } from './rpc.ts';

const call = (value: unknown): Payload => Payload.ofBytes(Buffer.from(JSON.stringify(value, undefined, 1)));

describe('the data of causeway.publish', () => {
  it('is a channel, data and perhaps a key', () => {
    const { channel, data, idempotencyKey } = publishCallOf(
      call({ channel: 'chat:a', data: null, idempotency_key: 'k' }),
    );
    assert.deepEqual([channel, data.form, data.text, idempotencyKey], ['chat:a', 'json', 'null', 'k']);
    assert.equal(publishCallOf(call({ channel: 'chat:a', data: [1] })).idempotencyKey, '');
  });

  it('may be bytes, which are kept as publish keeps them', () => {
    const of = (bytes: Buffer): Payload =>
      publishCallOf(call({ channel: 'chat:a', bytes: bytes.toString('base64') })).data;
    for (const bytes of [Buffer.from('{ "n": 1.0 }'), Buffer.from('7'), Buffer.from([0xff, 0])])
      assert.deepEqual(of(bytes), Payload.ofBytes(bytes));
  });

  for (const [what, data] of [
    ['nothing', undefined],
    ['bytes', Payload.ofBytes(Buffer.from([0xff]))],
    ['no object', call([{ channel: 'chat:a', data: 1 }])],
    ['null', call(null)],
    ['no channel', call({ data: 1 })],
    ['a channel that is no text', call({ channel: 5, data: 1 })],
    ['no data', call({ channel: 'chat:a' })],
    ['data twice', call({ channel: 'chat:a', data: 1, bytes: '' })],
    ['bytes that are no text', call({ channel: 'chat:a', bytes: 5 })],
    ['a key that is no text', call({ channel: 'chat:a', data: 1, idempotency_key: 5 })],
    ['a key that is too long', call({ channel: 'chat:a', data: 1, idempotency_key: 'ä'.repeat(65) })],
  ] as const) {
    it(`is refused: ${what}`, () => {
      assert.throws(() => publishCallOf(data), {
        name: 'RefusedError',
        error: { code: 107, message: 'bad request' },
      });
    });
  }

  it('takes a key of the longest', () => {
    const longest = 'ä'.repeat(64);
    assert.equal(
      publishCallOf(call({ channel: 'chat:a', data: 1, idempotency_key: longest })).idempotencyKey,
      longest,
    );
  });
});
