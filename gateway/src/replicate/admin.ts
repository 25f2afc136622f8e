/** The replicator's admin endpoint: plain HTTP for probes, Prometheus and people. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ADMIN_PATH } from '@causeway/crds';
import type { Status } from './status.ts';

/** A listening admin endpoint. */
export interface Admin {
  readonly port: number;
  close(): Promise<void>;
}

interface Answer {
  code: number;
  type: string;
  body: string;
}

/** Listens on `port`; 0 is any free one. Rejects when it is taken. */
export async function startAdmin(port: number, status: Status): Promise<Admin> {
  const server = createServer((request, response) => {
    answer(request.url ?? '', status).then(
      ({ code, type, body }) => response.writeHead(code, { 'content-type': type }).end(body),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()));
        server.closeAllConnections();
      }),
  };
}

async function answer(url: string, status: Status): Promise<Answer> {
  switch (url.split('?')[0]) {
    case ADMIN_PATH.healthz:
      return probe(status.notAlive());
    case ADMIN_PATH.readyz:
      return probe(status.notReady());
    case ADMIN_PATH.replication:
      return { code: 200, type: 'application/json', body: `${JSON.stringify(status.state())}\n` };
    case ADMIN_PATH.certificate:
      return { code: 200, type: 'application/json', body: `${JSON.stringify(status.link)}\n` };
    case ADMIN_PATH.metrics: {
      const { registry } = status.metrics;
      return { code: 200, type: registry.contentType, body: await registry.metrics() };
    }
    default:
      return { code: 404, type: 'text/plain', body: `try ${Object.values(ADMIN_PATH).join(' ')}\n` };
  }
}

function probe(problem: string | undefined): Answer {
  return problem === undefined
    ? { code: 200, type: 'text/plain', body: 'ok\n' }
    : { code: 503, type: 'text/plain', body: `${problem}\n` };
}
