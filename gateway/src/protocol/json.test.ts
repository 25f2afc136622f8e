import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ERROR, JSON_CODEC, MalformedFrameError, MAX_COMMANDS_PER_FRAME, Payload } from './index.ts';

const decode = (frame: string): unknown => JSON_CODEC.decode(Buffer.from(frame));
const json = (value: unknown): Payload => Payload.ofJson(value);

describe('the JSON form of commands', () => {
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
    const subscribe = { token: '', recover: undefined, data: undefined, joinLeave: false };
    assert.deepEqual(decode(frame), [
      { method: 'connect', id: 1, request: { token: 't', data: json({ a: 1 }), subs: new Map() } },
      { method: 'subscribe', id: 2, request: { ...subscribe, channel: 'chat:a' } },
      {
        method: 'subscribe',
        id: 3,
        request: { ...subscribe, channel: 'chat:b', recover: { epoch: 'e', offset: 7 } },
      },
      { method: 'pong' },
      { method: 'publish', id: 4, request: { channel: 'chat:a', data: json(null) } },
      {
        method: 'history',
        id: 5,
        request: { channel: 'chat:a', limit: 10, since: { offset: 3, epoch: 'e' }, reverse: true },
      },
      { method: 'presence', id: 6, request: { channel: 'chat:a' } },
      { method: 'unknown', id: 7 },
      { method: 'send', data: json(1) },
    ]);
  });

  it('reads what else clients may ask for', () => {
    const frame = [
      '{"id":1,"connect":{"subs":{"a":{"recover":true,"offset":3,"epoch":"e"},"b":{},"__proto__":{}}}}',
      '{"id":2,"subscribe":{"channel":"a","token":"t","join_leave":true,"data":[1]}}',
      '{"id":3,"presence_stats":{"channel":"a"}}',
      '{"id":4,"rpc":{"method":"m","data":{"x":1}}}',
      '{"id":5,"sub_refresh":{"channel":"a","token":"t"}}',
      '{"id":6,"ping":{}}',
    ].join('\n');
    const subs = new Map([
      ['a', { offset: 3, epoch: 'e' }],
      ['b', undefined],
      ['__proto__', undefined],
    ]);
    assert.deepEqual(decode(frame), [
      { method: 'connect', id: 1, request: { token: '', data: undefined, subs } },
      {
        method: 'subscribe',
        id: 2,
        request: { channel: 'a', token: 't', recover: undefined, data: json([1]), joinLeave: true },
      },
      { method: 'presence_stats', id: 3, request: { channel: 'a' } },
      { method: 'rpc', id: 4, request: { method: 'm', data: json({ x: 1 }) } },
      { method: 'sub_refresh', id: 5, request: { channel: 'a', token: 't' } },
      { method: 'ping', id: 6, request: {} },
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
    ['subs that are none', '{"id":1,"connect":{"subs":{"a":1}}}'],
    ['a limit that is no whole number', '{"id":1,"history":{"channel":"chat:a","limit":1.5}}'],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.throws(() => decode(frame), MalformedFrameError);
    });
  }

  it('refuses more commands than one frame may have', () => {
    const frame = (count: number): string => Array.from({ length: count }, () => '{}').join('\n');
    assert.equal(
      JSON_CODEC.decode(Buffer.from(frame(MAX_COMMANDS_PER_FRAME))).length,
      MAX_COMMANDS_PER_FRAME,
    );
    assert.throws(() => decode(frame(MAX_COMMANDS_PER_FRAME + 1)), MalformedFrameError);
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
          decode(lines.join('\n'));
        } catch (error) {
          assert.ok(error instanceof MalformedFrameError, String(error));
        }
      }),
    );
  });
});

describe('the JSON form of replies and pushes', () => {
  const read = (message: string | Uint8Array): unknown => JSON.parse(message.toString());
  const info = JSON.stringify({ user: 'ann', client: 'c1' });

  it('carries publications as they were stored', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string({ minLength: 1 }), fc.nat(), (data, channel, offset) => {
        const stored = { offset, data: json(data), info };
        const pub = JSON.parse(
          JSON.stringify({ data, info: JSON.parse(info) as unknown, offset }),
        ) as unknown;
        assert.deepEqual(read(JSON_CODEC.push(channel, 'pub', stored)), { push: { channel, pub } });
        const result = { epoch: 'e', offset };
        assert.deepEqual(
          read(JSON_CODEC.reply(3, 'history', { ...result, publications: [stored, stored] })),
          {
            id: 3,
            history: { ...result, publications: [pub, pub] },
          },
        );
      }),
    );
  });

  it('says the new epoch with the first publication after a change', () => {
    const push = read(JSON_CODEC.push('chat:a', 'pub', { offset: 1, data: json(1), info: '', epoch: 'e2' }));
    assert.deepEqual(push, { push: { channel: 'chat:a', pub: { data: 1, offset: 1, epoch: 'e2' } } });
  });

  it('is one line, whatever JSON a client of the other form wrote', () => {
    const data = Payload.ofBytes(Buffer.from('{\n  "n": 12345678901234567890\n}'));
    const text = JSON_CODEC.push('a', 'pub', { offset: 1, data, info: '' });
    assert.equal(text, '{"push":{"channel":"a","pub":{"data":{  "n": 12345678901234567890},"offset":1}}}');
  });

  it('has bytes that are not JSON as base64, and says so', () => {
    const data = Payload.ofBytes(Buffer.from([0xff, 0]));
    const pub = { data: '/wA=', offset: 1, tags: { a: 'b', 'data-encoding': 'base64' } };
    const push = JSON_CODEC.push('a', 'pub', { offset: 1, data, info: '', tags: { a: 'b' } });
    assert.deepEqual(read(push), { push: { channel: 'a', pub } });
  });

  it('leaves out empty lists', () => {
    const result = { recoverable: true, positioned: true, epoch: 'e', offset: 0, publications: [] } as const;
    assert.equal(
      JSON_CODEC.reply(2, 'subscribe', result),
      '{"id":2,"subscribe":{"recoverable":true,"positioned":true,"epoch":"e","offset":0}}',
    );
  });

  it('tells codes', () => {
    assert.equal(
      JSON_CODEC.reply(1, 'error', ERROR.tooManyRequests),
      '{"id":1,"error":{"code":111,"message":"too many requests","temporary":true}}',
    );
    assert.equal(
      JSON_CODEC.push('chat:a', 'unsubscribe', { code: 2500, reason: 'insufficient state' }),
      '{"push":{"channel":"chat:a","unsubscribe":{"code":2500,"reason":"insufficient state"}}}',
    );
    assert.equal(
      JSON_CODEC.push('', 'disconnect', { code: 3001, reason: 'shutdown' }),
      '{"push":{"disconnect":{"code":3001,"reason":"shutdown"}}}',
    );
  });
});

function withoutBigInt(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
