import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import { ADMIN_PATH } from '@causeway/crds';
import type { CertificateState, DrainState, LimitsState, ZoneView } from '@causeway/crds';

/** What the admin endpoint shows. */
export interface AdminSources {
  /** What is missing for traffic; empty: nothing. */
  missing(): string[];
  metrics(): Promise<string>;
  metricsContentType: string;
  certificate(): Promise<CertificateState | undefined>;
  limits(): LimitsState;
  drain(): DrainState;
  zones(): ZoneView;
}

const TEXT = 'text/plain; charset=utf-8';
const JSON_TYPE = 'application/json';

/** Probes, metrics, certificate state and limits in plain HTTP, on a port of its own. Resolves to the server and its port. */
export async function startAdminServer(
  port: number,
  sources: AdminSources,
): Promise<{ server: Server; port: number }> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0] ?? '';
    answer(path, sources, response).catch((error: unknown) => {
      send(response, 500, TEXT, `${error instanceof Error ? error.message : String(error)}\n`);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, resolve);
  });
  const address = server.address();
  return { server, port: typeof address === 'object' && address ? address.port : port };
}

async function answer(path: string, sources: AdminSources, response: ServerResponse): Promise<void> {
  switch (path) {
    case ADMIN_PATH.healthz:
      return send(response, 200, TEXT, 'ok\n');
    case ADMIN_PATH.readyz: {
      const missing = sources.missing();
      if (missing.length === 0) return send(response, 200, TEXT, 'ok\n');
      return send(response, 503, TEXT, missing.map((part) => `${part}\n`).join(''));
    }
    case ADMIN_PATH.metrics:
      return send(response, 200, sources.metricsContentType, await sources.metrics());
    case ADMIN_PATH.certificate: {
      const state = await sources.certificate();
      if (!state) return send(response, 503, TEXT, 'no certificate yet\n');
      return send(response, 200, JSON_TYPE, `${JSON.stringify(state)}\n`);
    }
    case ADMIN_PATH.limits:
      return send(response, 200, 'application/json', `${JSON.stringify(sources.limits())}\n`);
    case ADMIN_PATH.drain:
      return send(response, 200, JSON_TYPE, `${JSON.stringify(sources.drain())}\n`);
    case ADMIN_PATH.zones:
      return send(response, 200, JSON_TYPE, `${JSON.stringify(sources.zones())}\n`);
    default:
      return send(response, 404, TEXT, `not found; there are ${Object.values(ADMIN_PATH).join(', ')}\n`);
  }
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type }).end(body);
}
