/** Reads a watch: one JSON document in each line. What isn't one is an error, never passed over. */
import type { Readable } from 'node:stream';
import { KubeError } from './kube-api.ts';
import type { KubeObject, WatchEvent } from './kube-api.ts';

/** metav1.Status, as far as we read it. */
export interface Status {
  message?: string;
  reason?: string;
  code?: number;
  details?: { retryAfterSeconds?: number };
}

/** The events of a watch, until the server ends it. Throws {@link KubeError} for an ERROR event. */
export async function* readWatch<T extends KubeObject>(stream: Readable): AsyncGenerator<WatchEvent<T>> {
  for await (const line of readLines(stream)) yield parseEvent<T>(line);
}

/** What a metav1.Status says, as an error. */
export function statusError(
  status: Status,
  fallback: { code: number; message: string; retryAfter?: number; request?: string },
): KubeError {
  const retryAfter = fallback.retryAfter ?? status.details?.retryAfterSeconds;
  return new KubeError(status.message ?? fallback.message, {
    code: status.code ?? fallback.code,
    reason: status.reason ?? 'Unknown',
    request: fallback.request,
    ...(retryAfter === undefined ? {} : { retryAfter }),
  });
}

async function* readLines(stream: Readable): AsyncGenerator<string> {
  stream.setEncoding('utf8');
  let rest = '';
  for await (const chunk of stream) {
    // Only the new part is searched, so that a long line isn't read over and over.
    const text = chunk as string;
    let from = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
      const line = rest + text.slice(from, end);
      rest = '';
      from = end + 1;
      if (line !== '') yield line;
    }
    rest += text.slice(from);
  }
  if (rest.trim() !== '') throw new Error(`the watch ended in the middle of an event: ${excerpt(rest)}`);
}

function parseEvent<T extends KubeObject>(line: string): WatchEvent<T> {
  let event: { type?: string; object?: unknown };
  try {
    event = JSON.parse(line) as typeof event;
  } catch (error) {
    throw new Error(`the watch sent what is not JSON: ${excerpt(line)}`, { cause: error });
  }
  switch (event.type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { type: event.type, object: event.object as T };
    case 'BOOKMARK':
      return { type: 'BOOKMARK', resourceVersion: (event.object as T).metadata.resourceVersion ?? '' };
    case 'ERROR':
      throw statusError(event.object as Status, {
        code: 500,
        message: 'the watch failed and did not say why',
      });
    default:
      throw new Error(`the watch sent an event of unknown type: ${excerpt(line)}`);
  }
}

/** Short, and without the values: an object may be a Secret. */
function excerpt(text: string): string {
  return `${JSON.stringify(text.slice(0, 40))} (${text.length} characters)`;
}
