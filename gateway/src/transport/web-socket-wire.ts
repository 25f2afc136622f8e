import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { DISCONNECT } from '../protocol/index.ts';
import type { Disconnect, Message } from '../protocol/index.ts';
import { corkForAMoment } from './corker.ts';
import { frameOf } from './frame.ts';

/** Most bytes that wait for one client; one that reads slower than that is sent away. */
export const MAX_OUTPUT_BYTES = 1024 * 1024;

/** What a wire counts. */
export interface WireEvents {
  sent(bytes: number): void;
  slow(): void;
}

/**
 * A WebSocket's output. Frames go to the socket past `ws`, which may mix with its own writes since it writes whole
 * frames too (no compression is negotiated): so one frame is built for all subscribers.
 */
export class WebSocketWire {
  readonly #ws: WebSocket;
  readonly #socket: Duplex;
  readonly #events: WireEvents;
  readonly #onSlow: (why: Disconnect) => void;

  constructor(ws: WebSocket, socket: Duplex, events: WireEvents, onSlow: (why: Disconnect) => void) {
    this.#ws = ws;
    this.#socket = socket;
    this.#events = events;
    this.#onSlow = onSlow;
  }

  send(message: Message): void {
    this.sendFrame(frameOf(message));
  }

  sendFrame(frame: Buffer): void {
    if (this.#ws.readyState !== this.#ws.OPEN || this.#socket.destroyed) return;
    if (this.#socket.writableLength + frame.length > MAX_OUTPUT_BYTES) {
      this.#events.slow();
      this.#onSlow(DISCONNECT.slow);
      return;
    }
    corkForAMoment(this.#socket);
    this.#socket.write(frame);
    this.#events.sent(frame.length);
  }

  close({ code, reason }: Disconnect): void {
    this.#ws.close(code, reason);
  }
}
