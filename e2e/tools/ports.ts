import { createServer } from 'node:net';

/** Ports handed out by this process, so that two calls in a row never give the same one. */
const given = new Set<number>();

/**
 * Below the range that the kernel takes ports of outgoing connections from (32768 on, ip(7)): a port of that range may be
 * taken by a client between our look and the server's start.
 */
const FIRST = 20_000;
const LAST = 32_767;

/** A TCP port on 127.0.0.1 that is free now and that this process has not been given before. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1));
    if (!given.has(port) && (await isFree(port))) {
      given.add(port);
      return port;
    }
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(false) : reject(error),
    );
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** Several different free ports, see {@link freePort}. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) ports.push(await freePort());
  return ports;
}
