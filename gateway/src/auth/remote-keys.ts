import { get } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { names } from '../names/index.ts';
import { parseKeySet } from './keys.ts';
import type { TokenKeys } from './keys.ts';

/** Time for one answer, milliseconds. */
const TIMEOUT_MS = 5_000;
/** Most bytes of a key set. */
const MAX_BYTES = 256 * 1024;
/** How soon is asked again after a failure, milliseconds: twice as long each time, up to the usual interval. */
const RETRY_MS = 1_000;
/** A token with an unknown key makes us ask at most this often, milliseconds: anyone may send such tokens. */
const COOLDOWN_MS = 10_000;

/** What {@link RemoteKeys} needs. */
export interface RemoteKeysOptions {
  /** https: */
  url: string;
  /** How often the set is read, milliseconds. */
  refreshMs: number;
  /** PEM of the authorities of the URL's server, read for each request; undefined: the public ones. */
  readonly ca: () => string | undefined;
  /** Other keys than before are there. */
  readonly changed: () => void;
  /** It could not be read; the keys from before stay. */
  readonly failed: (error: unknown) => void;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/**
 * A JSON Web Key Set (RFC 7517, 5) behind a URL, as identity providers publish it: read at the start, at an interval,
 * and when a token names a key that is not in it. An identity provider that is away takes nobody's keys away.
 */
export class RemoteKeys {
  readonly #options: RemoteKeysOptions;
  #keys: TokenKeys | undefined;
  #text = '';
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #renewing: Promise<void> | undefined;
  #renewedAt = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(options: RemoteKeysOptions) {
    this.#options = options;
  }

  get keys(): TokenKeys | undefined {
    return this.#keys;
  }

  /** Begins to read; does not wait. */
  start(): void {
    void this.#renew();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** A token names a key that is not there: reads the set again. False: it could not be, or was read just now. */
  async missed(): Promise<boolean> {
    if (!this.#renewing && this.#options.now() - this.#renewedAt < COOLDOWN_MS) return false;
    await this.#renew();
    return this.#failures === 0;
  }

  /** One at a time; whoever asks meanwhile waits for the same. */
  #renew(): Promise<void> {
    this.#renewing ??= this.#read().finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  async #read(): Promise<void> {
    const { url, ca, changed, failed, now, refreshMs } = this.#options;
    clearTimeout(this.#timer);
    this.#renewedAt = now();
    try {
      const text = await fetchText(url, ca());
      const isNew = text !== this.#text;
      if (isNew) this.#keys = parseKeySet(url, text, 'give the URL of the key set itself');
      this.#text = text;
      this.#failures = 0;
      if (isNew) changed();
    } catch (error) {
      this.#failures += 1;
      failed(error);
    }
    if (this.#stopped) return;
    const wait = this.#failures === 0 ? refreshMs : Math.min(refreshMs, RETRY_MS * 2 ** (this.#failures - 1));
    // Gateways that started together don't ask together for ever.
    this.#timer = setTimeout(() => void this.#renew(), wait * (0.8 + 0.4 * Math.random()));
    this.#timer.unref();
  }
}

/** The body of an answer 200. Rejects with what is wrong; follows no redirect. */
function fetchText(url: string, ca: string | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { accept: 'application/jwk-set+json, application/json' };
    const options = { headers, agent: false, lookup: names.lookup, ...(ca !== undefined && { ca }) };
    const request = get(url, options, (response) => {
      readBody(url, response).then(resolve, reject);
    });
    // Over all, not for each silence: a server that drips must not hold us.
    const late = setTimeout(
      () => request.destroy(new Error(`${url} gave no answer within ${TIMEOUT_MS} ms`)),
      TIMEOUT_MS,
    );
    request.once('close', () => clearTimeout(late));
    request.once('error', reject);
  });
}

async function readBody(url: string, response: IncomingMessage): Promise<string> {
  if (response.statusCode !== 200) {
    response.destroy();
    throw new Error(`${url} answered ${response.statusCode}, and redirects are not followed`);
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BYTES) throw new Error(`${url} answered more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
