/** What a client asks for outside of a Protobuf message. */
import { SyncFailure } from './failure.ts';
import { requestOf } from './message.ts';
import type { WatchRequest } from './message.ts';

/** The first message of a WebSocket without a header. */
export interface Hello {
  token: string;
  request: WatchRequest;
}

/** Throws {@link SyncFailure}. */
export function parseHello(text: string | undefined): Hello {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text ?? '');
  } catch {
    throw new SyncFailure('bad-request', 'the first message must be JSON: { "token": "…" }');
  }
  const { token, prefixes, rev, epoch } = (parsed ?? {}) as Record<string, unknown>;
  if (typeof token !== 'string') throw new SyncFailure('bad-token', 'the first message has no "token"');
  return { token, request: requestOf(prefixes, rev, epoch) };
}

/** What a request doesn't say may be in the query: `rev`, `epoch`, and `prefix`, once or more. Throws {@link SyncFailure}. */
export function withQuery(request: WatchRequest, url: string): WatchRequest {
  const query = new URLSearchParams(url.split('?')[1] ?? '');
  const asked = requestOf(query.getAll('prefix'), query.get('rev'), query.get('epoch'));
  return {
    prefixes: request.prefixes.length > 0 ? request.prefixes : asked.prefixes,
    from: request.from ?? asked.from,
  };
}
