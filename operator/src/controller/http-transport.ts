/** One HTTP request to the API server: keep-alive, time limits, and a fence that is checked as the bytes go out. */
import http from 'node:http';
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import type { Clock } from './clock.ts';
import type { Credentials, Endpoint } from './credentials.ts';
import { FencedError } from './fence.ts';
import type { EngineMetrics } from './metrics.ts';

export interface HttpRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With the query. */
  path: string;
  headers?: Record<string, string>;
  body?: string;
  /** Until the answer is whole; for a stream: until it begins. */
  timeoutMs: number;
  /** Wall time past which the request must not be sent, and is aborted; undefined: no limit. */
  deadline?: (() => number | undefined) | undefined;
  signal?: AbortSignal;
}

export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

/** The API server could not be reached, or the connection broke: whether it has done what was asked is not known. */
export class NetworkError extends Error {
  override name = 'NetworkError';
  readonly code: string;
  /** True when a connection that had been kept alive broke: most likely it had been closed before. */
  readonly stale: boolean;

  constructor(message: string, options: { code: string; stale?: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.code = options.code;
    this.stale = options.stale ?? false;
  }
}

export interface HttpTransportOptions {
  credentials: Credentials;
  clock: Clock;
  metrics: EngineMetrics;
  userAgent: string;
}

/** A dead peer is noticed this long after the last byte, plus ten probes a second apart. */
const TCP_KEEP_ALIVE_MS = 10_000;

export class HttpTransport {
  readonly #options: HttpTransportOptions;
  readonly #agents = {
    // Certificates come with each request, not with the agent: a rotated one gets connections of its own.
    'https:': new https.Agent({ keepAlive: true, keepAliveMsecs: TCP_KEEP_ALIVE_MS, maxFreeSockets: 32 }),
    'http:': new http.Agent({ keepAlive: true, keepAliveMsecs: TCP_KEEP_ALIVE_MS, maxFreeSockets: 32 }),
  };

  constructor(options: HttpTransportOptions) {
    this.#options = options;
  }

  /** Sends a request and reads the whole answer. */
  async send(request: HttpRequest): Promise<HttpAnswer> {
    const began = performance.now();
    const endpoint = await this.#options.credentials.endpoint();
    const { response, finish } = await this.#open(endpoint, request);
    try {
      const body = await readAll(response);
      const status = response.statusCode ?? 0;
      this.#measure(request, endpoint, String(status), began);
      return { status, headers: response.headers, body };
    } catch (error) {
      this.#measure(request, endpoint, '<error>', began);
      throw finish.reason() ?? describe(request, endpoint, error);
    } finally {
      finish.clear();
    }
  }

  /** Sends a request and gives the answer as it comes. A silence of `idleMs` breaks it. */
  async stream(request: HttpRequest, idleMs: number): Promise<IncomingMessage> {
    const began = performance.now();
    const endpoint = await this.#options.credentials.endpoint();
    const { response, finish } = await this.#open(endpoint, request);
    finish.clear();
    this.#measure(request, endpoint, String(response.statusCode ?? 0), began);
    const quiet = (): void => {
      const message = `${request.method} ${request.path}: the API server was silent for ${idleMs / 1000} s`;
      response.destroy(new NetworkError(message, { code: 'IDLE' }));
    };
    const socket = response.socket;
    socket.setTimeout(idleMs, quiet);
    response.once('close', () => {
      // The connection may be used again, by a request that has its own limits.
      socket.off('timeout', quiet);
      socket.setTimeout(0);
    });
    return response;
  }

  /** Ends the connections that nobody uses. */
  close(): void {
    this.#agents['https:'].destroy();
    this.#agents['http:'].destroy();
  }

  async #open(
    endpoint: Endpoint,
    request: HttpRequest,
  ): Promise<{ response: IncomingMessage; finish: Limits }> {
    const began = performance.now();
    request.signal?.throwIfAborted();
    checkFence(request, this.#options.clock);
    const outgoing = this.#compose(endpoint, request);
    const finish = limit(outgoing, request, this.#options.clock);
    try {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        outgoing.once('response', resolve);
        outgoing.on('error', reject);
        outgoing.once('socket', (socket: Socket) => {
          socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS);
          whenConnected(socket, () => {
            // A process may have been stopped for long since the first check: look again as the bytes go out.
            try {
              checkFence(request, this.#options.clock);
            } catch (error) {
              outgoing.destroy(error as Error);
              return;
            }
            outgoing.end(request.body);
          });
        });
      });
      return { response, finish };
    } catch (error) {
      finish.clear();
      this.#measure(request, endpoint, '<error>', began);
      throw finish.reason() ?? describe(request, endpoint, error, outgoing.reusedSocket);
    }
  }

  #compose(endpoint: Endpoint, request: HttpRequest): ClientRequest {
    const { server, options, proxied } = endpoint;
    const secure = server.protocol === 'https:';
    const agent = proxied ? options.agent : this.#agents[secure ? 'https:' : 'http:'];
    const body =
      request.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(request.body)) };
    const all: https.RequestOptions = {
      ...options,
      protocol: server.protocol,
      host: server.hostname.replace(/^\[|\]$/g, ''),
      port: server.port === '' ? (secure ? 443 : 80) : server.port,
      path: server.pathname.replace(/\/$/, '') + request.path,
      method: request.method,
      agent,
      headers: {
        accept: 'application/json',
        'user-agent': this.#options.userAgent,
        ...(options.headers as Record<string, string> | undefined),
        ...request.headers,
        ...body,
      },
    };
    return secure ? https.request(all) : http.request(all);
  }

  #measure(request: HttpRequest, endpoint: Endpoint, code: string, began: number): void {
    const host = endpoint.server.host;
    this.#options.metrics.restRequests.inc({ code, method: request.method, host });
    const seconds = (performance.now() - began) / 1000;
    this.#options.metrics.restDuration.observe({ verb: request.method, host }, seconds);
  }
}

interface Limits {
  clear(): void;
  /** Why it was ended, if one of the limits did it. */
  reason(): Error | undefined;
}

/** Ends a request that takes too long, that the caller gives up, or that the fence overtakes. */
function limit(outgoing: ClientRequest, request: HttpRequest, clock: Clock): Limits {
  let reason: Error | undefined;
  const end = (error: Error): void => {
    reason ??= error;
    outgoing.destroy(error);
  };
  const what = `${request.method} ${request.path}`;
  const timer = setTimeout(() => {
    const message = `${what}: no answer in ${request.timeoutMs / 1000} s`;
    end(new NetworkError(message, { code: 'ETIMEDOUT' }));
  }, request.timeoutMs);
  const fence = watchFence(request, clock, end);
  const aborted = (): void => end(request.signal?.reason as Error);
  request.signal?.addEventListener('abort', aborted, { once: true });
  return {
    clear: () => {
      clearTimeout(timer);
      clearInterval(fence);
      request.signal?.removeEventListener('abort', aborted);
    },
    reason: () => reason,
  };
}

/** The fence may move (a lease renewed, or given back) while a request is under way: it is looked at now and then. */
function watchFence(
  request: HttpRequest,
  clock: Clock,
  end: (error: Error) => void,
): ReturnType<typeof setInterval> | undefined {
  if (request.deadline === undefined) return undefined;
  return setInterval(() => {
    try {
      checkFence(request, clock);
    } catch (error) {
      end(error as Error);
    }
  }, 100);
}

function checkFence(request: HttpRequest, clock: Clock): void {
  const deadline = request.deadline?.();
  if (deadline === undefined || clock.now() < deadline) return;
  throw new FencedError(`${request.method} ${request.path}: refused, this process is not the leader`);
}

/** Calls `then` once a socket can carry data: at once for one that is kept alive. */
function whenConnected(socket: Socket & { secureConnecting?: boolean }, then: () => void): void {
  if (socket.secureConnecting === true) socket.once('secureConnect', then);
  else if (socket.connecting) socket.once('connect', then);
  else then();
}

function describe(request: HttpRequest, endpoint: Endpoint, error: unknown, reused = false): Error {
  if (error instanceof NetworkError || error instanceof FencedError) return error;
  const { code = 'EUNKNOWN', message = String(error) } = error as { code?: string; message?: string };
  const what = `${request.method} ${endpoint.server.origin}${request.path}`;
  const stale = reused && (code === 'ECONNRESET' || code === 'EPIPE');
  return new NetworkError(`${what}: ${message}`, { code, stale, cause: error });
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
