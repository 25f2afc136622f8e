/** Mutual TLS before a plain etcd, with a certificate that can change, and connections that can be cut or go silent. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:tls';

interface Files {
  caFile: string;
  certFile: string;
  keyFile: string;
}

/** A proxy that listens. */
export interface TlsProxy {
  /** `https://127.0.0.1:<port>` */
  readonly endpoint: string;
  /** Serves, and asks of clients, other certificates from now on; open connections are cut. */
  use(files: Files): void;
  /** From now on nothing passes, and nothing is closed, as when a link is cut. Returns what undoes it. */
  freeze(): () => void;
  close(): Promise<void>;
}

const load = ({ caFile, certFile, keyFile }: Files): { ca: Buffer; cert: Buffer; key: Buffer } => ({
  ca: readFileSync(caFile),
  cert: readFileSync(certFile),
  key: readFileSync(keyFile),
});

/** Starts a proxy to `endpoint` (`http://host:port`). */
export async function startTlsProxy(endpoint: string, files: Files): Promise<TlsProxy> {
  const { hostname, port } = new URL(endpoint);
  const sockets = new Set<Socket>();
  let frozen = false;
  const server = createServer(
    {
      ...load(files),
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols: ['h2'],
      minVersion: 'TLSv1.3',
    },
    (client) => {
      const upstream = connect(Number(port), hostname);
      for (const socket of [client, upstream]) {
        sockets.add(socket);
        socket.on('error', () => socket.destroy());
        socket.on('close', () => {
          sockets.delete(socket);
          client.destroy();
          upstream.destroy();
        });
      }
      client.on('data', (chunk: Buffer) => frozen || upstream.write(chunk));
      upstream.on('data', (chunk: Buffer) => frozen || client.write(chunk));
    },
  );
  // A client without a good certificate is refused: that is for the client to tell.
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    endpoint: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    use(next) {
      server.setSecureContext({ ...load(next), minVersion: 'TLSv1.3' });
      cut();
    },
    freeze() {
      frozen = true;
      return () => {
        frozen = false;
        cut();
      };
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        cut();
      }),
  };
}
