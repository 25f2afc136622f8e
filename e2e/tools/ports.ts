import { createServer } from 'node:net';

/** Ports handed out by this process, so that two calls in a row never give the same one. */
const given = new Set<number>();

/** A TCP port on 127.0.0.1 that is free now and that this process has not been given before. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = await new Promise<number>((resolve, reject) => {
      const server = createServer();
      server.on('error', reject);
      server.listen(0, '127.0.0.1', () => {
        const address = server.address();
        server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
      });
    });
    if (port !== 0 && !given.has(port)) {
      given.add(port);
      return port;
    }
  }
}

/** Several different free ports, see {@link freePort}. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) ports.push(await freePort());
  return ports;
}
