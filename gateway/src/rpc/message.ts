import { ENCODING_TAG, ERROR, Payload } from '../protocol/index.ts';
import type { ProtocolError } from '../protocol/index.ts';

/** A call of a client's. */
export interface RpcCall {
  data: Payload | undefined;
  /** The claim `sub` of its token. */
  user: string;
  /** Id of the connection. */
  client: string;
  /** The claim `tenant`. */
  tenant: string | undefined;
}

/** What the client is told. */
export type RpcOutcome = { data: Payload } | { error: ProtocolError };

/** Codes that applications may answer with, as in Centrifugo: below are the protocol's own. */
const MIN_CODE = 400;
const MAX_CODE = 1999;
const MAX_MESSAGE_CHARACTERS = 255;

/**
 * The body of a request: `method`, `user`, `client`, `tenant` if there is one, and `data` if the client sent any. Data
 * that is not JSON is its base64 text, and `data-encoding` says so.
 */
export function encodeCall(method: string, { data, user, client, tenant }: RpcCall): string {
  const head = JSON.stringify({
    method,
    user,
    client,
    tenant,
    ...(data?.form === 'bytes' && { [ENCODING_TAG.key]: ENCODING_TAG.value }),
  });
  // As it was sent, to the byte: parsing it would change large numbers.
  return data ? `${head.slice(0, -1)},"data":${data.json}}` : head;
}

/**
 * What an application's answer means: `{ "result": … }` or `{ "error": { "code": …, "message": …, "temporary": … } }`.
 * Undefined where it is neither; the caller says that to those who run the application, not to the client.
 */
export function decodeAnswer(body: string): RpcOutcome | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const { result, error } = parsed as Partial<Record<string, unknown>>;
  if (error !== undefined && error !== null) return errorOf(error);
  return result === undefined ? undefined : resultOf(result);
}

/** The client is told that we failed: what an application answered wrongly is nothing that it can act on. */
export const NO_ANSWER: RpcOutcome = { error: ERROR.internal };
/** Worth another try. */
export const AWAY: RpcOutcome = { error: ERROR.backendAway };
/** Worth another try, a little later. */
export const BUSY: RpcOutcome = { error: ERROR.tooManyRequests };

function resultOf(result: unknown): RpcOutcome | undefined {
  try {
    return { data: Payload.ofJson(result) };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function errorOf(error: unknown): RpcOutcome | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { code, message, temporary } = error as Partial<Record<string, unknown>>;
  const isCode = Number.isInteger(code) && (code as number) >= MIN_CODE && (code as number) <= MAX_CODE;
  if (!isCode || typeof message !== 'string' || message.length > MAX_MESSAGE_CHARACTERS) return undefined;
  return { error: { code: code as number, message, ...(temporary === true && { temporary: true }) } };
}
