/** A network between clients and a gateway that can be cut. */
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** Breaks all connections, and refuses new ones until {@link restore}. */
  cut(): void;
  /** Forwards again. */
  restore(): void;
  close(): void;
}

export async function startTcpProxy(port: number): Promise<TcpProxy> {
  let isCut = false;
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    // What a broken connection says is nothing to us; the other side is broken too.
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  };
  const server = createServer((inner) => {
    keep(inner);
    if (isCut) {
      inner.resetAndDestroy();
      return;
    }
    const outer = connect(port, '127.0.0.1');
    keep(outer);
    inner.pipe(outer).pipe(inner);
    inner.on('close', () => outer.destroy());
    outer.on('close', () => inner.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
    isCut = true;
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    restore() {
      isCut = false;
    },
    close() {
      cut();
      server.close();
    },
  };
}
