import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { DISCONNECT } from '../protocol/index.ts';
import type { Disconnect, Message } from '../protocol/index.ts';
import { corkForAMoment } from './corker.ts';
import { frameOf } from './frame.ts';
import { allowMessages } from './stream-web-socket.ts';

/** Most bytes that wait for one client; one that reads slower than that is sent away. */
export const MAX_OUTPUT_BYTES = 1024 * 1024;

/** What carries a WebSocket. */
export type Transport = 'http/1.1' | 'h2';

/** A client's session, as far as the transport knows it. */
export interface ClientSession {
  readonly connected: boolean;
  receive(frame: Buffer, isBinary: boolean): void;
  tick(now: number, unixNow: number): void;
  close(why: Disconnect): void;
  ended(): void;
}

/** What a wire counts. */
export interface WireEvents {
  received(bytes: number): void;
  sent(bytes: number): void;
  slow(): void;
}

/** What all wires keep to, and tell. */
export interface WireOptions {
  readonly events: WireEvents;
  /** Most bytes that may wait for a client. */
  readonly maxOutputBytes: number;
  /** Most bytes of a message from a client that has proven who it is. */
  readonly knownMessageBytes: number;
}

/** Where a WebSocket has its wire, so that all of them share their listeners. */
const WIRE = Symbol('wire');
type WithWire = WebSocket & { [WIRE]?: WebSocketWire };

/** The wire of a WebSocket that has one. */
export function wireOf(ws: WebSocket): WebSocketWire {
  const wire = (ws as WithWire)[WIRE];
  if (!wire) throw new Error('this WebSocket has no wire');
  return wire;
}

/** ws closes the socket after an error in the protocol; its close event follows. */
function ignore(): void {}

function receive(this: WebSocket, data: Buffer, isBinary: boolean): void {
  wireOf(this).receive(data, isBinary);
}

/**
 * A WebSocket of a session. Its output goes to the socket past `ws`, which may mix with its own writes since it writes
 * whole frames too (no compression is negotiated): so one frame is built for all subscribers.
 */
export class WebSocketWire {
  readonly socket: Duplex;
  readonly transport: Transport;
  /** Who gets what comes; none before {@link begin}. */
  session: ClientSession | undefined;
  readonly #ws: WebSocket;
  readonly #options: WireOptions;

  constructor(
    ws: WebSocket,
    { socket, transport }: { socket: Duplex; transport: Transport },
    options: WireOptions,
  ) {
    this.#ws = ws;
    this.socket = socket;
    this.transport = transport;
    this.#options = options;
    (ws as WithWire)[WIRE] = this;
  }

  /** From now on `session` gets what comes. */
  begin(session: ClientSession): void {
    this.session = session;
    this.#ws.on('message', receive);
    this.#ws.on('error', ignore);
  }

  receive(data: Buffer, isBinary: boolean): void {
    this.#options.events.received(data.length);
    this.session?.receive(data, isBinary);
  }

  known(): void {
    allowMessages(this.#ws, this.#options.knownMessageBytes);
  }

  send(message: Message): void {
    this.sendFrame(frameOf(message));
  }

  sendFrame(frame: Buffer): void {
    const { socket } = this;
    if (this.#ws.readyState !== this.#ws.OPEN || socket.destroyed) return;
    const { events, maxOutputBytes } = this.#options;
    if (socket.writableLength + frame.length > maxOutputBytes) {
      events.slow();
      this.session?.close(DISCONNECT.slow);
      return;
    }
    corkForAMoment(socket);
    socket.write(frame);
    events.sent(frame.length);
  }

  close({ code, reason }: Disconnect): void {
    this.#ws.close(code, reason);
  }
}
