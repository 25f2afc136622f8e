import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  decodeFrame,
  encodeError,
  encodeHistoryReply,
  encodePublicationPush,
  encodeSubscribeReply,
  encodeUnsubscribePush,
  ERROR,
  MalformedFrameError,
  MAX_COMMANDS_PER_FRAME,
  publicationBody,
} from './index.ts';

describe('decodeFrame', () => {
  it('reads the commands of a batch in order', () => {
    const frame = [
      '{"id":1,"connect":{"token":"t","data":{"a":1},"name":"js"}}',
      '{"id":2,"subscribe":{"channel":"chat:a","recoverable":true,"flag":1}}',
      '{"id":3,"subscribe":{"channel":"chat:b","recover":true,"epoch":"e","offset":7}}',
      '{}',
      '{"id":4,"publish":{"channel":"chat:a","data":null}}',
      '{"id":5,"history":{"channel":"chat:a","limit":10,"since":{"offset":3,"epoch":"e"},"reverse":true}}',
      '{"id":6,"presence":{"channel":"chat:a"}}',
      '{"id":7,"nonsense":{}}',
      '{"send":{"data":1}}',
    ].join('\n');
    assert.deepEqual(decodeFrame(frame), [
      { method: 'connect', id: 1, request: { token: 't' } },
      { method: 'subscribe', id: 2, request: { channel: 'chat:a', recover: undefined } },
      { method: 'subscribe', id: 3, request: { channel: 'chat:b', recover: { epoch: 'e', offset: 7 } } },
      { method: 'pong' },
      { method: 'publish', id: 4, request: { channel: 'chat:a', data: null } },
      {
        method: 'history',
        id: 5,
        request: { channel: 'chat:a', limit: 10, since: { offset: 3, epoch: 'e' }, reverse: true },
      },
      { method: 'unavailable', id: 6 },
      { method: 'unknown', id: 7 },
      { method: 'send' },
    ]);
  });

  for (const [what, frame] of [
    ['nothing', ''],
    ['no JSON', 'hello'],
    ['an array', '[]'],
    ['a command without id', '{"connect":{}}'],
    ['an id that is no number', '{"id":"1","connect":{}}'],
    ['an id over 32 bits', '{"id":4294967296,"connect":{}}'],
    ['a request that is no object', '{"id":1,"subscribe":"chat:a"}'],
    ['a channel that is no text', '{"id":1,"subscribe":{"channel":5}}'],
    ['a publication without data', '{"id":1,"publish":{"channel":"chat:a"}}'],
    ['a negative offset', '{"id":1,"subscribe":{"channel":"chat:a","recover":true,"offset":-1}}'],
    ['a limit that is no whole number', '{"id":1,"history":{"channel":"chat:a","limit":1.5}}'],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.throws(() => decodeFrame(frame), MalformedFrameError);
    });
  }

  it('refuses more commands than one frame may have', () => {
    const frame = (count: number): string => Array.from({ length: count }, () => '{}').join('\n');
    assert.equal(decodeFrame(frame(MAX_COMMANDS_PER_FRAME)).length, MAX_COMMANDS_PER_FRAME);
    assert.throws(() => decodeFrame(frame(MAX_COMMANDS_PER_FRAME + 1)), MalformedFrameError);
  });

  it('never fails in another way, whatever comes', () => {
    const request = fc.record(
      {
        id: fc.anything(),
        channel: fc.anything(),
        since: fc.anything(),
        limit: fc.anything(),
        recover: fc.boolean(),
      },
      { requiredKeys: [] },
    );
    const command = fc.dictionary(
      fc.constantFrom(
        'id',
        'connect',
        'subscribe',
        'publish',
        'history',
        'unsubscribe',
        'refresh',
        'rpc',
        'send',
      ),
      fc.oneof(request, fc.integer(), fc.anything()),
    );
    const line = fc.oneof(
      fc.string(),
      fc.json(),
      command.map((value) => JSON.stringify(value, withoutBigInt)),
    );
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        try {
          decodeFrame(lines.join('\n'));
        } catch (error) {
          assert.ok(error instanceof MalformedFrameError, String(error));
        }
      }),
    );
  });
});

describe('replies and pushes', () => {
  const info = { user: 'ann', client: 'c1' };

  it('carry publications as they were stored', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string(), fc.nat(), (data, channel, offset) => {
        const stored = { offset, body: publicationBody(JSON.stringify(data), info) };
        const pub = JSON.parse(JSON.stringify({ data, info, offset })) as unknown;
        assert.deepEqual(JSON.parse(encodePublicationPush(channel, stored)), { push: { channel, pub } });
        const result = { epoch: 'e', offset };
        assert.deepEqual(JSON.parse(encodeHistoryReply(3, result, [stored, stored])), {
          id: 3,
          history: { ...result, publications: [pub, pub] },
        });
      }),
    );
  });

  it('say the new epoch with the first publication after a change', () => {
    const push = JSON.parse(encodePublicationPush('chat:a', { offset: 1, body: '"data":1' }, 'e2')) as object;
    assert.deepEqual(push, { push: { channel: 'chat:a', pub: { data: 1, offset: 1, epoch: 'e2' } } });
  });

  it('leave out empty lists', () => {
    const result = { recoverable: true, positioned: true, epoch: 'e', offset: 0 } as const;
    assert.equal(
      encodeSubscribeReply(2, result, []),
      '{"id":2,"subscribe":{"recoverable":true,"positioned":true,"epoch":"e","offset":0}}',
    );
  });

  it('tell codes', () => {
    assert.equal(
      encodeError(1, ERROR.tooManyRequests),
      '{"id":1,"error":{"code":111,"message":"too many requests","temporary":true}}',
    );
    assert.equal(
      encodeUnsubscribePush('chat:a', { code: 2500, reason: 'insufficient state' }),
      '{"push":{"channel":"chat:a","unsubscribe":{"code":2500,"reason":"insufficient state"}}}',
    );
  });
});

function withoutBigInt(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
