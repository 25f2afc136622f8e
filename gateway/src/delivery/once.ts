import { createHash } from 'node:crypto';
import type { KafkaMessage } from 'kafkajs';
import type { Envelope } from './entry.ts';

/** Header of a Kafka record that holds its idempotency key. Applications that write to Kafka may set it too. */
export const IDEMPOTENCY_HEADER = 'idempotency-key';

/**
 * A record is not delivered if one with its key came at most so long before it, milliseconds of the records' own time
 * (docs/adr/0055). As long as Centrifugo keeps the result of a key by default.
 */
export const IDEMPOTENCY_WINDOW_MS = 300_000;

/** What of a record with a key decides whether it is delivered. */
export interface Once {
  /** Stands for the key and its user; always as long. */
  id: string;
  /** When the record was written to Kafka, Unix milliseconds. A replay has the same. */
  at: number;
}

/** Bytes of {@link Once}.id before they are text: no two keys share one by chance, nor on purpose. */
const ID_BYTES = 16;

/** What a record's header asks for; undefined: nothing. */
export function onceOf({ headers, timestamp }: KafkaMessage, { info, t }: Envelope): Once | undefined {
  const header = headers?.[IDEMPOTENCY_HEADER];
  if (header === undefined) return undefined;
  const key = Array.isArray(header) ? header[0] : header;
  if (key === undefined || key.length === 0) return undefined;
  const at = Number(timestamp);
  return { id: idOf(key, info?.user ?? ''), at: at >= 0 ? at : t };
}

/** A key counts for its user only: nobody can take the key of somebody else's publication. */
function idOf(key: Buffer | string, user: string): string {
  const hash = createHash('sha256').update(`${user.length} ${user}`).update(key);
  return hash.digest().subarray(0, ID_BYTES).toString('base64url');
}
