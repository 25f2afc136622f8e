import { ERROR, Payload } from '../protocol/index.ts';
import type { PublishRequest } from '../protocol/index.ts';
import { RefusedError } from './refused.ts';

/** The rpc method that publishes, with an idempotency key if the client likes. */
export const PUBLISH_METHOD = 'causeway.publish';

/** Most bytes of an idempotency key. */
const MAX_KEY_BYTES = 128;

/** A publication that may have an idempotency key; empty: none. */
export interface KeyedPublishRequest extends PublishRequest {
  idempotencyKey: string;
}

/**
 * Reads the data of {@link PUBLISH_METHOD}: `{ channel, data, idempotency_key }`, or `bytes` for `data`, the base64 of
 * what a client of the Protobuf form would publish. Throws {@link RefusedError} (bad request) where it is something else.
 */
export function publishCallOf(call: Payload | undefined): KeyedPublishRequest {
  const members = objectOf(call);
  const { channel, idempotency_key: idempotencyKey = '' } = members;
  const data = dataOf(members);
  const isKey = typeof idempotencyKey === 'string' && Buffer.byteLength(idempotencyKey) <= MAX_KEY_BYTES;
  if (typeof channel !== 'string' || data === undefined || !isKey) throw new RefusedError(ERROR.badRequest);
  return { channel, data, idempotencyKey };
}

/** A member that is not in JSON is undefined. */
type Members = Partial<Record<string, unknown>>;

function objectOf(call: Payload | undefined): Members {
  const parsed: unknown = call && call.form !== 'bytes' ? JSON.parse(call.text) : undefined;
  const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
  if (!isObject) throw new RefusedError(ERROR.badRequest);
  return parsed;
}

function dataOf({ data, bytes }: Members): Payload | undefined {
  if (data !== undefined) return bytes === undefined ? Payload.ofJson(data) : undefined;
  return typeof bytes === 'string' ? Payload.ofBytes(Buffer.from(bytes, 'base64')) : undefined;
}
