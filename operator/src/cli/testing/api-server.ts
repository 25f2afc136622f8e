/** An API server whose answers are the test's: for what a real one does not do when it is asked to. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What it was asked, and where the answer goes. */
export interface Asked {
  method: string;
  url: URL;
  body: string;
  response: ServerResponse;
}

export interface ScriptedApiServer {
  /** A file that leads there. */
  kubeconfig: string;
  /** Every request, as `GET /apis/…`. */
  readonly asked: readonly string[];
  /** Ends all connections, and takes no more. */
  goAway(): void;
  stop(): Promise<void>;
}

/** Starts it. A request that `answer` does nothing about is never answered. */
export async function startScriptedApiServer(answer: (asked: Asked) => void): Promise<ScriptedApiServer> {
  const asked: string[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    const { method = 'GET' } = request;
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      asked.push(`${method} ${url.pathname}${url.search}`);
      answer({ method, url, body: Buffer.concat(chunks).toString(), response });
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const folder = mkdtempSync(join(tmpdir(), 'causeway-api-'));
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, kubeconfigFor((server.address() as AddressInfo).port));
  const goAway = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return {
    kubeconfig,
    asked,
    goAway,
    stop: async () => {
      goAway();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function kubeconfigFor(port: number): string {
  return JSON.stringify({
    // Without this the client takes no HTTP.
    clusters: [
      { name: 'c', cluster: { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } },
    ],
    users: [{ name: 'u', user: {} }],
    contexts: [{ name: 'test', context: { cluster: 'c', user: 'u', namespace: 'messaging' } }],
    'current-context': 'test',
  });
}

/** Answers with JSON. */
export function reply(response: ServerResponse, value: object, code: number = 200): void {
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

/** Answers as the API server does when it refuses. */
export function refuse(response: ServerResponse, code: number, reason: string, message: string): void {
  reply(response, { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message }, code);
}
