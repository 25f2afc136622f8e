/** Clients of HTTP/2: node:http2 with a WebSocket of `ws` on each stream, and bare frames. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import { WEBSOCKET_PATH } from '@causeway/crds';
import type { GatewayProcess, Platform } from './gateway-process.ts';
import { keepLines } from './client.ts';
import type { RawClient } from './client.ts';

/** One HTTP/2 connection. */
export interface Http2Client {
  session: ClientHttp2Session;
  /** Sends a request's head, by default of a WebSocket, and resolves to its status. */
  request(
    headers?: OutgoingHttpHeaders,
    endStream?: boolean,
  ): Promise<{ status: number; stream: ClientHttp2Stream; headers: Record<string, unknown> }>;
  /** A WebSocket on a stream of its own. */
  open(): Promise<RawClient & { stream: ClientHttp2Stream }>;
  /** Resolves when the connection is closed. */
  closed: Promise<void>;
}

/** Connects, and waits for the server's settings. `settings` are the client's own. */
export async function http2Client(
  platform: Platform,
  gateway: GatewayProcess,
  settings: { initialWindowSize?: number } = {},
): Promise<Http2Client> {
  const ca = readFileSync(platform.pki.caFile);
  const session = connectHttp2(`https://localhost:${gateway.port}`, { ca, settings });
  // Tests see it by what follows: the streams and the connection close.
  session.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => session.once('close', resolve));
  await once(session, 'remoteSettings');
  const request: Http2Client['request'] = async (headers, endStream = false) => {
    const stream = session.request({ ...HANDSHAKE, ...headers }, { endStream });
    stream.on('error', () => undefined);
    const answer = new Promise<Record<string, unknown>>((resolve, reject) => {
      stream.once('response', resolve);
      stream.once('close', () => reject(new Error(`the stream was closed with ${stream.rstCode}`)));
    });
    const head = await answer;
    return { status: Number(head[':status']), stream, headers: head };
  };
  return {
    session,
    request,
    async open() {
      const { status, stream } = await request();
      if (status !== 200) throw new Error(`status ${status}`);
      return { ...keepLines(webSocketOn(stream)), stream };
    },
    closed,
  };
}

const HANDSHAKE: OutgoingHttpHeaders = {
  ':method': 'CONNECT',
  ':protocol': 'websocket',
  ':path': WEBSOCKET_PATH,
  'sec-websocket-version': '13',
};

/** How `ws` makes a WebSocket of a socket. */
const StreamWebSocket = WebSocket as unknown as new (
  address: null,
  protocols: undefined,
  options: object,
) => WebSocket & {
  _isServer: boolean;
  setSocket(socket: Duplex, head: Buffer, options: object): void;
};

/** The client's end of a WebSocket on a stream. */
export function webSocketOn(stream: Duplex): WebSocket {
  const ws = new StreamWebSocket(null, undefined, { autoPong: true, closeTimeout: 3_000 });
  ws._isServer = false;
  ws.setSocket(stream, Buffer.alloc(0), { maxPayload: 16 * 1024 * 1024 });
  return ws;
}

/** Types of frames (RFC 9113, 6). */
export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

/** Whole header block, in HEADERS. */
export const END_HEADERS = 4;

/** One frame (RFC 9113, 4.1). */
export function http2Frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A header block without compression (RFC 7541, 6.2.2): names and values of at most 126 bytes. */
export function headerBlock(headers: [name: string, value: string][]): Buffer {
  const text = (value: string): Buffer => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
  return Buffer.concat(headers.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
}

/** A header block that asks for a WebSocket. */
export const CONNECT_BLOCK = headerBlock([
  [':method', 'CONNECT'],
  [':protocol', 'websocket'],
  [':scheme', 'https'],
  [':authority', 'localhost'],
  [':path', WEBSOCKET_PATH],
  ['sec-websocket-version', '13'],
]);

/** A TLS connection on which the preface and empty settings were sent: for clients that break the rules. */
export async function bareHttp2(platform: Platform, gateway: GatewayProcess): Promise<TLSSocket> {
  const ca = readFileSync(platform.pki.caFile);
  const to = { host: '127.0.0.1', port: gateway.port, servername: 'localhost' };
  const socket = connectTls({ ...to, ca, ALPNProtocols: ['h2'] });
  await once(socket, 'secureConnect');
  socket.on('error', () => undefined);
  socket.write(
    Buffer.concat([
      Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      http2Frame(FRAME.settings, 0, 0),
      http2Frame(FRAME.settings, 1, 0),
    ]),
  );
  return socket;
}
