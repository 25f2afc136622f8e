import { randomUUID } from 'node:crypto';
import type { KafkaPosition, StreamEntry, StreamMessage } from '../channels/index.ts';
import { publicationBody } from '../protocol/index.ts';
import type { ClientInfo } from '../protocol/index.ts';

/** The value of a Kafka record: one publication. The record's key is its channel. */
export interface Envelope {
  id: string;
  /** When it was published, Unix milliseconds. */
  t: number;
  data: unknown;
  info?: ClientInfo;
}

/** A new envelope as JSON. `data` is JSON already. */
export function encodeEnvelope(data: string, info: ClientInfo, unixNow: number): string {
  return `{"id":"${randomUUID()}","t":${unixNow},${publicationBody(data, info)}}`;
}

/** Reads the value of a record that anyone may have written; undefined if it is no envelope. */
export function decodeEnvelope(value: Buffer | null): Envelope | undefined {
  if (!value) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(value.toString());
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const { id, t, data, info } = parsed as Partial<Envelope>;
  if (typeof id !== 'string' || !Number.isSafeInteger(t) || data === undefined) return undefined;
  if (info !== undefined && !isClientInfo(info)) return undefined;
  return { id, t: t as number, data, ...(info && { info }) };
}

function isClientInfo(info: unknown): info is ClientInfo {
  if (typeof info !== 'object' || info === null) return false;
  const { user, client } = info as Partial<ClientInfo>;
  return typeof user === 'string' && typeof client === 'string';
}

/** An entry of a stream, as it is kept in Redis: a line of its place in Kafka, and the publication's body. */
export function encodeEntry(envelope: Envelope, kafka: KafkaPosition, replayed: boolean): string {
  const head = `${kafka.partition} ${kafka.offset} ${replayed ? 1 : 0} ${envelope.t}`;
  return `${head}\n${publicationBody(JSON.stringify(envelope.data), envelope.info)}`;
}

/** Reads what {@link encodeEntry} wrote. */
export function decodeEntry(offset: number, text: string): StreamEntry {
  const end = text.indexOf('\n');
  const [partition, kafkaOffset, replayed, publishedAt] = text.slice(0, end).split(' ').map(Number);
  if (partition === undefined || kafkaOffset === undefined || publishedAt === undefined) {
    throw new Error(`Redis holds an entry in another form: ${text.slice(0, Math.min(end, 80))}`);
  }
  return {
    offset,
    body: text.slice(end + 1),
    kafka: { partition, offset: kafkaOffset },
    replayed: replayed === 1,
    publishedAt,
  };
}

/** Reads a pub/sub message of the script APPEND: epoch, offset and entry, each after a space. */
export function decodeMessage(text: string): StreamMessage {
  const first = text.indexOf(' ');
  const second = text.indexOf(' ', first + 1);
  const entry = decodeEntry(Number(text.slice(first + 1, second)), text.slice(second + 1));
  return { ...entry, epoch: text.slice(0, first) };
}
