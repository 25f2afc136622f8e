/** A network between clients and a server that can be cut, or can lose all that is sent. */
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** Breaks all connections, and refuses new ones until {@link restore}. */
  cut(): void;
  /**
   * Forwards nothing, and tells nobody: connections stay half-open, also those that one side closes. What was sent
   * meanwhile is forwarded after {@link restore}, as TCP does after packets were lost.
   */
  stall(): void;
  /** The connections that there are carry nothing any more, and nobody is told; new ones are forwarded. */
  lose(): void;
  /** Breaks all connections that there are. */
  reset(): void;
  /** Forwards again. */
  restore(): void;
  close(): void;
}

type Mode = 'open' | 'cut' | 'stalled';

/** `port`: of the server, on 127.0.0.1; asked for each connection. `host`: loopback address that it listens on. */
export async function startTcpProxy(port: number | (() => number), host = '127.0.0.1'): Promise<TcpProxy> {
  let mode: Mode = 'open';
  const pairs = new Set<Pair>();
  const server = createServer((inner) => {
    if (mode === 'cut') {
      // What a broken connection says is nothing to us; the other side is broken too.
      inner.on('error', () => undefined);
      breakOff(inner);
      return;
    }
    const pair = new Pair(inner, connect(typeof port === 'number' ? port : port(), '127.0.0.1'));
    pairs.add(pair);
    inner.on('close', () => pairs.delete(pair));
    if (mode === 'open') pair.join();
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const reset = (): void => {
    for (const pair of pairs) pair.reset();
  };
  const cut = (): void => {
    mode = 'cut';
    reset();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    reset,
    stall() {
      mode = 'stalled';
      for (const pair of pairs) pair.part();
    },
    lose() {
      for (const pair of pairs) pair.lose();
    },
    restore() {
      const before = mode;
      mode = 'open';
      if (before === 'stalled') for (const pair of pairs) pair.join();
    },
    close() {
      cut();
      server.close();
    },
  };
}

/** The two ends of one connection. */
class Pair {
  readonly #inner: Socket;
  readonly #outer: Socket;
  #isLost = false;

  constructor(inner: Socket, outer: Socket) {
    this.#inner = inner;
    this.#outer = outer;
    for (const socket of [inner, outer]) socket.on('error', () => undefined);
    inner.on('close', () => outer.destroy());
    outer.on('close', () => inner.destroy());
  }

  join(): void {
    if (this.#isLost) return;
    this.#inner.pipe(this.#outer).pipe(this.#inner);
  }

  part(): void {
    for (const [from, to] of [
      [this.#inner, this.#outer],
      [this.#outer, this.#inner],
    ] as const) {
      from.unpipe(to);
      from.pause();
    }
  }

  lose(): void {
    this.#isLost = true;
    this.part();
  }

  reset(): void {
    breakOff(this.#inner);
    breakOff(this.#outer);
  }
}

/**
 * Ends a connection with a reset. One that is being ended is closed plainly: libuv refuses to reset it (EINVAL), after which Node 26
 * takes its handle for closing and never closes it, and the process spins instead of ending.
 */
function breakOff(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}
