import { randomUUID } from 'node:crypto';
import type { KafkaPosition, StreamEntry, StreamMessage } from '../channels/index.ts';
import { Payload } from '../protocol/index.ts';
import type { ClientInfo, PayloadForm } from '../protocol/index.ts';
import { TRACEPARENT } from './record-tracer.ts';

/**
 * The value of a Kafka record: one publication. The record's key is its channel. As JSON, with `data` in one of three
 * members, by its form (docs/adr/0051): `data`, any JSON value; `text`, JSON in a text, kept to the byte; `bytes`, the
 * base64 of what is not JSON.
 */
export interface Envelope {
  id: string;
  /** When it was published, Unix milliseconds. */
  t: number;
  data: Payload;
  info?: ClientInfo;
}

const MEMBER: Record<PayloadForm, string> = { json: 'data', text: 'text', bytes: 'bytes' };

/** A new envelope as JSON. */
export function encodeEnvelope({ form, text }: Payload, info: ClientInfo, unixNow: number): string {
  const data = form === 'json' ? text : JSON.stringify(text);
  return `{"id":"${randomUUID()}","t":${unixNow},"${MEMBER[form]}":${data},"info":${JSON.stringify(info)}}`;
}

/** Reads the value of a record that anyone may have written; undefined if it is no envelope. */
export function decodeEnvelope(value: Buffer | null): Envelope | undefined {
  if (!value) return undefined;
  try {
    return envelopeOf(JSON.parse(value.toString()));
  } catch {
    // Not JSON, or JSON in it that is none, or is nested too deeply.
    return undefined;
  }
}

function envelopeOf(parsed: unknown): Envelope | undefined {
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const { id, t, info, ...members } = parsed as Partial<Record<string, unknown>>;
  const data = payloadOf(members);
  if (typeof id !== 'string' || !Number.isSafeInteger(t) || data === undefined) return undefined;
  if (info !== undefined && !isClientInfo(info)) return undefined;
  return { id, t: t as number, data, ...(info && { info }) };
}

/** Throws where `text` is not JSON. */
function payloadOf({ data, text, bytes }: Partial<Record<string, unknown>>): Payload | undefined {
  if (data !== undefined) return Payload.ofJson(data);
  if (typeof bytes === 'string') return new Payload('bytes', Buffer.from(bytes, 'base64').toString('base64'));
  if (typeof text !== 'string') return undefined;
  JSON.parse(text);
  return new Payload('text', text);
}

function isClientInfo(info: unknown): info is ClientInfo {
  if (typeof info !== 'object' || info === null) return false;
  const { user, client } = info as Partial<ClientInfo>;
  return typeof user === 'string' && typeof client === 'string';
}

/**
 * An entry of a stream, as it is kept in Redis: a line of its place in Kafka, its trace context if it has one, and its
 * form; a line of who published; and the data.
 */
export function encodeEntry(
  { data, info, t }: Envelope,
  kafka: KafkaPosition,
  replayed: boolean,
  traceparent?: string,
): string {
  const trace = traceparent === undefined ? '' : `${traceparent} `;
  const head = `${kafka.partition} ${kafka.offset} ${replayed ? 1 : 0} ${t} ${trace}${data.form}`;
  return `${head}\n${info ? JSON.stringify(info) : ''}\n${data.text}`;
}

/** Reads what {@link encodeEntry} wrote. */
export function decodeEntry(offset: number, text: string): StreamEntry {
  const end = text.indexOf('\n');
  const infoEnd = text.indexOf('\n', end + 1);
  const { place, form, traceparent } = splitHead(text.slice(0, end));
  const [partition, kafkaOffset, replayed, publishedAt] = place;
  if (partition === undefined || kafkaOffset === undefined || publishedAt === undefined || infoEnd === -1) {
    throw new Error(`Redis holds an entry in another form: ${text.slice(0, Math.min(end, 80))}`);
  }
  const entry: StreamEntry = {
    offset,
    data: new Payload(form, text.slice(infoEnd + 1)),
    info: text.slice(end + 1, infoEnd),
    kafka: { partition, offset: kafkaOffset },
    replayed: replayed === 1,
    publishedAt,
  };
  if (traceparent !== undefined) entry.tags = { [TRACEPARENT]: traceparent };
  return entry;
}

/** Words of the place in Kafka: partition, offset, replayed, published at. */
const PLACE_WORDS = 4;

function splitHead(head: string): { place: number[]; form: PayloadForm; traceparent: string | undefined } {
  const words = head.split(' ');
  const form = words.pop() ?? '';
  if (!Object.hasOwn(MEMBER, form))
    throw new Error(`Redis holds an entry in another form: ${head.slice(0, 80)}`);
  const traceparent = words.length > PLACE_WORDS ? words.pop() : undefined;
  return { place: words.map(Number), form: form as PayloadForm, traceparent };
}

/** Reads a pub/sub message of the script APPEND: epoch, offset and entry, each after a space. */
export function decodeMessage(text: string): StreamMessage {
  const first = text.indexOf(' ');
  const second = text.indexOf(' ', first + 1);
  const entry = decodeEntry(Number(text.slice(first + 1, second)), text.slice(second + 1));
  return { ...entry, epoch: text.slice(0, first) };
}
