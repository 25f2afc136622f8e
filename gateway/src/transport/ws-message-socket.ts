import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { GatewayConfig } from '@causeway/crds';
import { DuplexOutput } from './duplex-output.ts';
import type { MessageSocket } from './exchange.ts';

/** How often a client that says nothing is pinged, and how long it has to answer. */
export type Heartbeat = Readonly<GatewayConfig['heartbeat']>;

/** What is known of the request that made it. */
export interface MessageRequest {
  url: string;
  headers: Readonly<Record<string, string | undefined>>;
}

/** A WebSocket of `ws`. Frames go to its socket past it, as those of WebSocketWire do. */
export class WsMessageSocket extends DuplexOutput implements MessageSocket {
  readonly url: string;
  readonly headers: MessageRequest['headers'];
  readonly first: Promise<string | undefined>;
  readonly #ws: WebSocket;
  readonly #heartbeat: Heartbeat;
  readonly #arrived: () => void;
  #heardAt = performance.now();
  #pingedAt: number | undefined;

  /** `arrived` is called when the client has shown who it is. */
  constructor(
    { ws, socket, heartbeat }: { ws: WebSocket; socket: Duplex; heartbeat: Heartbeat },
    { url, headers }: MessageRequest,
    arrived: () => void,
  ) {
    super(socket);
    this.#ws = ws;
    this.#heartbeat = heartbeat;
    this.url = url;
    this.headers = headers;
    this.#arrived = arrived;
    this.first = new Promise((resolve) => {
      ws.once('message', (data: Buffer, isBinary: boolean) =>
        resolve(isBinary ? undefined : data.toString()),
      );
      ws.once('close', () => resolve(undefined));
    });
    const heard = (): void => {
      this.#heardAt = performance.now();
      this.#pingedAt = undefined;
    };
    ws.on('pong', heard);
    ws.on('message', heard);
  }

  override get closed(): boolean {
    return super.closed || this.#ws.readyState !== this.#ws.OPEN;
  }

  arrived(): void {
    this.#arrived();
  }

  close(code: number, reason: string): void {
    this.#ws.close(code, reason);
  }

  /** Pings it, and ends it when it doesn't answer. To be called a few times a second. */
  tick(now: number): void {
    if (this.closed) return;
    if (this.#pingedAt !== undefined) {
      if (now - this.#pingedAt > this.#heartbeat.timeoutMs) this.#ws.terminate();
    } else if (now - this.#heardAt > this.#heartbeat.intervalMs) {
      this.#pingedAt = now;
      this.#ws.ping();
    }
  }
}
