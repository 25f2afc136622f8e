/** The HTTP server for probes and Prometheus: /healthz, /readyz, /metrics. */
import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import { silentLogger } from './log.ts';
import type { Logger } from './log.ts';

/** Undefined when all is well, else what is wrong, in words. */
export type HealthCheck = () => string | undefined;

export interface HealthServerOptions {
  /** 0: any free port. */
  port: number;
  /** Default: all addresses, IPv4 and IPv6. */
  host?: string;
  /** A process whose check fails is restarted by the kubelet. */
  live: Record<string, HealthCheck>;
  /** A process whose check fails gets no traffic, and holds up a rollout. */
  ready: Record<string, HealthCheck>;
  registry: Registry;
  /** Called before metrics are read, to bring gauges up to date. */
  beforeMetrics?: () => void;
  log?: Logger;
}

export interface HealthServer {
  port: number;
  stop(): Promise<void>;
}

/** Starts it; rejects when the port is taken. */
export async function startHealthServer(options: HealthServerOptions): Promise<HealthServer> {
  const log = options.log ?? silentLogger;
  const server = createServer((request, response) => {
    answer(options, request.url ?? '/', response).catch((error: unknown) => {
      log.error('a probe or metrics request failed', { url: request.url, error });
      send(response, 500, 'internal error\n');
    });
  });
  // Probes come from the kubelet once in seconds: nobody else has a reason to hold a connection for long.
  server.requestTimeout = 10_000;
  server.headersTimeout = 10_000;
  await listen(server, options);
  const { port } = server.address() as AddressInfo;
  return { port, stop: () => close(server) };
}

async function answer(options: HealthServerOptions, url: string, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(url, 'http://localhost');
  if (pathname === '/healthz' || pathname === '/livez') {
    return check(response, options.live, searchParams.has('verbose'));
  }
  if (pathname === '/readyz') return check(response, options.ready, searchParams.has('verbose'));
  if (pathname === '/metrics') {
    options.beforeMetrics?.();
    const text = await options.registry.metrics();
    return send(response, 200, text, options.registry.contentType);
  }
  return send(response, 404, 'not found; there are /healthz, /readyz and /metrics\n');
}

function check(response: ServerResponse, checks: Record<string, HealthCheck>, verbose: boolean): void {
  const results = Object.entries(checks).map(([name, run]) => ({ name, problem: run() }));
  const failed = results.some(({ problem }) => problem !== undefined);
  const lines = results.map(({ name, problem }) =>
    problem === undefined ? `[+] ${name} ok` : `[-] ${name}: ${problem}`,
  );
  send(response, failed ? 500 : 200, failed || verbose ? `${lines.join('\n')}\n` : 'ok\n');
}

function send(
  response: ServerResponse,
  code: number,
  text: string,
  type = 'text/plain; charset=utf-8',
): void {
  if (response.headersSent) return;
  response.writeHead(code, { 'content-type': type, 'cache-control': 'no-store' });
  response.end(text);
}

async function listen(server: Server, { port, host }: HealthServerOptions): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function close(server: Server): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.close((error) => (error === undefined ? resolve() : reject(error)));
    server.closeAllConnections();
  });
}
