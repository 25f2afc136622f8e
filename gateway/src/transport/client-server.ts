import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:tls';
import type { SecureContextOptions, Server, TLSSocket } from 'node:tls';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { WEBSOCKET_PATH } from '@causeway/crds';
import { DISCONNECT } from '../protocol/index.ts';
import type { Disconnect } from '../protocol/index.ts';
import type { ServedCertificate } from './certificates.ts';
import { parseHead, refusalResponse, refuse } from './upgrade.ts';
import type { RequestHead, UpgradeRules } from './upgrade.ts';
import { WebSocketWire } from './web-socket-wire.ts';
import type { WireEvents } from './web-socket-wire.ts';

/** Most bytes of a message from a client. */
const MAX_MESSAGE_BYTES = 64 * 1024;
/** How long a client has to answer a close frame before its socket is destroyed, milliseconds. */
const CLOSE_TIMEOUT_MS = 3_000;

/** A client's session, as far as the transport knows it. */
export interface ClientSession {
  readonly connected: boolean;
  receive(text: string): void;
  tick(now: number, unixNow: number): void;
  close(why: Disconnect): void;
  ended(): void;
}

/** What the server counts. */
export interface ServerEvents extends WireEvents {
  /** `certificate`: it failed because of what we showed. */
  handshake(outcome: 'ok' | 'failed' | 'refused', certificate?: boolean): void;
  received(bytes: number): void;
  /** A request that was not upgraded, and its status. */
  notUpgraded(status: number): void;
  /** A socket that did not become a client in time. */
  timedOut(): void;
}

/** How clients are served. */
export interface ClientServerOptions {
  /** What tells this platform's sessions from others' when they are resumed. */
  sessionContext: string;
  allowedOrigins: string[];
  connectTimeoutMs: number;
  maxConnections: number;
  certificate: ServedCertificate;
  events: ServerEvents;
  newSession: (wire: WebSocketWire) => ClientSession;
}

/** A socket on its way from TLS to a client that has proven who it is. */
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
 * an HTTP server, which costs the least memory for each connection (design, "Gateway").
 */
export class ClientServer {
  readonly #options: ClientServerOptions;
  readonly #server: Server;
  readonly #rules: UpgradeRules;
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
    closeTimeout: CLOSE_TIMEOUT_MS,
    handleProtocols: (protocols) => protocols.has('centrifuge-json') && 'centrifuge-json',
  } as ConstructorParameters<typeof WebSocketServer>[0]);
  /** Sockets whose time to become a client is not over. */
  readonly #arriving = new Map<TLSSocket, Arrival>();
  readonly #sessions = new Map<ClientSession, TLSSocket>();
  #onEmpty: () => void = () => undefined;

  constructor(options: ClientServerOptions) {
    this.#options = options;
    this.#rules = {
      path: WEBSOCKET_PATH,
      allowedOrigins: new Set(options.allowedOrigins.map((origin) => origin.toLowerCase())),
    };
    this.#server = createServer({
      ...this.#secureContext(options.certificate),
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: options.connectTimeoutMs,
      noDelay: true,
    });
    this.#server.maxConnections = options.maxConnections;
    this.#server.on('secureConnection', (socket) => this.#arrive(socket));
    this.#server.on('tlsClientError', (error, socket) => {
      options.events.handshake('failed', isAboutCertificate(error));
      // A handshake that takes too long is only told; its socket would stay for ever.
      socket.destroy();
    });
    this.#server.on('drop', () => options.events.handshake('refused'));
  }

  /** Sessions, also such that have not proven who they are. */
  get sessions(): ReadonlyMap<ClientSession, TLSSocket> {
    return this.#sessions;
  }

  async listen(port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, resolve);
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
    this.#server.close();
    for (const [socket, { session }] of this.#arriving) if (!session) socket.destroy();
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
    for (const socket of [...this.#arriving.keys(), ...this.#sessions.values()]) socket.destroy();
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
    this.#options.events.handshake('ok');
    const deadline = performance.now() + this.#options.connectTimeoutMs;
    this.#arriving.set(socket, { deadline, session: undefined });
    socket.once('close', () => this.#arriving.delete(socket));
    // Whoever breaks a connection before it is one is not worth a log line; the socket closes by itself.
    socket.on('error', () => socket.destroy());
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

  #upgrade(socket: TLSSocket, parsed: NonNullable<ReturnType<typeof parseHead>>): void {
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
    this.#webSockets.handleUpgrade(request, socket, head.rest, (ws) => this.#open(ws, socket));
  }

  #open(ws: WebSocket, socket: TLSSocket): void {
    const { events, newSession } = this.#options;
    const wire = new WebSocketWire(ws, socket, events, (why) => session.close(why));
    const session = newSession(wire);
    this.#sessions.set(session, socket);
    const arrival = this.#arriving.get(socket);
    if (arrival) arrival.session = session;
    ws.on('message', (data: Buffer, isBinary: boolean) => {
      events.received(data.length);
      if (isBinary) session.close(DISCONNECT.badRequest);
      else session.receive(data.toString());
    });
    // ws closes the socket after an error in the protocol; its close event follows.
    ws.on('error', () => undefined);
    ws.on('close', () => {
      this.#sessions.delete(session);
      session.ended();
      if (this.#sessions.size === 0) this.#onEmpty();
    });
  }
}
