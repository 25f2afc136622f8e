/** The replicator's admin endpoint: plain HTTP for probes, Prometheus and people. */
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ADMIN_PATH } from '@causeway/crds';
import { reason } from '../log/index.ts';
import type { Status } from './status.ts';
import type { Verify } from './verify.ts';

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

/** While a comparison goes on, so often something is sent: proxies give up on what is silent. Milliseconds. */
const SIGN_OF_LIFE_MS = 5000;

/** Listens on `port`; 0 is any free one. Rejects when it is taken. */
export async function startAdmin(port: number, status: Status, verify?: Verify): Promise<Admin> {
  const server = createServer((request, response) => {
    if (verify !== undefined && pathOf(request.url) === ADMIN_PATH.verify) {
      void answerSlowly(response, verify);
      return;
    }
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

function pathOf(url: string | undefined): string | undefined {
  return url?.split('?')[0];
}

/** JSON may begin with any white space: what is sent meanwhile is line ends. */
async function answerSlowly(response: ServerResponse, verify: Verify): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/json' });
  const alive = setInterval(() => response.write('\n'), SIGN_OF_LIFE_MS);
  const result = await verify().catch((error: unknown) => ({ error: reason(error) }));
  clearInterval(alive);
  response.end(`${JSON.stringify(result)}\n`);
}

async function answer(url: string, status: Status): Promise<Answer> {
  switch (pathOf(url)) {
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
