import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Payload } from '../protocol/index.ts';
import { decodeAnswer, encodeCall } from './message.ts';

const call = { user: 'ann', client: 'c1', tenant: undefined };

describe('a call to an application', () => {
  it('says who calls what, and has the data to the byte', () => {
    const text = encodeCall('m', {
      ...call,
      tenant: 'acme',
      data: Payload.ofBytes(Buffer.from('{"n": 12345678901234567890}')),
    });
    assert.equal(
      text,
      '{"method":"m","user":"ann","client":"c1","tenant":"acme","data":{"n": 12345678901234567890}}',
    );
    assert.equal(encodeCall('m', { ...call, data: undefined }), '{"method":"m","user":"ann","client":"c1"}');
  });

  it('says that data is base64 where it is', () => {
    assert.deepEqual(JSON.parse(encodeCall('m', { ...call, data: Payload.ofBytes(Buffer.from([0xff])) })), {
      method: 'm',
      user: 'ann',
      client: 'c1',
      'data-encoding': 'base64',
      data: '/w==',
    });
  });

  it('cannot be made to say something else by what a client sends', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.jsonValue(), (user, method, value) => {
        const parsed: unknown = JSON.parse(
          encodeCall(method, { ...call, user, data: Payload.ofJson(value) }),
        );
        assert.deepEqual(parsed, {
          method,
          user,
          client: 'c1',
          data: JSON.parse(JSON.stringify(value)) as unknown,
        });
      }),
    );
  });
});

describe('the answer of an application', () => {
  it('is a result, which may be anything', () => {
    for (const result of [{ a: 1 }, null, 'x', 0, []])
      assert.deepEqual(decodeAnswer(JSON.stringify({ result })), { data: Payload.ofJson(result) });
  });

  it('is an error with a code of its own', () => {
    const answer = (error: object) => decodeAnswer(JSON.stringify({ error }));
    assert.deepEqual(answer({ code: 400, message: 'no' }), { error: { code: 400, message: 'no' } });
    assert.deepEqual(answer({ code: 1999, message: '', temporary: true, x: 1 }), {
      error: { code: 1999, message: '', temporary: true },
    });
    assert.deepEqual(decodeAnswer('{"result":1,"error":null}'), { data: Payload.ofJson(1) });
  });

  for (const body of [
    '',
    'x',
    'null',
    '[]',
    '{}',
    '{"data":1}',
    '{"error":{"code":103,"message":"one of the protocol\'s"}}',
    '{"error":{"code":2000,"message":"too large"}}',
    '{"error":{"code":400.5,"message":"no"}}',
    '{"error":{"code":"400","message":"no"}}',
    '{"error":{"code":400}}',
    `{"error":{"code":400,"message":"${'x'.repeat(256)}"}}`,
    '{"error":"no","result":1}',
  ]) {
    it(`is none: ${body.slice(0, 60)}`, () => {
      assert.equal(decodeAnswer(body), undefined);
    });
  }
});
