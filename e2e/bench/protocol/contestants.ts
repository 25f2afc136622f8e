/** Libraries for Protobuf, each with the two messages of the gateway's hot path. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { create, createFileRegistry, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { DescMessage, Message } from '@bufbuild/protobuf';
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
} from '@bufbuild/protobuf/wkt';
import { PbfReader, PbfWriter } from 'pbf';
import protobuf from 'protobufjs';

const CHANNEL = 'chat:room-1';
/** 128 bytes. */
const DATA = `{"text":"${'x'.repeat(117)}"}`;
const INFO = { user: 'user-1234', client: '9a4ad7c6-1d47-4d2b-9f6e-0e6b3f8f9a10' };
const OFFSET = 123_456;

/** One way of doing it. */
export interface Contestant {
  name: string;
  /** Writes the push of a publication of 128 bytes. */
  encode: () => Uint8Array;
  /** Reads a command that publishes 128 bytes, and returns its channel. */
  decode: () => string;
}

const file = join(import.meta.dirname, '../../../gateway/src/protocol/client.proto');
const { root } = protobuf.parse(readFileSync(file, 'utf8'), new protobuf.Root(), { keepCase: true });
const Command = root.lookupType('Command');
const Reply = root.lookupType('Reply');
const command = Buffer.from(
  Command.encode({ id: 7, publish: { channel: CHANNEL, data: Buffer.from(DATA) } }).finish(),
);

/** Field numbers are those of client.proto. */
const byHand: Contestant = {
  name: 'protobufjs, its reader and writer by hand',
  encode() {
    const w = protobuf.Writer.create();
    w.uint32(34).fork().uint32(18).string(CHANNEL).uint32(34).fork();
    w.uint32(34)
      .string(DATA)
      .uint32(42)
      .fork()
      .uint32(10)
      .string(INFO.user)
      .uint32(18)
      .string(INFO.client)
      .ldelim();
    return w.uint32(48).uint64(OFFSET).ldelim().ldelim().finish();
  },
  decode() {
    const r = protobuf.Reader.create(command);
    const message = { id: 0, channel: '', data: undefined as Uint8Array | undefined };
    while (r.pos < r.len) {
      const tag = r.uint32();
      if (tag === 8) message.id = r.uint32();
      else if (tag === 58) readPublish(r, message);
      else r.skipType(tag & 7);
    }
    return message.channel;
  },
};

function readPublish(r: protobuf.Reader, message: { channel: string; data: Uint8Array | undefined }): void {
  const end = r.uint32() + r.pos;
  while (r.pos < end) {
    const tag = r.uint32();
    if (tag === 10) message.channel = r.stringVerify();
    else if (tag === 18) message.data = r.bytes();
    else r.skipType(tag & 7);
  }
}

const generated: Contestant = {
  name: 'protobufjs, code generated from the schema',
  encode: () =>
    Reply.encode({
      push: { channel: CHANNEL, pub: { data: Buffer.from(DATA), info: INFO, offset: OFFSET } },
    }).finish(),
  decode: () => (Command.decode(command) as unknown as { publish: { channel: string } }).publish.channel,
};

/** Its compiler is a plugin of another program's; here the few messages are described by hand. */
function withBuf(): Contestant {
  const { STRING, BYTES, UINT32, UINT64, MESSAGE } = FieldDescriptorProto_Type;
  const field = (name: string, number: number, kind: FieldDescriptorProto_Type, of = '') => ({
    name,
    number,
    type: kind,
    label: FieldDescriptorProto_Label.OPTIONAL,
    ...(of && { typeName: `.${of}` }),
  });
  const messageType = [
    { name: 'Command', field: [field('id', 1, UINT32), field('publish', 7, MESSAGE, 'Publish')] },
    { name: 'Publish', field: [field('channel', 1, STRING), field('data', 2, BYTES)] },
    { name: 'Reply', field: [field('push', 4, MESSAGE, 'Push')] },
    { name: 'Push', field: [field('channel', 2, STRING), field('pub', 4, MESSAGE, 'Publication')] },
    {
      name: 'Publication',
      field: [field('data', 4, BYTES), field('info', 5, MESSAGE, 'Info'), field('offset', 6, UINT64)],
    },
    { name: 'Info', field: [field('user', 1, STRING), field('client', 2, STRING)] },
  ];
  const described = create(FileDescriptorProtoSchema, { name: 'a.proto', syntax: 'proto3', messageType });
  const registry = createFileRegistry(described, () => undefined);
  const type = (name: string): DescMessage => {
    const found = registry.getMessage(name);
    if (!found) throw new Error(`no message ${name}`);
    return found;
  };
  const [reply, commandType] = [type('Reply'), type('Command')];
  return {
    name: '@bufbuild/protobuf',
    encode: () => {
      const pub = { data: Buffer.from(DATA), info: INFO, offset: BigInt(OFFSET) };
      return toBinary(reply, create(reply, { push: { channel: CHANNEL, pub } }));
    },
    decode: () =>
      (fromBinary(commandType, command) as Message & { publish: { channel: string } }).publish.channel,
  };
}

const pbf: Contestant = {
  name: 'pbf, its reader and writer by hand',
  encode() {
    const w = new PbfWriter();
    w.writeMessage(4, writePush, undefined);
    return w.finish();
  },
  decode: () =>
    new PbfReader(command).readFields(
      (tag, message, r) => {
        if (tag === 1) message.id = r.readVarint();
        else if (tag === 7) r.readMessage(readPbfPublish, message);
      },
      { id: 0, channel: '', data: undefined as Uint8Array | undefined },
    ).channel,
};

function writePush(_: undefined, w: PbfWriter): void {
  w.writeStringField(2, CHANNEL);
  w.writeMessage(4, writePub, undefined);
}
function writePub(_: undefined, w: PbfWriter): void {
  w.writeStringField(4, DATA);
  w.writeMessage(5, writeInfo, undefined);
  w.writeVarintField(6, OFFSET);
}
function writeInfo(_: undefined, w: PbfWriter): void {
  w.writeStringField(1, INFO.user);
  w.writeStringField(2, INFO.client);
}
function readPbfPublish(
  tag: number,
  message: { channel: string; data: Uint8Array | undefined },
  r: PbfReader,
): void {
  if (tag === 1) message.channel = r.readString();
  else if (tag === 2) message.data = r.readBytes();
}

export const CONTESTANTS: readonly Contestant[] = [byHand, generated, withBuf(), pbf];

/** Throws unless all write the same and read the same. */
export function agree(): void {
  const [first, ...rest] = CONTESTANTS.map(
    ({ encode, decode }) => Buffer.from(encode()).toString('hex') + decode(),
  );
  for (const [index, other] of rest.entries()) {
    if (other !== first) throw new Error(`${CONTESTANTS[index + 1]?.name} differs: ${other}, not ${first}`);
  }
}
