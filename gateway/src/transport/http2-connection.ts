import { constants, performServerHandshake } from 'node:http2';
import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { fullBucket, take } from '../limits/index.ts';
import { refuseConnect } from './extended-connect.ts';
import { pickSubprotocol } from './pick-codec.ts';
import { parseSubprotocols } from './subprotocol.ts';
import { MAX_HEAD_BYTES, pathOf } from './upgrade.ts';
import type { Refusal, UpgradeRules } from './upgrade.ts';

/** WebSockets, and requests under way, on one connection. RFC 9113, 5.1.2, asks for at least 100. */
const MAX_STREAMS = 100;
/** As much as in HTTP/1.1, and the 32 bytes that are counted for each of the runtimes' 128 fields (RFC 9113, 6.5.2). */
const MAX_HEADER_LIST_BYTES = MAX_HEAD_BYTES + 128 * 32;
/** How long a client has to take what ends its connection before the socket is destroyed, milliseconds. */
const CLOSE_TIMEOUT_MS = 3_000;
/** Frames that a client may have answered or allocated for: requests, PING and SETTINGS, together. */
const WORK = { burst: 400, messagesPerSecond: 100 };

/**
 * Bounds that the runtimes keep: streams, headers, and streams that are reset at once (CVE-2023-44487). Their defaults
 * bound the frames that are invalid or empty, and CONTINUATION (docs/adr/0050); those count over the whole life of a
 * connection, so lower ones would end good connections that last.
 */
const BOUNDS = {
  settings: {
    enableConnectProtocol: true,
    maxConcurrentStreams: MAX_STREAMS,
    maxHeaderListSize: MAX_HEADER_LIST_BYTES,
  },
  streamResetBurst: 2 * MAX_STREAMS,
  streamResetRate: 33,
};

/** What a connection asks and tells its server. */
export interface Http2Host {
  rules: UpgradeRules;
  /** How long there may be no WebSocket on it, milliseconds. */
  idleTimeoutMs: number;
  /** A place for one more WebSocket, the second one of this connection or a later one. */
  sitFurther(): boolean;
  leaveFurther(): void;
  /** A request that became no WebSocket, and its status. */
  refused(status: number): void;
  /** It was closed for asking too much too fast, or for breaking the protocol. */
  broken(why: 'http2_flood' | 'http2_error'): void;
  /** A stream whose handshake is over. */
  open(stream: ServerHttp2Stream, subprotocol: string, headers: IncomingHttpHeaders): void;
  /** Whether requests for this path are served, other than WebSockets. */
  serves(path: string): boolean;
  exchange(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void;
}

/**
 * One HTTP/2 connection: each extended CONNECT on it becomes a WebSocket (RFC 8441), everything else is refused by a
 * status and leaves no stream. Closes itself when it carries none for too long.
 */
export class Http2Connection {
  readonly #host: Http2Host;
  readonly #socket: TLSSocket;
  readonly #session: ServerHttp2Session;
  readonly #work = fullBucket(WORK, performance.now());
  #inUse = 0;
  /** Monotonic milliseconds. */
  #idleSince = performance.now();
  #everUsed = false;
  #leaving = false;
  /** When the session ended, monotonic milliseconds. Its socket waits for the client to end it too. */
  #endedAt: number | undefined;

  constructor(socket: TLSSocket, host: Http2Host) {
    this.#host = host;
    this.#socket = socket;
    this.#session = performServerHandshake(socket, BOUNDS);
    this.#session.on('stream', (stream, headers) => this.#request(stream, headers));
    this.#session.on('ping', () => this.#mayWork());
    this.#session.on('remoteSettings', () => this.#mayWork());
    // The session closes by itself after it.
    this.#session.on('error', () => host.broken('http2_error'));
    this.#session.once('close', () => (this.#endedAt ??= performance.now()));
  }

  /** Asks the client by GOAWAY to open no more streams here; closes when those that are open have ended. */
  goAway(): void {
    if (this.#leaving) return;
    this.#leaving = true;
    if (!this.#session.destroyed) this.#session.close();
  }

  /** Closes a connection without WebSockets in time. True: it never had one. To be called a few times a second. */
  tick(now: number): boolean {
    if (this.#endedAt !== undefined) {
      if (now - this.#endedAt >= CLOSE_TIMEOUT_MS) this.#socket.destroy();
      return false;
    }
    if (this.#inUse > 0 || now - this.#idleSince < this.#host.idleTimeoutMs) return false;
    this.#end(constants.NGHTTP2_NO_ERROR);
    return !this.#everUsed;
  }

  /** Closes it at once. */
  destroy(): void {
    this.#session.destroy();
    this.#socket.destroy();
  }

  #request(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    // A stream that the client resets is nothing to log; it ends by itself.
    stream.on('error', () => undefined);
    if (!this.#mayWork() || stream.destroyed || stream.closed) return;
    if (this.#leaving) {
      // It may be sent again elsewhere (RFC 9113, 8.7).
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
      return;
    }
    const isRequest = headers[':method'] !== 'CONNECT' && this.#host.serves(pathOf(headers[':path'] ?? ''));
    const refusal = isRequest ? undefined : refuseConnect(headers, this.#host.rules);
    if (refusal) return this.#refuse(stream, refusal, headers[':method'] === 'HEAD');
    const further = this.#inUse > 0;
    if (further && !this.#host.sitFurther()) {
      return this.#refuse(stream, { status: 503, reason: 'Service Unavailable' }, false);
    }
    this.#occupy(stream);
    if (isRequest) this.#host.exchange(stream, headers);
    else this.#accept(stream, headers);
  }

  /** Until the stream ends the connection is in use. */
  #occupy(stream: ServerHttp2Stream): void {
    this.#inUse += 1;
    this.#everUsed = true;
    stream.once('close', () => {
      this.#inUse -= 1;
      if (this.#inUse > 0) this.#host.leaveFurther();
      else this.#idleSince = performance.now();
    });
  }

  #accept(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const subprotocol = pickSubprotocol(parseSubprotocols(headers['sec-websocket-protocol']) ?? new Set());
    stream.respond({
      ':status': 200,
      ...(subprotocol !== false && { 'sec-websocket-protocol': subprotocol }),
    });
    this.#host.open(stream, subprotocol === false ? '' : subprotocol, headers);
  }

  #refuse(stream: ServerHttp2Stream, { status, reason, headers }: Refusal, headOnly: boolean): void {
    this.#host.refused(status);
    stream.respond({ ':status': status, 'content-type': 'text/plain', ...headers }, { endStream: headOnly });
    // The rest of the request is not waited for (RFC 9113, 8.1).
    const close = (): void => stream.close(constants.NGHTTP2_NO_ERROR);
    // A reset in the same turn would overtake the answer.
    if (headOnly) setImmediate(close);
    else stream.end(`${reason}\n`, close);
  }

  /** False: the client asked for too much, and the connection is over. */
  #mayWork(): boolean {
    if (this.#endedAt !== undefined) return false;
    if (take(this.#work, WORK, performance.now())) return true;
    this.#host.broken('http2_flood');
    this.#end(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    return false;
  }

  /** Says why by GOAWAY, and closes. */
  #end(code: number): void {
    this.#endedAt = performance.now();
    this.#session.destroy(undefined, code);
    this.#socket.destroySoon();
  }
}
