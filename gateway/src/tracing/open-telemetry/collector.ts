import { readdir, readFile } from 'node:fs/promises';
import { request as requestHttp } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import { join } from 'node:path';
import { SECRET_KEY } from '@causeway/crds';
import type { TracingConfig } from '@causeway/crds';
import { names } from '../../names/index.ts';

/** Time for one request with its answer, milliseconds. */
const TIMEOUT_MS = 5_000;
/** Most bytes of an answer that are looked at. */
const MAX_ANSWER_BYTES = 64 * 1024;
/** Answers after which the same request may be sent again (OTLP, "Retryable Response Codes"). */
const RETRYABLE = new Set([429, 502, 503, 504]);

/** What the value of a header may be (RFC 9110, 5.5), without what is not ASCII. */
const SENDABLE = /^[\t\x20-\x7e]*$/;

/** The collector does not want these spans, now or later. */
export class RefusedSpansError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'RefusedSpansError';
  }
}

/**
 * A collector that takes OTLP over HTTP in its JSON form
 * (opentelemetry.io/docs/specs/otlp, "OTLP/HTTP"). Mounted Secrets are read for each request.
 */
export class Collector {
  readonly #url: string;
  readonly #headersDir: string | undefined;
  readonly #caDir: string | undefined;

  constructor({ endpoint, headersDir, caDir }: Pick<TracingConfig, 'endpoint' | 'headersDir' | 'caDir'>) {
    this.#url = `${endpoint.replace(/\/$/, '')}/v1/traces`;
    this.#headersDir = headersDir;
    this.#caDir = caDir;
  }

  /**
   * Resolves to how many spans of the request were refused. Rejects with {@link RefusedSpansError} if all were, with
   * another error if it may work later. No error holds a header or what the collector said.
   */
  async send(body: Uint8Array): Promise<number> {
    const ca =
      this.#caDir === undefined ? undefined : await readFile(join(this.#caDir, SECRET_KEY.ca), 'utf8');
    const headers = this.#headersDir === undefined ? {} : await readHeaders(this.#headersDir);
    const { status, answer } = await this.#post(body, headers, ca);
    if (status === 200) return refusedIn(answer);
    const problem = `${this.#url} answered ${status}`;
    throw RETRYABLE.has(status) ? new Error(problem) : new RefusedSpansError(problem);
  }

  #post(
    body: Uint8Array,
    headers: Record<string, string>,
    ca: string | undefined,
  ): Promise<{ status: number; answer: string }> {
    return new Promise((resolve, reject) => {
      const request = this.#url.startsWith('https:') ? requestHttps : requestHttp;
      const options = {
        method: 'POST',
        agent: false,
        lookup: names.lookup,
        headers: { ...headers, 'content-type': 'application/json', 'content-length': body.byteLength },
        ...(ca !== undefined && { ca }),
      } as const;
      const sent = request(this.#url, options, (response) => {
        readAnswer(response).then((answer) => resolve({ status: response.statusCode ?? 0, answer }), reject);
      });
      // Over all, not for each silence: a collector that drips must not hold us.
      const late = setTimeout(
        () => sent.destroy(new Error(`${this.#url} gave no answer within ${TIMEOUT_MS} ms`)),
        TIMEOUT_MS,
      );
      sent.once('close', () => clearTimeout(late));
      sent.once('error', reject);
      sent.end(body);
    });
  }
}

/** A mounted Secret: a file for each header. What Kubernetes itself puts there begins with two dots. */
async function readHeaders(dir: string): Promise<Record<string, string>> {
  const files = (await readdir(dir)).filter((name) => !name.startsWith('..'));
  const headers = files.map(
    async (name) => [name, (await readFile(join(dir, name), 'utf8')).trim()] as const,
  );
  const read = await Promise.all(headers);
  // Looked at here, since a runtime's own error may quote it.
  const bad = read.find(([, value]) => !SENDABLE.test(value));
  if (bad) throw new Error(`the value of the header ${bad[0]} cannot be sent`);
  return Object.fromEntries(read);
}

async function readAnswer(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new Error(`an answer of more than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** `partialSuccess.rejectedSpans`: a 64-bit number, which JSON has as a text. An answer that says nothing refuses none. */
function refusedIn(answer: string): number {
  try {
    const parsed = JSON.parse(answer) as { partialSuccess?: { rejectedSpans?: unknown } } | null;
    const refused = Number(parsed?.partialSuccess?.rejectedSpans ?? 0);
    return Number.isSafeInteger(refused) && refused > 0 ? refused : 0;
  } catch {
    // Some collectors answer with an empty body, or with Protobuf.
    return 0;
  }
}
