import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { createServer } from 'node:tls';
import type { SecureContextOptions, Server, TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { SYNC_PATH, WEBSOCKET_PATH } from '@causeway/crds';
import { DISCONNECT } from '../protocol/index.ts';
import type { Codec } from '../protocol/index.ts';
import type { ServedCertificate } from './certificates.ts';
import type { Exchange, MessageSocket } from './exchange.ts';
import { Http1Exchange } from './http1-exchange.ts';
import { Http2Connection } from './http2-connection.ts';
import { Http2Exchange, oneEach } from './http2-exchange.ts';
import { pickCodec, pickSubprotocol } from './pick-codec.ts';
import { Seats } from './seats.ts';
import { webSocketOnStream } from './stream-web-socket.ts';
import { parseHead, pathOf, refusalResponse, refuse } from './upgrade.ts';
import type { RequestHead, UpgradeRules } from './upgrade.ts';
import { destroyIt, forgetHandshake, listener } from './lean-socket.ts';
import { MAX_OUTPUT_BYTES, WebSocketWire, wireOf } from './web-socket-wire.ts';
import type { ClientSession, Transport, WireEvents, WireOptions } from './web-socket-wire.ts';
import { WsMessageSocket } from './ws-message-socket.ts';
import type { Heartbeat, MessageRequest } from './ws-message-socket.ts';

/**
 * What sessions get. Clients of the protocol send a message whole; the ws package would take 16,384 fragments, each of
 * which costs a hundred times its byte.
 */
const FRAME_LIMITS: FrameLimits = {
  messageBytes: 64 * 1024,
  knownMessageBytes: 1024 * 1024,
  fragments: 1_024,
  outputBytes: MAX_OUTPUT_BYTES,
};
/** How long a client has to answer a close frame before its socket is destroyed, milliseconds. */
const CLOSE_TIMEOUT_MS = 3_000;
/**
 * Connections that the kernel holds until we take them (at most its own `somaxconn`, 4,096 since Linux 5.4). Over it, it
 * drops SYNs, which come again after 1, 3 and 7 s: with the usual 511, 10,000 clients who come back to Node take a third
 * longer.
 */
const BACKLOG = 4_096;

/** What the server counts. */
export interface ServerEvents extends WireEvents {
  /**
   * `refused`: no place is left. `busy`: too many handshakes are under way. `certificate`: it failed because of what we
   * showed.
   */
  handshake(outcome: 'ok' | 'failed' | 'refused' | 'busy', certificate?: boolean): void;
  /** A handshake that was ok went on from an earlier session. */
  resumed(): void;
  /** A request that was not upgraded, and its status. */
  notUpgraded(status: number): void;
  /** A socket that did not become a client in time. */
  timedOut(): void;
  /** An HTTP/2 connection that asked too much too fast, or broke the protocol. */
  http2Broken(why: 'http2_flood' | 'http2_error'): void;
  /** A WebSocket that was sent away at once; see {@link ClientServerOptions}. */
  turnedAway(): void;
}

/** Bounds for each client. */
export interface FrameLimits {
  /** Most bytes of a message from it, before it has proven who it is. */
  messageBytes: number;
  /**
   * And from then on. SDKs send in one message all that was held back while they were away, and stay away for good when it
   * is too large (1009).
   */
  knownMessageBytes: number;
  /** Most frames that a message from it may come in. */
  fragments: number;
  /** Most bytes that wait for it; one that reads slower than that is sent away. */
  outputBytes: number;
}

/** How clients are served. */
export interface ClientServerOptions {
  /** What tells this platform's sessions from others' when they are resumed. */
  sessionContext: string;
  allowedOrigins: string[];
  connectTimeoutMs: number;
  /** Sockets and WebSockets of both transports, see `Seats`. */
  maxConnections: number;
  /** TLS handshakes under way; over it, new sockets are closed before TLS costs anything. */
  maxHandshakes: number;
  certificate: ServedCertificate;
  events: ServerEvents;
  newSession: (wire: WebSocketWire, codec: Codec) => ClientSession;
  /** Left out: those of the protocol's sessions. */
  frames?: FrameLimits;
  /** Serves `/sync`; left out where there is none. */
  sync?: SyncHandler;
  /**
   * Whether newcomers are sent away at once, with the code that makes SDKs go elsewhere: they get their handshakes first,
   * since a client that is refused without a word can't tell it from an outage (docs/adr/0057-drain-on-request.md).
   */
  turnsAway: () => boolean;
}

/** What is served on this port besides sessions. */
export interface SyncHandler {
  /** Of requests that are no WebSockets. */
  readonly paths: ReadonlySet<string>;
  /** Of its WebSockets. */
  readonly heartbeat: Heartbeat;
  handle(exchange: Exchange): void;
  /** A WebSocket at {@link SYNC_PATH}. */
  accept(socket: MessageSocket): void;
}

/** A socket, or a stream of HTTP/2, on its way to a client that has proven who it is. */
interface Arrival {
  /** Monotonic milliseconds. */
  deadline: number;
  /** Set when it is a WebSocket. */
  session: ClientSession | undefined;
}

/**
 * True when a handshake failed for what we showed or did: a client that refuses the certificate says so by an alert (RFC
 * 8446, 6.2), which Bun 1.4 shows as BAD_PACKET_LENGTH. Scanners, clients of TLS 1.2, and connections that are just
 * closed fail at any time.
 */
export function isAboutCertificate({ code, message }: Error & { code?: string }): boolean {
  const alerts = /CERTIFICATE|UNKNOWN[_ ]CA|DECRYPT|SIGNATURE|INTERNAL[_ ]ERROR|BAD[_ ]PACKET[_ ]LENGTH/i;
  return alerts.test(`${code} ${message.replace('OPENSSL_internal', '')}`);
}

/**
 * The port that clients connect to: TLS 1.3, then one WebSocket handshake, then a session. A `node:tls` server without
 * an HTTP server, which costs the least memory for each connection (design, "Gateway"); clients that ask for `h2` by
 * ALPN get an HTTP/2 session on their socket, and a WebSocket for each stream.
 */
export class ClientServer {
  readonly #options: ClientServerOptions;
  readonly #server: Server;
  readonly #rules: UpgradeRules;
  readonly #wireOptions: WireOptions;
  readonly #webSockets: WebSocketServer;
  readonly #seats: Seats;
  /** What is there whose time to become a client is not over. */
  readonly #arriving = new Map<Duplex, Arrival>();
  readonly #http2 = new Set<Http2Connection>();
  readonly #sessions = new Map<ClientSession, Duplex>();
  /** Requests and WebSockets of others than sessions. */
  readonly #others = new Map<Duplex, WsMessageSocket | undefined>();
  readonly #carried: Record<Transport, number> = { 'http/1.1': 0, h2: 0 };
  #accepting = true;
  #onEmpty: () => void = () => undefined;
  /** Listeners that all sockets share: one of its own would cost each connection a function and what it holds. */
  readonly #onSocketClose = listener((socket: TLSSocket) => this.#leave(socket));
  readonly #onClose = listener((ws: WebSocket) => this.#ended(wireOf(ws)));

  constructor(options: ClientServerOptions) {
    this.#options = options;
    const frames = options.frames ?? FRAME_LIMITS;
    this.#wireOptions = {
      events: options.events,
      maxOutputBytes: frames.outputBytes,
      knownMessageBytes: frames.knownMessageBytes,
    };
    this.#webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: frames.messageBytes,
      maxFragments: frames.fragments,
      closeTimeout: CLOSE_TIMEOUT_MS,
      handleProtocols: pickSubprotocol,
    } as ConstructorParameters<typeof WebSocketServer>[0]);
    this.#rules = {
      paths: new Set([WEBSOCKET_PATH, ...(options.sync ? [SYNC_PATH] : [])]),
      allowedOrigins: new Set(options.allowedOrigins.map((origin) => origin.toLowerCase())),
    };
    this.#seats = new Seats({ connections: options.maxConnections, handshakes: options.maxHandshakes });
    this.#server = createServer({
      ...this.#secureContext(options.certificate),
      ALPNProtocols: ['h2', 'http/1.1'],
      handshakeTimeout: options.connectTimeoutMs,
      noDelay: true,
    });
    this.#limitSockets();
    this.#server.on('secureConnection', (socket) => this.#arrive(socket));
    this.#server.on('tlsClientError', (error, socket) => {
      options.events.handshake('failed', isAboutCertificate(error));
      // A handshake that takes too long is only told; its socket would stay for ever.
      socket.destroy();
    });
    this.#server.on('drop', () => options.events.handshake(this.#seats.refusal));
  }

  /** Sessions, also such that have not proven who they are. */
  get sessions(): ReadonlyMap<ClientSession, Duplex> {
    return this.#sessions;
  }

  /** How many sessions there are on each transport. */
  get carried(): Readonly<Record<Transport, number>> {
    return this.#carried;
  }

  /** What is kept for clients, by what it is. */
  get kept(): Record<'sockets' | 'arriving' | 'http2_connections' | 'sessions' | 'other_requests', number> {
    return {
      sockets: this.#seats.sockets,
      arriving: this.#arriving.size,
      http2_connections: this.#http2.size,
      sessions: this.#sessions.size,
      other_requests: this.#others.size,
    };
  }

  /** Bytes that wait for clients to read them, without what the kernel has taken: all, and most for one client. */
  get output(): { bytes: number; largest: number } {
    const output = { bytes: 0, largest: 0 };
    for (const sockets of [this.#sessions.values(), this.#others.keys()]) {
      for (const { writableLength } of sockets) {
        output.bytes += writableLength;
        output.largest = Math.max(output.largest, writableLength);
      }
    }
    return output;
  }

  /** How many TLS handshakes are under way. */
  async handshakes(): Promise<number> {
    const sockets = await promisify<number>(this.#server.getConnections.bind(this.#server))();
    return Math.max(0, sockets - this.#seats.sockets);
  }

  async listen(port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ port, backlog: BACKLOG }, resolve);
    });
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : port;
  }

  /** Serves another certificate from the next handshake on. Nothing that is open closes. */
  serve(certificate: ServedCertificate): void {
    this.#server.setSecureContext(this.#secureContext(certificate));
  }

  /** Takes no more sockets; those that are open stay. */
  stopAccepting(): void {
    this.#accepting = false;
    this.#server.close();
    for (const [socket, { session }] of this.#arriving) if (!session) socket.destroy();
    this.goAway();
  }

  /** Asks those who are here over HTTP/2 to open nothing more here. */
  goAway(): void {
    for (const connection of this.#http2) connection.goAway();
  }

  /** To be called a few times a second. */
  tick(now: number, unixNow: number): void {
    for (const [socket, { deadline, session }] of this.#arriving) {
      if (now < deadline) continue;
      this.#arriving.delete(socket);
      if (session?.connected) continue;
      this.#options.events.timedOut();
      if (session) session.close(DISCONNECT.stale);
      else socket.destroy();
    }
    for (const connection of this.#http2) if (connection.tick(now)) this.#options.events.timedOut();
    for (const other of this.#others.values()) other?.tick(now);
    for (const session of this.#sessions.keys()) session.tick(now, unixNow);
  }

  /** Resolves when no session is left, or after `timeoutMs`. */
  async empty(timeoutMs: number): Promise<void> {
    if (this.#sessions.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#onEmpty = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Destroys what is still open. */
  destroy(): void {
    const open = [...this.#arriving.keys(), ...this.#sessions.values(), ...this.#others.keys()];
    for (const socket of open) socket.destroy();
    for (const connection of this.#http2) connection.destroy();
  }

  #limitSockets(): void {
    this.#server.maxConnections = this.#seats.socketLimit;
  }

  /** minVersion belongs to every context: one without it would let TLS 1.2 in again. */
  #secureContext({
    cert,
    key,
    ticketKeys,
  }: ServedCertificate): SecureContextOptions & { ticketKeys?: Buffer } {
    const sessionIdContext = createHash('sha256')
      .update(this.#options.sessionContext)
      .digest('hex')
      .slice(0, 32);
    return { cert, key, minVersion: 'TLSv1.3', sessionIdContext, ...(ticketKeys && { ticketKeys }) };
  }

  #arrive(socket: TLSSocket): void {
    // Whoever breaks a connection before it is one is not worth a log line; the socket closes by itself.
    socket.on('error', destroyIt);
    if (!this.#accepting || !this.#seats.sit()) {
      this.#options.events.handshake('refused');
      socket.destroy();
      return;
    }
    this.#options.events.handshake('ok');
    if (socket.isSessionReused()) this.#options.events.resumed();
    this.#limitSockets();
    forgetHandshake(socket);
    socket.on('close', this.#onSocketClose);
    if (socket.alpnProtocol === 'h2') this.#startHttp2(socket);
    else this.#startHttp1(socket);
  }

  #leave(socket: TLSSocket): void {
    this.#arriving.delete(socket);
    this.#seats.leave();
    this.#limitSockets();
  }

  /** No listener that stays may be made in this scope: the head would stay with it, and with it 64 KB of Node's pool. */
  #startHttp1(socket: TLSSocket): void {
    this.#expect(socket);
    let head: Buffer | undefined;
    const onData = (chunk: Buffer): void => {
      head = head ? Buffer.concat([head, chunk]) : chunk;
      const parsed = parseHead(head);
      if (!parsed) return;
      socket.off('data', onData);
      this.#upgrade(socket, parsed);
    };
    socket.on('data', onData);
  }

  #startHttp2(socket: TLSSocket): void {
    const { connectTimeoutMs, events } = this.#options;
    const connection = new Http2Connection(socket, {
      rules: this.#rules,
      idleTimeoutMs: connectTimeoutMs,
      sitFurther: () => this.#changeSeats(() => this.#seats.sitFurther()),
      leaveFurther: () => this.#changeSeats(() => this.#seats.leaveFurther()),
      refused: (status) => events.notUpgraded(status),
      broken: (why) => events.http2Broken(why),
      open: (stream, subprotocol, headers) => {
        this.#expect(stream);
        const ws = webSocketOnStream(stream, subprotocol, this.#webSockets.options);
        const url = headers[':path'] ?? '';
        if (pathOf(url) === SYNC_PATH) this.#openOther(ws, stream, { url, headers: oneEach(headers) });
        else this.#open(ws, stream, { url, transport: 'h2' });
        if (this.#options.turnsAway()) connection.goAway();
      },
      serves: (path) => this.#options.sync?.paths.has(path) === true,
      exchange: (stream, headers) => {
        this.#expect(stream);
        stream.once('close', () => this.#arriving.delete(stream));
        this.#options.sync?.handle(new Http2Exchange(stream, headers, () => this.#keep(stream, undefined)));
        if (this.#options.turnsAway()) connection.goAway();
      },
    });
    this.#http2.add(connection);
    socket.once('close', () => this.#http2.delete(connection));
  }

  #changeSeats<T>(change: () => T): T {
    const result = change();
    this.#limitSockets();
    return result;
  }

  /** From now on `socket` has its time to become a client. */
  #expect(socket: Duplex): void {
    this.#arriving.set(socket, {
      deadline: performance.now() + this.#options.connectTimeoutMs,
      session: undefined,
    });
  }

  #upgrade(socket: TLSSocket, parsed: NonNullable<ReturnType<typeof parseHead>>): void {
    if (!('status' in parsed) && this.#exchange(socket, parsed)) return;
    const refusal = 'status' in parsed ? parsed : refuse(parsed, this.#rules);
    if (refusal) {
      this.#options.events.notUpgraded(refusal.status);
      socket.end(refusalResponse(refusal), () => socket.destroySoon());
      return;
    }
    const head = parsed as RequestHead;
    // ws looks at no more of a request than this.
    const request = {
      method: head.method,
      url: head.url,
      headers: head.headers,
      socket,
    } as unknown as IncomingMessage;
    this.#webSockets.handleUpgrade(request, socket, head.rest, (ws) => {
      if (pathOf(head.url) === SYNC_PATH) this.#openOther(ws, socket, head);
      else this.#open(ws, socket, { url: head.url, transport: 'http/1.1' });
    });
  }

  /** True: it is a request that others serve. */
  #exchange(socket: TLSSocket, head: RequestHead): boolean {
    const { sync } = this.#options;
    if (sync?.paths.has(pathOf(head.url)) !== true || head.headers['upgrade'] !== undefined) return false;
    sync.handle(new Http1Exchange(socket, head, () => this.#keep(socket, undefined)));
    return true;
  }

  /** A WebSocket that others serve. */
  #openOther(ws: WebSocket, socket: Duplex, request: MessageRequest): void {
    const { sync } = this.#options;
    if (!sync) throw new Error('nobody serves this path');
    // ws closes the socket after an error in the protocol; its close event follows.
    ws.on('error', () => undefined);
    ws.once('close', () => this.#arriving.delete(socket));
    const { heartbeat } = sync;
    const other: WsMessageSocket = new WsMessageSocket({ ws, socket, heartbeat }, request, () =>
      this.#keep(socket, other),
    );
    sync.accept(other);
  }

  /** Time-outs of newcomers are over. */
  #keep(socket: Duplex, other: WsMessageSocket | undefined): void {
    this.#arriving.delete(socket);
    if (socket.destroyed || this.#others.has(socket)) return;
    this.#others.set(socket, other);
    socket.once('close', () => this.#others.delete(socket));
  }

  #open(ws: WebSocket, socket: Duplex, { url, transport }: { url: string; transport: Transport }): void {
    const { newSession, turnsAway } = this.#options;
    if (turnsAway()) return this.#sendBack(ws, socket);
    const wire = new WebSocketWire(ws, { socket, transport }, this.#wireOptions);
    const session = newSession(wire, pickCodec(ws.protocol, url));
    wire.begin(session);
    this.#sessions.set(session, socket);
    this.#carried[transport] += 1;
    const arrival = this.#arriving.get(socket);
    if (arrival) arrival.session = session;
    ws.on('close', this.#onClose);
  }

  #ended({ session, socket, transport }: WebSocketWire): void {
    this.#arriving.delete(socket);
    this.#carried[transport] -= 1;
    if (!session) return;
    this.#sessions.delete(session);
    session.ended();
    if (this.#sessions.size === 0) this.#onEmpty();
  }

  /** Before its token is looked at: an SDK goes on with longer and longer waits only while nobody has let it in. */
  #sendBack(ws: WebSocket, socket: Duplex): void {
    ws.on('error', () => undefined);
    ws.once('close', () => this.#arriving.delete(socket));
    this.#options.events.turnedAway();
    ws.close(DISCONNECT.shutdown.code, DISCONNECT.shutdown.reason);
  }
}
