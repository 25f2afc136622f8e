import { readFileSync } from 'node:fs';
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { SECRET_KEY } from '@causeway/crds';
import type { RpcMethodConfig } from '@causeway/crds';
import { names } from '../names/index.ts';
import { AWAY, BUSY, decodeAnswer, encodeCall, NO_ANSWER } from './message.ts';
import type { RpcCall, RpcOutcome } from './message.ts';

/** Most bytes of an answer. */
const MAX_ANSWER_BYTES = 64 * 1024;
/** How much of the calls under way may be one user's, so that nobody keeps out all others. */
const USER_SHARE = 0.25;
/** How long mounted files are believed before they are read again, milliseconds. */
const FILES_MS = 5_000;

/** Why a call did not come to an answer: no answer, one that cannot be used, or too many under way. */
export type RpcTrouble = 'away' | 'answer' | 'busy';

/** Told to those who count and log; never what a client sent, or was to get. */
export type TroubleListener = (trouble: RpcTrouble, method: string, error: unknown) => void;

/** Answered, but not as agreed. */
class AnswerError extends Error {
  override name = 'AnswerError';
}

/** The rpc methods of a platform, by name. */
export class HttpMethods {
  readonly #methods: ReadonlyMap<string, HttpMethod>;

  constructor(methods: readonly RpcMethodConfig[], trouble: TroubleListener) {
    this.#methods = new Map(methods.map((config) => [config.method, new HttpMethod(config, trouble)]));
  }

  /** Calls a method; undefined: there is none of that name. Never rejects. */
  call(method: string, call: RpcCall): Promise<RpcOutcome> | undefined {
    return this.#methods.get(method)?.call(call);
  }

  has(method: string): boolean {
    return this.#methods.has(method);
  }

  /** Ends all connections. */
  close(): void {
    for (const method of this.#methods.values()) method.close();
  }
}

/** One method: a POST for each call, over connections that are kept. */
class HttpMethod {
  readonly #config: RpcMethodConfig;
  readonly #url: URL;
  readonly #trouble: TroubleListener;
  readonly #agent: HttpAgent | HttpsAgent;
  #underWay = 0;
  readonly #ofUser = new Map<string, number>();
  #files: { token: string | undefined; ca: string | undefined; readAt: number } | undefined;

  constructor(config: RpcMethodConfig, trouble: TroubleListener) {
    this.#config = config;
    this.#url = new URL(config.url);
    this.#trouble = trouble;
    const kept = { keepAlive: true, maxSockets: config.concurrency, maxFreeSockets: config.concurrency };
    this.#agent = this.#isTls ? new HttpsAgent(kept) : new HttpAgent(kept);
  }

  async call(call: RpcCall): Promise<RpcOutcome> {
    const { method, concurrency } = this.#config;
    const ofUser = this.#ofUser.get(call.user) ?? 0;
    if (this.#underWay >= concurrency || ofUser >= Math.ceil(concurrency * USER_SHARE)) {
      this.#trouble(
        'busy',
        method,
        new Error(`${this.#underWay} calls are under way, ${ofUser} of this user`),
      );
      return BUSY;
    }
    this.#underWay += 1;
    this.#ofUser.set(call.user, ofUser + 1);
    try {
      const outcome = decodeAnswer(await this.#post(encodeCall(method, call)));
      if (!outcome)
        throw new AnswerError('the answer has neither a result nor an error with a code of 400 to 1999');
      return outcome;
    } catch (error) {
      const isAnswer = error instanceof AnswerError;
      this.#trouble(isAnswer ? 'answer' : 'away', method, error);
      return isAnswer ? NO_ANSWER : AWAY;
    } finally {
      this.#ended(call.user);
    }
  }

  #ended(user: string): void {
    this.#underWay -= 1;
    const left = (this.#ofUser.get(user) ?? 1) - 1;
    if (left === 0) this.#ofUser.delete(user);
    else this.#ofUser.set(user, left);
  }

  close(): void {
    this.#agent.destroy();
  }

  get #isTls(): boolean {
    return this.#url.protocol === 'https:';
  }

  /** The body of the answer. Rejects with {@link AnswerError} where it is another one than 200, or too large. */
  async #post(body: string): Promise<string> {
    const { timeoutMs } = this.#config;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const request = this.#request(body, (response) => {
      readBody(response).then(resolve, reject);
    });
    // Always heard: it may break after it was answered.
    request.on('error', reject);
    // Over all, not for each silence: a server that drips must not hold us.
    const late = setTimeout(() => {
      reject(new Error(`no answer within ${timeoutMs} ms`));
      request.destroy();
    }, timeoutMs);
    request.end(body);
    return promise.finally(() => clearTimeout(late));
  }

  #request(body: string, answered: (response: IncomingMessage) => void): ClientRequest {
    const { token, ca } = this.#mounted();
    const options = {
      method: 'POST',
      agent: this.#agent,
      lookup: names.lookup,
      headers: {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        accept: 'application/json',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
    };
    if (!this.#isTls) return httpRequest(this.#url, options, answered);
    return httpsRequest(this.#url, { ...options, ...(ca !== undefined && { ca }) }, answered);
  }

  /** The token and the authority as the Secrets have them now, or a few seconds ago. Throws if a file is not there. */
  #mounted(): { token: string | undefined; ca: string | undefined } {
    const { dir, caDir } = this.#config;
    const now = performance.now();
    if (!this.#files || now - this.#files.readAt > FILES_MS) {
      this.#files = {
        token: dir === undefined ? undefined : readFileSync(join(dir, SECRET_KEY.token), 'utf8').trim(),
        ca: caDir === undefined ? undefined : readFileSync(join(caDir, SECRET_KEY.ca), 'utf8'),
        readAt: now,
      };
    }
    return this.#files;
  }
}

async function readBody(response: IncomingMessage): Promise<string> {
  const { statusCode = 0 } = response;
  if (statusCode !== 200) {
    response.destroy();
    // What a proxy in between says when nobody is there is no answer of the application's.
    const isAway = statusCode === 502 || statusCode === 503 || statusCode === 504 || statusCode === 429;
    const text = `status ${statusCode}`;
    throw isAway ? new Error(text) : new AnswerError(`${text}; redirects are not followed`);
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) {
      response.destroy();
      throw new AnswerError(`more than ${MAX_ANSWER_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
