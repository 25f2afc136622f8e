import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import type { ServerOptions } from 'ws';

/** What `ws` itself makes a WebSocket with, and does not tell TypeScript. Its version is pinned, and tests use this. */
interface Internals extends WebSocket {
  _protocol: string;
  _receiver: { _maxPayload: number };
  setSocket(socket: Duplex, head: Buffer, options: ServerOptions): void;
}
const ServerWebSocket = WebSocket as unknown as new (
  address: null,
  protocols: undefined,
  options: ServerOptions,
) => Internals;

/**
 * The server's end of a WebSocket on a stream whose handshake is over. `ws` has none for HTTP/2 (its issue 1458); it
 * needs no more of a socket than that it is a Duplex. `options` are those of a WebSocketServer, with its defaults.
 */
export function webSocketOnStream(stream: Duplex, subprotocol: string, options: ServerOptions): WebSocket {
  const ws = new ServerWebSocket(null, undefined, options);
  ws._protocol = subprotocol;
  ws.setSocket(stream, Buffer.alloc(0), options);
  return ws;
}

/** From now on `ws` takes messages of up to so many bytes. */
export function allowMessages(ws: WebSocket, bytes: number): void {
  (ws as Internals)._receiver._maxPayload = bytes;
}
