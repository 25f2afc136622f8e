/** Ports for servers that thousands of connections go to on loopback, and that are started again. */
import { createServer } from 'node:net';
import { waitFor } from '../../tools/index.ts';

/** Below those that the kernel gives to clients (32768 and up): one of them could hold the port of a server that is down. */
const FIRST = 20_000;
const LAST = 32_000;

const given = new Set<number>();

/** A port of 127.0.0.1 that is free, and that this process was not given before. */
export function serverPort(): Promise<number> {
  return waitFor(
    'free port',
    async () => {
      const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
      if (given.has(port) || !(await canListen(port))) return undefined;
      given.add(port);
      return port;
    },
    { intervalMs: 1 },
  );
}

/**
 * Waits until the server that had the port has let go of it. A killed process counts as ended when its first thread
 * is; with thousands of sockets the others take a while.
 */
export async function portFree(port: number): Promise<void> {
  await waitFor(`port ${port} free`, () => canListen(port), { intervalMs: 5 });
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
