import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import protobuf from 'protobufjs';

const proto = join(import.meta.dirname, '../../gateway/src/protocol/client.proto');
const { root } = protobuf.parse(readFileSync(proto, 'utf8'), new protobuf.Root(), { keepCase: true });
const CommandType = root.lookupType('Command');

/** Not those of a run, which would see publications that nobody knows of. */
const channel = fc.oneof(
  fc.constantFrom('chat:fuzz', 'news:fuzz', 'chat:', ':', '', 'nobody:has', 'chat:fuzz:more', '__proto__'),
  fc.string({ unit: 'binary', maxLength: 300 }).map((text) => `fuzz${text}`),
);
const offset = fc.oneof(fc.nat(5), fc.maxSafeNat());
const bytes = fc.uint8Array({ maxLength: 200 });
const position = { offset, epoch: fc.string({ maxLength: 20 }) };

/** Requests as the protocol has them, some of them without sense; data as bytes. */
const request = fc.oneof(
  fc.record({
    subscribe: fc.record({ channel, recover: fc.boolean(), join_leave: fc.boolean(), ...position }),
  }),
  fc.record({ unsubscribe: fc.record({ channel }) }),
  fc.record({ publish: fc.record({ channel, data: bytes }) }),
  fc.record({ presence: fc.record({ channel }) }),
  fc.record({ presence_stats: fc.record({ channel }) }),
  fc.record({
    history: fc.record({
      channel,
      limit: fc.integer({ min: -2, max: 2 ** 31 - 1 }),
      since: fc.option(fc.record(position), { nil: undefined }),
      reverse: fc.boolean(),
    }),
  }),
  fc.record({ rpc: fc.record({ method: fc.string(), data: bytes }) }),
  fc.record({ refresh: fc.record({ token: fc.string() }) }),
  fc.record({ sub_refresh: fc.record({ channel, token: fc.string() }) }),
  fc.record({ connect: fc.record({ token: fc.string(), name: fc.string() }) }),
  fc.constant({ ping: {} }),
  fc.constant({}),
);
const command = fc
  .tuple(fc.oneof(fc.nat(20), fc.constant(2 ** 32 - 1)), request)
  .map(([id, one]) => ({ id, ...one }));

/** The JSON form: right but for what it asks for, or any JSON with the protocol's names. */
const json = fc
  .array(
    fc.oneof(
      command.map((one) =>
        JSON.stringify(one, (_, value: unknown) =>
          value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value,
        ),
      ),
      fc
        .tuple(
          fc.constantFrom('subscribe', 'publish', 'history', 'connect', 'presence', 'ping', 'send'),
          fc.json(),
        )
        .map(([name, value]) => `{"id":7,"${name}":${value}}`),
      fc.json(),
    ),
    { minLength: 1, maxLength: 8 },
  )
  .map((lines) => lines.join('\n'));

/** The Protobuf form: right, or with some bytes of it changed. */
const binary = fc
  .tuple(
    fc.array(command, { minLength: 1, maxLength: 8 }),
    fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
  )
  .map(([commands, changes]) => {
    const frame = Buffer.concat(
      commands.map((one) => CommandType.encodeDelimited(CommandType.fromObject(one)).finish()),
    );
    for (const [at, value] of changes) frame[at % frame.length] = value;
    return frame;
  });

/** Frames of the protocol, right and wrong. The same seed gives the same. */
export function fuzzFrames(form: 'json' | 'protobuf', seed: number, count: number): (string | Buffer)[] {
  return form === 'json'
    ? fc.sample(json, { seed, numRuns: count })
    : fc.sample(binary, { seed, numRuns: count });
}

/** Bytes that are no WebSocket frames, or frames that WebSocket forbids. */
export function garbage(seed: number): Buffer {
  const [bytesOf = new Uint8Array()] = fc.sample(fc.uint8Array({ minLength: 1, maxLength: 4_000 }), {
    seed,
    numRuns: 1,
  });
  return Buffer.from(bytesOf);
}

/** The connect command of a right client, in either form. */
export function connectFrame(form: 'json' | 'protobuf', token: string): string | Buffer {
  const connect = { id: 1, connect: { token } };
  if (form === 'json') return JSON.stringify(connect);
  return Buffer.from(CommandType.encodeDelimited(CommandType.fromObject(connect)).finish());
}
