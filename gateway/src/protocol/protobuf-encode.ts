import protobuf from 'protobufjs/minimal.js';
import type { Writer } from 'protobufjs/minimal.js';
import type { Payload } from './payload.ts';
import type {
  ClientInfo,
  Expiry,
  Positioned,
  PublicationPush,
  Pushes,
  Results,
  SubscribeResult,
} from './reply.ts';

/** Writes the fields of a message. What is empty, 0 or false is left out, as proto3 has it. */
type Write<T> = (writer: Writer, message: T) => void;

/** Field numbers are those of client.proto (github.com/centrifugal/protocol). */
const RESULTS: { [K in keyof Results]: { field: number; write: Write<Results[K]> } } = {
  error: {
    field: 2,
    write: (w, { code, message, temporary }) => {
      uint(w, 1, code);
      text(w, 2, message);
      flag(w, 3, temporary);
    },
  },
  connect: {
    field: 5,
    write: (w, result) => {
      text(w, 1, result.client);
      text(w, 2, result.version);
      expiry(w, 3, result);
      payload(w, 5, result.data);
      for (const [channel, sub] of result.subs ?? []) entry(w, 6, [channel, sub], subscribed);
      uint(w, 7, result.ping);
      flag(w, 8, result.pong);
    },
  },
  subscribe: { field: 6, write: subscribed },
  unsubscribe: { field: 7, write: nothing },
  publish: { field: 8, write: nothing },
  presence: {
    field: 9,
    write: (w, { presence }) => {
      for (const [client, info] of presence) entry(w, 1, [client, info], clientInfo);
    },
  },
  presence_stats: {
    field: 10,
    write: (w, { num_clients: clients, num_users: users }) => {
      uint(w, 1, clients);
      uint(w, 2, users);
    },
  },
  history: {
    field: 11,
    write: (w, { epoch, offset, publications = [] }) => {
      for (const pub of publications) nested(w, 1, pub, publication);
      text(w, 2, epoch);
      uint(w, 3, offset);
    },
  },
  ping: { field: 12, write: nothing },
  rpc: { field: 13, write: (w, { data }) => payload(w, 1, data) },
  refresh: { field: 14, write: (w, result) => expiry(w, 3, result) },
  sub_refresh: { field: 15, write: (w, result) => expiry(w, 1, result) },
};

const PUSHES: { [K in keyof Pushes]: { field: number; write: Write<Pushes[K]> } } = {
  pub: { field: 4, write: publication },
  join: { field: 5, write: (w, { info }) => nested(w, 1, info, clientInfo) },
  leave: { field: 6, write: (w, { info }) => nested(w, 1, info, clientInfo) },
  unsubscribe: {
    field: 7,
    write: (w, { code, reason }) => {
      uint(w, 2, code);
      text(w, 3, reason);
    },
  },
  message: { field: 8, write: (w, { data }) => payload(w, 1, data) },
  subscribe: {
    field: 9,
    write: (w, push) => {
      flag(w, 1, push.recoverable);
      positioned(w, push, { epoch: 4, offset: 5, positioned: 6 });
      payload(w, 7, push.data);
    },
  },
  disconnect: {
    field: 11,
    write: (w, { code, reason }) => {
      uint(w, 1, code);
      text(w, 2, reason);
    },
  },
  refresh: { field: 12, write: (w, push) => expiry(w, 1, push) },
};

/** A `Reply` with `id` and a result, after its length. */
export function encodeReply<K extends keyof Results>(id: number, what: K, result: Results[K]): Uint8Array {
  const { field, write } = RESULTS[what];
  const writer = protobuf.Writer.create().fork();
  uint(writer, 1, id);
  return nested(writer, field, result, write).ldelim().finish();
}

/** A `Reply` with a push, after its length. */
export function encodePush<K extends keyof Pushes>(channel: string, what: K, push: Pushes[K]): Uint8Array {
  const { field, write } = PUSHES[what];
  const writer = protobuf.Writer.create().fork();
  open(writer, 4);
  text(writer, 2, channel);
  return nested(writer, field, push, write).ldelim().ldelim().finish();
}

function subscribed(w: Writer, result: SubscribeResult): void {
  expiry(w, 1, result);
  flag(w, 3, result.recoverable);
  positioned(w, result, { epoch: 6, offset: 9, positioned: 10 });
  for (const pub of result.publications ?? []) nested(w, 7, pub, publication);
  flag(w, 8, result.recovered);
  payload(w, 11, result.data);
  flag(w, 12, result.was_recovering);
}

function publication(w: Writer, { data, info, offset, tags, epoch, channel }: PublicationPush): void {
  payload(w, 4, data);
  if (info !== '') nested(w, 5, JSON.parse(info) as ClientInfo, clientInfo);
  uint(w, 6, offset);
  for (const [key, value] of Object.entries(tags ?? {})) {
    open(w, 7);
    text(w, 1, key);
    text(w, 2, value);
    w.ldelim();
  }
  text(w, 10, channel);
  text(w, 14, epoch);
}

function clientInfo(w: Writer, { user, client, conn_info: connInfo, chan_info: chanInfo }: ClientInfo): void {
  text(w, 1, user);
  text(w, 2, client);
  if (connInfo !== undefined) text(w, 3, JSON.stringify(connInfo));
  if (chanInfo !== undefined) text(w, 4, JSON.stringify(chanInfo));
}

function positioned(
  w: Writer,
  place: Positioned,
  field: Record<'epoch' | 'offset' | 'positioned', number>,
): void {
  text(w, field.epoch, place.epoch);
  uint(w, field.offset, place.offset);
  flag(w, field.positioned, place.positioned);
}

/** `expires`, and `ttl` in the field after it. */
function expiry(w: Writer, field: number, { expires, ttl }: Expiry): void {
  flag(w, field, expires);
  uint(w, field + 1, ttl);
}

function nothing(): void {
  // A message without fields.
}

const VARINT = 0;
const LENGTH = 2;

function open(w: Writer, field: number): Writer {
  return w.uint32((field << 3) | LENGTH).fork();
}

function nested<T>(w: Writer, field: number, value: T, write: Write<T>): Writer {
  open(w, field);
  write(w, value);
  return w.ldelim();
}

/** An entry of a map from texts to messages. */
function entry<T>(w: Writer, field: number, [key, value]: [string, T], write: Write<T>): void {
  open(w, field);
  text(w, 1, key);
  nested(w, 2, value, write);
  w.ldelim();
}

/** A text; `bytes` that hold UTF-8 are the same on the wire. */
function text(w: Writer, field: number, value: string | undefined): void {
  if (value) w.uint32((field << 3) | LENGTH).string(value);
}

function payload(w: Writer, field: number, data: Payload | undefined): void {
  if (data?.form === 'bytes') w.uint32((field << 3) | LENGTH).bytes(Buffer.from(data.text, 'base64'));
  else if (data) text(w, field, data.text);
}

/** Whole numbers up to 2^53, as uint32, uint64 and int64 are on the wire alike. */
function uint(w: Writer, field: number, value: number | undefined): void {
  if (value) w.uint32((field << 3) | VARINT).uint64(value);
}

function flag(w: Writer, field: number, value: boolean | undefined): void {
  if (value) w.uint32((field << 3) | VARINT).bool(true);
}
