/** The messages of `gateway/proto/causeway/sync/v1/sync.proto`: in Protobuf, and in its JSON form for WebSocket. */
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { SyncFailure } from './failure.ts';
import type { Position } from './position.ts';

/** WatchRequest. */
export interface WatchRequest {
  prefixes: string[];
  /** Undefined: the present state first. `epoch` undefined: that of now. */
  from: { revision: bigint; epoch: number | undefined } | undefined;
}

/** WatchResponse.Kind. */
export const KIND = { snapshot: 1, changes: 2, progress: 3 } as const;

/** SyncEvent. */
export interface SyncEvent {
  key: Buffer;
  /** Undefined: the key was deleted. */
  value: Buffer | undefined;
  previous?: Buffer;
  modRevision: bigint;
}

/** WatchResponse. */
export interface WatchResponse {
  kind: keyof typeof KIND;
  events: readonly SyncEvent[];
  position: Position | undefined;
}

const PROTO_KIND = { snapshot: 'KIND_SNAPSHOT', changes: 'KIND_CHANGES', progress: 'KIND_PROGRESS' } as const;

/** In Protobuf. */
export function encodeResponse({ kind, events, position }: WatchResponse): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.Varint).uint32(KIND[kind]);
  for (const event of events) writeEvent(writer.tag(2, WireType.LengthDelimited).fork(), event).join();
  if (position) {
    writer.tag(3, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.Varint).uint64(position.revision);
    writer.tag(2, WireType.Varint).uint64(position.epoch).join();
  }
  return writer.finish();
}

function writeEvent(writer: BinaryWriter, { key, value, previous, modRevision }: SyncEvent): BinaryWriter {
  writer.tag(1, WireType.LengthDelimited).bytes(key);
  if (value && value.length > 0) writer.tag(2, WireType.LengthDelimited).bytes(value);
  if (previous) writer.tag(3, WireType.LengthDelimited).bytes(previous);
  if (modRevision > 0n) writer.tag(4, WireType.Varint).uint64(modRevision);
  if (value === undefined) writer.tag(5, WireType.Varint).bool(true);
  return writer;
}

/**
 * In ProtoJSON (https://protobuf.dev/programming-guides/json/), with the names as in the .proto file: bytes are base64,
 * 64-bit numbers are texts.
 */
export function responseToJson({ kind, events, position }: WatchResponse): string {
  return JSON.stringify({
    kind: PROTO_KIND[kind],
    ...(events.length > 0 && { events: events.map(eventToJson) }),
    ...(position && { position: { rev: String(position.revision), epoch: String(position.epoch) } }),
  });
}

function eventToJson({ key, value, previous, modRevision }: SyncEvent): object {
  return {
    key: key.toString('base64'),
    value: value?.toString('base64') ?? '',
    ...(previous && { prev_value: previous.toString('base64') }),
    mod_revision: String(modRevision),
    is_deleted: value === undefined,
  };
}

/** Reads a WatchRequest. Fields that it doesn't know are left out. Throws {@link SyncFailure}. */
export function decodeRequest(bytes: Uint8Array): WatchRequest {
  const prefixes: string[] = [];
  let revision = 0n;
  let epoch = 0n;
  try {
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag();
      if (field === 1 && type === WireType.LengthDelimited) prefixes.push(reader.string());
      else if (field === 2 && type === WireType.Varint) revision = BigInt(reader.uint64());
      else if (field === 3 && type === WireType.Varint) epoch = BigInt(reader.uint64());
      else reader.skip(type, field);
    }
  } catch (cause) {
    throw new SyncFailure('bad-request', 'the request is not a causeway.sync.v1.WatchRequest', { cause });
  }
  return toRequest(prefixes, revision, epoch);
}

/** The same of texts, from a query or JSON. Throws {@link SyncFailure}. */
export function requestOf(prefixes: unknown, rev: unknown, epoch: unknown): WatchRequest {
  const given = prefixes ?? [];
  if (!Array.isArray(given) || !given.every((prefix) => typeof prefix === 'string')) {
    throw new SyncFailure('bad-request', '"prefixes" must be a list of texts');
  }
  return toRequest(given, whole('rev', rev), whole('epoch', epoch));
}

const LARGEST = 2n ** 63n - 1n;

function toRequest(prefixes: string[], revision: bigint, epoch: bigint): WatchRequest {
  if (revision > LARGEST) throw new SyncFailure('bad-request', '"rev" is too large');
  if (epoch > BigInt(Number.MAX_SAFE_INTEGER)) throw new SyncFailure('bad-request', '"epoch" is too large');
  if (revision === 0n) return { prefixes, from: undefined };
  return { prefixes, from: { revision, epoch: epoch === 0n ? undefined : Number(epoch) } };
}

function whole(name: string, value: unknown): bigint {
  if (value === undefined || value === null) return 0n;
  const text = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value;
  if (typeof text !== 'string' || !/^[0-9]{1,19}$/.test(text)) {
    throw new SyncFailure('bad-request', `"${name}" must be a whole number`);
  }
  return BigInt(text);
}
