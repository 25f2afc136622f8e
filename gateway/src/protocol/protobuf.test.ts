import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { ERROR, MalformedFrameError, MAX_COMMANDS_PER_FRAME, Payload, PROTOBUF_CODEC } from './index.ts';
import type { Pushes, Results } from './index.ts';

const schema = readFileSync(join(import.meta.dirname, 'client.proto'), 'utf8');
const { root } = protobuf.parse(schema, new protobuf.Root(), { keepCase: true });
const CommandType = root.lookupType('Command');
const ReplyType = root.lookupType('Reply');
const conversion = { longs: Number, bytes: String, json: true } as const;

const frame = (...commands: object[]): Buffer =>
  Buffer.concat(commands.map((c) => CommandType.encodeDelimited(CommandType.fromObject(c)).finish()));
const decode = (bytes: Uint8Array): unknown => PROTOBUF_CODEC.decode(Buffer.from(bytes));
const utf8 = (text: string): Buffer => Buffer.from(text);
const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** Reads the one reply of a message; its bytes as base64. */
function read(message: string | Uint8Array): Record<string, unknown> {
  assert.ok(typeof message !== 'string');
  const reader = protobuf.Reader.create(message);
  const reply = ReplyType.decodeDelimited(reader);
  assert.equal(reader.pos, message.length, 'one reply');
  return ReplyType.toObject(reply, conversion);
}

describe('the Protobuf form of commands', () => {
  it('is read as the JSON form is', () => {
    const recover = { recover: true, offset: 7, epoch: 'e' };
    const commands = frame(
      { id: 1, connect: { token: 't', data: utf8('{"a":1}'), subs: { a: recover, b: {} }, name: 'js' } },
      {
        id: 2,
        subscribe: { channel: 'a', token: 't', join_leave: true, data: utf8('[1]'), positioned: true },
      },
      { id: 3, subscribe: { channel: 'b', ...recover } },
      { id: 4, unsubscribe: { channel: 'a' } },
      {},
      { id: 5, publish: { channel: 'a', data: utf8('null') } },
      { id: 6, history: { channel: 'a', limit: -1, since: { offset: 2 ** 52, epoch: 'e' }, reverse: true } },
      { id: 7, history: { channel: 'a' } },
      { id: 8, presence: { channel: 'a' } },
      { id: 9, presence_stats: { channel: 'a' } },
      { id: 10, rpc: { method: 'm', data: utf8('{"x":1}') } },
      { id: 11, refresh: { token: 't' } },
      { id: 12, sub_refresh: { channel: 'a', token: 't' } },
      { id: 13, ping: {} },
      { send: { data: utf8('1') } },
      { id: 2 ** 32 - 1 },
    );
    const subscribe = { token: '', recover: undefined, data: undefined, joinLeave: false };
    const position = { offset: 7, epoch: 'e' };
    const json = (value: unknown): Payload => Payload.ofJson(value);
    assert.deepEqual(decode(commands), [
      {
        method: 'connect',
        id: 1,
        request: {
          token: 't',
          data: json({ a: 1 }),
          subs: new Map([
            ['a', position],
            ['b', undefined],
          ]),
        },
      },
      {
        method: 'subscribe',
        id: 2,
        request: { ...subscribe, channel: 'a', token: 't', joinLeave: true, data: json([1]) },
      },
      { method: 'subscribe', id: 3, request: { ...subscribe, channel: 'b', recover: position } },
      { method: 'unsubscribe', id: 4, request: { channel: 'a' } },
      { method: 'pong' },
      { method: 'publish', id: 5, request: { channel: 'a', data: json(null) } },
      {
        method: 'history',
        id: 6,
        request: { channel: 'a', limit: -1, since: { offset: 2 ** 52, epoch: 'e' }, reverse: true },
      },
      { method: 'history', id: 7, request: { channel: 'a', limit: 0, since: undefined, reverse: false } },
      { method: 'presence', id: 8, request: { channel: 'a' } },
      { method: 'presence_stats', id: 9, request: { channel: 'a' } },
      { method: 'rpc', id: 10, request: { method: 'm', data: json({ x: 1 }) } },
      { method: 'refresh', id: 11, request: { token: 't' } },
      { method: 'sub_refresh', id: 12, request: { channel: 'a', token: 't' } },
      { method: 'ping', id: 13, request: {} },
      { method: 'send', data: json(1) },
      { method: 'unknown', id: 2 ** 32 - 1 },
    ]);
  });

  it('keeps data to the byte', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.json().map(utf8), fc.string().map(utf8)), (data) => {
        const [command] = PROTOBUF_CODEC.decode(frame({ id: 1, publish: { channel: 'a', data } }));
        assert.ok(command?.method === 'publish');
        const pub = { offset: 1, data: command.request.data, info: '' };
        const { push } = read(PROTOBUF_CODEC.push('a', 'pub', pub)) as { push: { pub: { data?: string } } };
        assert.deepEqual(Buffer.from(push.pub.data ?? '', 'base64'), Buffer.from(data));
        assert.equal(command.request.data.size, data.length);
      }),
    );
  });

  it('knows data that is JSON, in whatever way it is written', () => {
    const form = (text: string | Buffer): string => Payload.ofBytes(Buffer.from(text)).form;
    for (const text of ['{"a":1}', '"ä"', 'null']) assert.equal(form(text), 'json');
    for (const text of ['{"a": 1}', '1.0', '[1]\n', '12345678901234567890']) assert.equal(form(text), 'text');
    for (const text of ['', 'hello', '\ufeff1', Buffer.from([0x22, 0xff, 0x22])]) {
      assert.equal(form(text), 'bytes');
    }
  });

  for (const [what, bytes] of [
    ['nothing', []],
    ['a length without a command', [5]],
    ['a length that is forged', [0xff, 0xff, 0xff, 0xff, 0x0f, 0x08, 0x01]],
    ['a length that does not end', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
    ['a forged length inside', [7, 0x08, 1, 0x22, 0xff, 0xff, 0xff, 0x7f]],
    ['a request that reaches into the next command', [4, 0x08, 1, 0x32, 4, 3, 0x08, 1, 0x32]],
    ['a command without id', [...frame({ subscribe: { channel: 'a' } })]],
    ['a channel that is no text', [7, 0x08, 1, 0x32, 3, 0x0a, 1, 0xff]],
    ['a wire type that there is not', [1, 0x0f]],
    ['a group that does not end', [2, 0x83, 0x02]],
    ['an offset that no stream has', [...frame({ id: 1, history: { since: { offset: 2 ** 53 } } })]],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.throws(() => decode(Uint8Array.from(bytes)), MalformedFrameError);
    });
  }

  it('is read on past fields that are not known', () => {
    const known = frame({ id: 1, publish: { channel: 'a' } }).subarray(1);
    const unknown = [0xf8, 0x01, 5, 0xfa, 0x01, 2, 1, 2, 0xfb, 0x01, 0x08, 1, 0xfc, 0x01];
    const [command] = PROTOBUF_CODEC.decode(
      Buffer.from([known.length + unknown.length, ...unknown, ...known]),
    );
    assert.deepEqual(command, {
      method: 'publish',
      id: 1,
      request: { channel: 'a', data: new Payload('bytes', '') },
    });
  });

  it('has no more commands than one frame may have', () => {
    assert.equal(PROTOBUF_CODEC.decode(Buffer.alloc(MAX_COMMANDS_PER_FRAME)).length, MAX_COMMANDS_PER_FRAME);
    assert.throws(() => decode(Buffer.alloc(MAX_COMMANDS_PER_FRAME + 1)), MalformedFrameError);
  });

  it('allocates nothing for a forged length', () => {
    const forged = Buffer.from([0x0a, 0x08, 1, 0x3a, 0xff, 0xff, 0xff, 0x7f, 1, 2, 3]);
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 1_000; i++) assert.throws(() => PROTOBUF_CODEC.decode(forged), MalformedFrameError);
    assert.ok(process.memoryUsage().arrayBuffers - before < 16 * 1024 * 1024);
  });

  it('never fails in another way, whatever comes', () => {
    const bytes = fc.uint8Array({ maxLength: 200 });
    const whole = fc.constantFrom(
      frame({ id: 1, publish: { channel: 'chat:a', data: utf8('{"a":1}') } }),
      frame({ id: 2, connect: { token: 't', subs: { a: { recover: true, offset: 1 } } } }),
      frame({ id: 3, history: { channel: 'a', since: { offset: 1, epoch: 'e' } } }),
    );
    /** A true frame with some bytes changed, and its end cut off. */
    const damaged = fc
      .tuple(
        whole,
        fc.array(fc.tuple(fc.nat(40), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
        fc.nat(60),
      )
      .map(([from, changes, length]) => {
        const copy = Uint8Array.from(from);
        for (const [at, value] of changes) if (at < copy.length) copy[at] = value;
        return copy.subarray(0, length);
      });
    fc.assert(
      fc.property(fc.oneof(bytes, damaged), (sent) => {
        try {
          const commands = PROTOBUF_CODEC.decode(Buffer.from(sent));
          assert.ok(commands.length > 0 && commands.length <= sent.length);
        } catch (error) {
          assert.ok(error instanceof MalformedFrameError, String(error));
        }
      }),
      { numRuns: 3_000 },
    );
  });

  it('refuses groups that are nested without end', () => {
    const groups = Buffer.concat([Buffer.from([0xd0, 0x86, 0x03]), Buffer.alloc(50_000, 0x83)]);
    assert.throws(() => decode(groups), MalformedFrameError);
  });
});

describe('the Protobuf form of replies and pushes', () => {
  const info = { user: 'ann', client: 'c1', conn_info: { name: 'Ann' }, chan_info: [1] };
  const infoRead = {
    user: 'ann',
    client: 'c1',
    conn_info: base64('{"name":"Ann"}'),
    chan_info: base64('[1]'),
  };
  const data = Payload.ofJson({ a: 1 });
  const dataRead = base64('{"a":1}');
  const publications = [
    { offset: 2 ** 52, data, info: JSON.stringify(info), tags: { k: 'v' } },
    { offset: 2, data: new Payload('bytes', '/wA='), info: '' },
  ];
  const publicationsRead = [
    { offset: 2 ** 52, data: dataRead, info: infoRead, tags: { k: 'v' } },
    { offset: 2, data: '/wA=' },
  ];
  const subscribe = {
    expires: true,
    ttl: 5,
    recoverable: true,
    positioned: true,
    epoch: 'e',
    offset: 7,
    was_recovering: true,
    recovered: true,
  } as const;
  const sub = { ...subscribe, data, publications };
  const subRead = { ...subscribe, data: dataRead, publications: publicationsRead };
  const connect = { client: 'c', version: 'v', ping: 25, pong: true, expires: true, ttl: 9 } as const;

  const results: { [K in keyof Results]: [Results[K], object] } = {
    error: [ERROR.tooManyRequests, { code: 111, message: 'too many requests', temporary: true }],
    connect: [
      { ...connect, data, subs: new Map([['a', sub]]) },
      { ...connect, data: dataRead, subs: { a: subRead } },
    ],
    subscribe: [sub, subRead],
    unsubscribe: [{}, {}],
    publish: [{}, {}],
    presence: [{ presence: new Map([['c1', info]]) }, { presence: { c1: infoRead } }],
    presence_stats: [
      { num_clients: 3, num_users: 2 },
      { num_clients: 3, num_users: 2 },
    ],
    history: [
      { epoch: 'e', offset: 7, publications },
      { epoch: 'e', offset: 7, publications: publicationsRead },
    ],
    ping: [{}, {}],
    rpc: [{ data }, { data: dataRead }],
    refresh: [
      { expires: true, ttl: 3 },
      { expires: true, ttl: 3 },
    ],
    sub_refresh: [
      { expires: true, ttl: 3 },
      { expires: true, ttl: 3 },
    ],
  };
  for (const [what, [result, expected]] of Object.entries(results)) {
    it(`has what a reply to ${what} carries`, () => {
      const message = PROTOBUF_CODEC.reply(300, what as 'error', result as Results['error']);
      assert.deepEqual(read(message), { id: 300, [what]: expected });
    });
  }

  const pushes: { [K in keyof Pushes]: [Pushes[K], object] } = {
    pub: [
      { offset: 1, data, info: JSON.stringify(info), epoch: 'e2', channel: 'b', tags: { k: 'v' } },
      { offset: 1, data: dataRead, info: infoRead, epoch: 'e2', channel: 'b', tags: { k: 'v' } },
    ],
    join: [{ info }, { info: infoRead }],
    leave: [{ info }, { info: infoRead }],
    unsubscribe: [
      { code: 2500, reason: 'x' },
      { code: 2500, reason: 'x' },
    ],
    subscribe: [
      { recoverable: true, positioned: true, epoch: 'e', offset: 7, data },
      { recoverable: true, positioned: true, epoch: 'e', offset: 7, data: dataRead },
    ],
    message: [{ data }, { data: dataRead }],
    disconnect: [
      { code: 3001, reason: 'x' },
      { code: 3001, reason: 'x' },
    ],
    refresh: [
      { expires: true, ttl: 3 },
      { expires: true, ttl: 3 },
    ],
  };
  for (const [what, [push, expected]] of Object.entries(pushes)) {
    it(`has what a push of ${what} carries`, () => {
      const message = PROTOBUF_CODEC.push('a', what as 'pub', push as Pushes['pub']);
      assert.deepEqual(read(message), { push: { channel: 'a', [what]: expected } });
    });
  }

  it('has a ping of no fields', () => {
    assert.deepEqual(read(PROTOBUF_CODEC.ping), {});
  });
});
