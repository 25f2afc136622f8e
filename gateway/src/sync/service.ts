/** `/sync`: streams of etcd's changes, over gRPC-Web and WebSocket. */
import { SYNC_PATH, SYNC_RPC_PATH } from '@causeway/crds';
import type { GatewayConfig } from '@causeway/crds';
import type { TokenVerifier } from '../auth/index.ts';
import type { Log } from '../log/index.ts';
import { reason } from '../log/index.ts';
import type { Exchange, MessageSocket, Output } from '../transport/index.ts';
import { authorize, bearerToken } from './authorize.ts';
import { SyncFailure } from './failure.ts';
import type { Feed } from './feed.ts';
import { Gate } from './gate.ts';
import {
  contentTypeOf,
  encodingOf,
  MAX_REQUEST_BYTES,
  requestMessage,
  trailersFrame,
  trailersOf,
} from './grpc-web.ts';
import { parseHello, withQuery } from './hello.ts';
import type { Hello } from './hello.ts';
import { decodeRequest } from './message.ts';
import type { WatchRequest } from './message.ts';
import { corsHeaders, preflight } from './cors.ts';
import { grpcWebOutlet, webSocketOutlet } from './outlet.ts';
import { allowedPrefixes } from './rights.ts';
import { STREAM_LIMITS, SyncStream } from './stream.ts';
import type { Outlet, StreamServices } from './stream.ts';

/** Streams of one gateway. Each costs its connection and a cursor. */
const MAX_STREAMS = 5_000;
/** Reads of the present state at once, and of older changes. */
const SNAPSHOTS = 4;
const CATCH_UPS = 8;
/** WebSocket close codes are this and the gRPC status. */
const CLOSE_BASE = 4_000;

/** What is counted. */
export interface SyncEvents {
  /** Messages that were sent. */
  sent(messages: number): void;
  /** A stream ended, and why; `client`: the client left. */
  ended(why: string): void;
  /** A stream was refused, since the gateway is to be empty. */
  turnedAway(): void;
}

/** What it works with. */
export interface SyncParts {
  feed: Feed;
  verifier: TokenVerifier;
  /** How often WebSockets are pinged, and how long they have to answer. */
  heartbeat: GatewayConfig['heartbeat'];
  /** Of pages that may use it; empty: any. Lower case. */
  allowedOrigins: ReadonlySet<string>;
  log: Log;
  events: SyncEvents;
  /** Makes a text frame of WebSocket. */
  textFrame: (text: string) => Buffer;
  /** Whether the gateway is to be empty: no stream begins then. Those that run are ended by their `stop`. */
  turnsAway: () => boolean;
  maxStreams?: number;
  limits?: Partial<StreamServices['limits']>;
}

/** All streams of a gateway. */
export class SyncService {
  /** Of requests that are no WebSockets. */
  readonly paths: ReadonlySet<string> = new Set([SYNC_PATH, SYNC_RPC_PATH]);
  readonly #parts: SyncParts;
  readonly #services: StreamServices;
  readonly #streams = new Set<SyncStream>();

  constructor(parts: SyncParts) {
    this.#parts = parts;
    this.#services = {
      feed: parts.feed,
      snapshots: new Gate(SNAPSHOTS),
      catchUps: new Gate(CATCH_UPS),
      events: parts.events,
      limits: { ...STREAM_LIMITS, ...parts.limits },
    };
  }

  get heartbeat(): SyncParts['heartbeat'] {
    return this.#parts.heartbeat;
  }

  /** Streams that run. */
  get streams(): ReadonlySet<SyncStream> {
    return this.#streams;
  }

  /** Resolves when no stream is left, or after `timeoutMs`. */
  async empty(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (this.#streams.size > 0 && performance.now() < deadline) await this.#parts.feed.changed();
  }

  /** Serves a request for one of {@link paths}. */
  handle(exchange: Exchange): void {
    this.#call(exchange).catch((error: unknown) => this.#broken(error, exchange));
  }

  /** Serves a WebSocket at {@link SYNC_PATH}. */
  accept(socket: MessageSocket): void {
    this.#converse(socket).catch((error: unknown) => this.#broken(error, socket));
  }

  #broken(error: unknown, output: Exchange | MessageSocket): void {
    this.#parts.log.error('/sync failed', { stack: error instanceof Error ? error.stack : reason(error) });
    if ('end' in output) output.end();
    else output.close(CLOSE_BASE + 13, 'internal');
  }

  async #call(exchange: Exchange): Promise<void> {
    const cors = corsHeaders(exchange.headers['origin'], this.#parts.allowedOrigins);
    const refuse = (status: number, headers: Record<string, string> = {}): void =>
      exchange.refuse(status, { ...cors, ...headers });
    if (cors === undefined) return refuse(403);
    if (exchange.method === 'OPTIONS') return refuse(204, preflight());
    if (exchange.method !== 'POST') return refuse(405, { allow: 'POST, OPTIONS' });
    const encoding = encodingOf(exchange.headers['content-type']);
    if (!encoding)
      return refuse(415, { accept: 'application/grpc-web+proto, application/grpc-web-text+proto' });
    const failure = await this.#serve({
      output: exchange,
      outlet: grpcWebOutlet(exchange, encoding),
      token: bearerToken(exchange.headers['authorization']),
      request: async () => {
        const body = await exchange.body(MAX_REQUEST_BYTES);
        if (!body)
          throw new SyncFailure(
            'bad-request',
            `the body must have a length, up to ${MAX_REQUEST_BYTES} bytes`,
          );
        return withQuery(decodeRequest(requestMessage(body, encoding)), exchange.url);
      },
      begin: () =>
        exchange.respond({
          ...cors,
          'content-type': contentTypeOf(encoding),
          'cache-control': 'no-store',
        }),
    });
    if (exchange.closed || !failure) return;
    exchange.write(trailersFrame(trailersOf(failure), encoding));
    exchange.end();
  }

  async #converse(socket: MessageSocket): Promise<void> {
    const bearer = bearerToken(socket.headers['authorization']);
    let hello: Hello | undefined;
    let failure: SyncFailure | undefined;
    try {
      hello = bearer === undefined ? parseHello(await socket.first) : undefined;
    } catch (error) {
      failure = this.#toFailure(error);
      this.#parts.events.ended(failure.reason);
    }
    failure ??= await this.#serve({
      output: socket,
      outlet: webSocketOutlet(socket, this.#parts.textFrame),
      token: bearer ?? hello?.token,
      request: async () => withQuery(hello?.request ?? { prefixes: [], from: undefined }, socket.url),
      begin: () => socket.arrived(),
    });
    if (socket.closed || !failure) return;
    const { status, reason: why, message, oldest } = failure;
    const error = {
      status,
      reason: why,
      message,
      ...(oldest && { oldest: { rev: String(oldest.revision), epoch: String(oldest.epoch) } }),
    };
    socket.write(this.#parts.textFrame(JSON.stringify({ error })));
    socket.close(CLOSE_BASE + status, why);
  }

  /** Checks, then runs the stream. Gives why it ended; undefined when the client left. */
  async #serve({ output, outlet, token, request, begin }: Call): Promise<SyncFailure | undefined> {
    let stream: SyncStream | undefined;
    let begun = false;
    try {
      const { sync = [], expiresAt } = await authorize(this.#parts.verifier, token);
      const asked = await request();
      const prefixes = allowedPrefixes(asked.prefixes, { granted: sync, served: this.#parts.feed.prefixes });
      this.#admit();
      begun = true;
      begin();
      const expires = expiresAt === undefined ? undefined : expiresAt * 1_000;
      stream = new SyncStream(this.#services, { request: asked, prefixes, expiresAt: expires, outlet });
      this.#streams.add(stream);
      await stream.run();
      this.#parts.events.ended('client');
      return undefined;
    } catch (error) {
      const failure = this.#toFailure(error);
      if (!output.closed && !begun) begin();
      this.#parts.events.ended(failure.reason);
      return failure;
    } finally {
      if (stream) this.#streams.delete(stream);
    }
  }

  #admit(): void {
    if (this.#parts.turnsAway()) {
      this.#parts.events.turnedAway();
      throw new SyncFailure('shutdown', 'this gateway is to be empty: connect again');
    }
    const most = this.#parts.maxStreams ?? MAX_STREAMS;
    if (this.#streams.size >= most)
      throw new SyncFailure('too-many-streams', `this gateway has ${most} streams already`);
  }

  #toFailure(error: unknown): SyncFailure {
    if (error instanceof SyncFailure) return error;
    this.#parts.log.error('/sync stream failed', {
      stack: error instanceof Error ? error.stack : reason(error),
    });
    return new SyncFailure('internal', 'this is a fault of the gateway');
  }
}

interface Call {
  output: Output;
  outlet: Outlet;
  token: string | undefined;
  request: () => Promise<WatchRequest>;
  /** The client may stay. */
  begin: () => void;
}
