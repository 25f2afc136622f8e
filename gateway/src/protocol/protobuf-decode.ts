import protobuf from 'protobufjs/minimal.js';
import type { Reader } from 'protobufjs/minimal.js';
import { MalformedFrameError, MAX_COMMANDS_PER_FRAME } from './command.ts';
import type { Command, Method, Requests, StreamPosition } from './command.ts';
import { Payload } from './payload.ts';

/**
 * Reads the commands of one frame of the Protobuf form: messages `Command`, each after its length. Field numbers are
 * those of client.proto (github.com/centrifugal/protocol). See `Codec.decode`.
 */
export function decodeProtobuf(frame: Buffer): Command[] {
  try {
    return decodeCommands(frame);
  } catch (cause) {
    if (cause instanceof MalformedFrameError) throw cause;
    // The reader throws Error and RangeError.
    throw new MalformedFrameError('not Protobuf', { cause });
  }
}

function decodeCommands(frame: Buffer): Command[] {
  const reader = protobuf.Reader.create(frame);
  const commands: Command[] = [];
  while (reader.pos < reader.len) {
    if (commands.length === MAX_COMMANDS_PER_FRAME) throw new MalformedFrameError('too many commands');
    commands.push(decodeCommand(reader));
  }
  if (commands.length === 0) throw new MalformedFrameError('no command');
  return commands;
}

/** The client's answer to a ping is a command of no bytes. */
function decodeCommand(reader: Reader): Command {
  const from = reader.pos;
  const raw = nested<RawCommand>(reader, { id: 0, command: undefined }, COMMAND);
  return reader.pos === from + 1 ? { method: 'pong' } : toCommand(raw);
}

/** Reads one field's value into the message that it is of. */
type FieldReader<T> = (message: T, reader: Reader) => void;
/** By tag: number of the field and type on the wire. What is not here is skipped. */
type Fields<T> = Record<number, FieldReader<T>>;

const VARINT = 0;
const LENGTH = 2;
const tag = (field: number, wireType: number): number => (field << 3) | wireType;

/** Reads a message with its length. No byte after its end is looked at, and nothing is allocated by its length. */
function nested<T>(reader: Reader, message: T, fields: Fields<T>): T {
  const length = reader.uint32();
  const end = reader.pos + length;
  if (end > reader.len) throw new MalformedFrameError('a length is beyond the end');
  while (reader.pos < end) {
    const found = reader.uint32();
    const read = fields[found];
    if (read) read(message, reader);
    else reader.skipType(found & 7, 0, found >>> 3);
  }
  if (reader.pos !== end) throw new MalformedFrameError('a field is beyond the end of its message');
  return message;
}

/** What a command is while it is read. */
interface RawCommand {
  id: number;
  command: Command | undefined;
}

interface RawPosition {
  offset: number;
  epoch: string;
}
interface RawSubscribe extends RawPosition {
  channel: string;
  token: string;
  recover: boolean;
  data: Payload | undefined;
  joinLeave: boolean;
}
interface RawEntry {
  key: string;
  value: RawSubscribe;
}

const channelField: Fields<{ channel: string }> = {
  [tag(1, LENGTH)]: (m, r) => (m.channel = r.stringVerify()),
};
const tokenField = (field: number): Fields<{ token: string }> => ({
  [tag(field, LENGTH)]: (m, r) => (m.token = r.stringVerify()),
});
const dataField = (field: number): Fields<{ data: Payload | undefined }> => ({
  [tag(field, LENGTH)]: (m, r) => (m.data = Payload.ofBytes(r.bytes() as Buffer)),
});

const POSITION: Fields<RawPosition> = {
  [tag(1, VARINT)]: (m, r) => (m.offset = uint64(r)),
  [tag(2, LENGTH)]: (m, r) => (m.epoch = r.stringVerify()),
};
const SUBSCRIBE: Fields<RawSubscribe> = {
  ...channelField,
  ...tokenField(2),
  [tag(3, VARINT)]: (m, r) => (m.recover = r.bool()),
  [tag(6, LENGTH)]: (m, r) => (m.epoch = r.stringVerify()),
  [tag(7, VARINT)]: (m, r) => (m.offset = uint64(r)),
  ...dataField(8),
  [tag(11, VARINT)]: (m, r) => (m.joinLeave = r.bool()),
};
const SUBS_ENTRY: Fields<RawEntry> = {
  [tag(1, LENGTH)]: (m, r) => (m.key = r.stringVerify()),
  [tag(2, LENGTH)]: (m, r) => nested(r, m.value, SUBSCRIBE),
};
const CONNECT: Fields<{
  token: string;
  data: Payload | undefined;
  subs: Map<string, StreamPosition | undefined>;
}> = {
  ...tokenField(1),
  ...dataField(2),
  [tag(3, LENGTH)]: (m, r) => {
    const { key, value } = nested(r, { key: '', value: rawSubscribe() }, SUBS_ENTRY);
    m.subs.set(key, recoverOf(value));
  },
};
const PUBLISH: Fields<Requests['publish']> = {
  ...channelField,
  [tag(2, LENGTH)]: (m, r) => (m.data = Payload.ofBytes(r.bytes() as Buffer)),
};
const HISTORY: Fields<Requests['history']> = {
  ...channelField,
  [tag(7, VARINT)]: (m, r) => (m.limit = r.int32()),
  [tag(8, LENGTH)]: (m, r) => (m.since = nested(r, { offset: 0, epoch: '' }, POSITION)),
  [tag(9, VARINT)]: (m, r) => (m.reverse = r.bool()),
};
const RPC: Fields<Requests['rpc']> = {
  ...dataField(1),
  [tag(2, LENGTH)]: (m, r) => (m.method = r.stringVerify()),
};
const SEND = dataField(1);
const REFRESH = tokenField(1);
const SUB_REFRESH: Fields<Requests['sub_refresh']> = { ...channelField, ...tokenField(2) };
const NO_DATA = new Payload('bytes', '');

const READERS: { [M in Method]: { field: number; read: (reader: Reader) => Requests[M] } } = {
  connect: { field: 4, read: (r) => nested(r, { token: '', data: undefined, subs: new Map() }, CONNECT) },
  subscribe: { field: 5, read: (r) => subscribeOf(nested(r, rawSubscribe(), SUBSCRIBE)) },
  unsubscribe: { field: 6, read: (r) => nested(r, { channel: '' }, channelField) },
  publish: { field: 7, read: (r) => nested(r, { channel: '', data: NO_DATA }, PUBLISH) },
  presence: { field: 8, read: (r) => nested(r, { channel: '' }, channelField) },
  presence_stats: { field: 9, read: (r) => nested(r, { channel: '' }, channelField) },
  history: {
    field: 10,
    read: (r) => nested(r, { channel: '', limit: 0, since: undefined, reverse: false }, HISTORY),
  },
  ping: { field: 11, read: (r) => nested(r, {}, {}) },
  rpc: { field: 13, read: (r) => nested(r, { method: '', data: undefined }, RPC) },
  refresh: { field: 14, read: (r) => nested(r, { token: '' }, REFRESH) },
  sub_refresh: { field: 15, read: (r) => nested(r, { channel: '', token: '' }, SUB_REFRESH) },
};

/** Where a command has several requests, the first one counts. */
const COMMAND: Fields<RawCommand> = {
  [tag(1, VARINT)]: (m, r) => (m.id = r.uint32()),
  [tag(12, LENGTH)]: (m, r) => {
    const { data } = nested(r, { data: undefined as Payload | undefined }, SEND);
    m.command ??= { method: 'send', data };
  },
};
for (const [method, { field, read }] of Object.entries(READERS)) {
  COMMAND[tag(field, LENGTH)] = (m, r) => {
    const request = read(r);
    m.command ??= { method, id: 0, request } as Command;
  };
}

function toCommand({ id, command }: RawCommand): Command {
  if (command?.method === 'send') return command;
  if (id === 0) throw new MalformedFrameError('no id');
  if (!command) return { method: 'unknown', id };
  if ('id' in command) command.id = id;
  return command;
}

function rawSubscribe(): RawSubscribe {
  return { channel: '', token: '', recover: false, epoch: '', offset: 0, data: undefined, joinLeave: false };
}

function subscribeOf(raw: RawSubscribe): Requests['subscribe'] {
  const { channel, token, data, joinLeave } = raw;
  return { channel, token, recover: recoverOf(raw), data, joinLeave };
}

function recoverOf({ recover, offset, epoch }: RawSubscribe): StreamPosition | undefined {
  return recover ? { offset, epoch } : undefined;
}

function uint64(reader: Reader): number {
  const value = Number(reader.uint64());
  if (!Number.isSafeInteger(value)) throw new MalformedFrameError('a number is too large');
  return value;
}
