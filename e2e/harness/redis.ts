import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { freePort, succeeds } from '../tools/index.ts';
import { createServer } from './server.ts';
import type { Server } from './server.ts';
import { temporaryFolder } from './supervise.ts';

/** How Redis is started. */
export interface RedisOptions {
  /** Serve TLS only, with these PEM files. */
  tls?: { certFile: string; keyFile: string; caFile: string; clientCertificates?: boolean };
  /** `requirepass`, and `masterauth` for a replica. */
  password?: string;
  /** Follow this primary (plain TCP). */
  replicaOf?: { host: string; port: number };
  /** More of Redis's own settings, as `--name value` words. */
  args?: readonly string[];
}

/** A single Redis. */
export interface Redis extends Server {
  readonly host: string;
  readonly port: number;
  /** `redis://127.0.0.1:<port>`, or `rediss://…`; without the password. */
  readonly url: string;
}

/** Asks PING; an error that asks for a password is an answer too. */
function ping(open: () => Socket): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = open();
    const answer = (ready: boolean): void => {
      socket.destroy();
      resolve(ready);
    };
    socket.setTimeout(1000, () => answer(false));
    socket.on('error', () => answer(false));
    socket.on('data', (data) => answer(/^(\+PONG|-NOAUTH)/.test(data.toString())));
    socket.write('PING\r\n');
  });
}

function settings(options: RedisOptions, port: number): string[] {
  const words = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const { tls, password, replicaOf } = options;
  if (tls) {
    words.push('--port', '0', '--tls-port', String(port), '--tls-cert-file', tls.certFile);
    words.push('--tls-key-file', tls.keyFile, '--tls-ca-cert-file', tls.caFile);
    words.push('--tls-auth-clients', tls.clientCertificates ? 'yes' : 'no');
  } else {
    words.push('--port', String(port));
  }
  if (password) words.push('--requirepass', password, '--masterauth', password);
  if (replicaOf) words.push('--replicaof', replicaOf.host, String(replicaOf.port));
  return [...words, ...(options.args ?? [])];
}

/** Starts Redis on 127.0.0.1, without persistence. Needs `redis-server` (7 or later) on PATH. */
export async function startRedis(options: RedisOptions = {}): Promise<Redis> {
  if (!(await succeeds('redis-server', ['--version']))) {
    throw new Error('redis-server is missing: install it (Debian: apt-get install redis-server)');
  }
  const port = await freePort();
  const host = '127.0.0.1';
  const folder = temporaryFolder('redis');
  const open = (): Socket =>
    options.tls && !options.tls.clientCertificates
      ? // Readiness only: whether the certificate is right is the test's own question.
        connectTls({ host, port, rejectUnauthorized: false })
      : connectTcp({ host, port });
  const ready = options.tls?.clientCertificates ? () => accepts(open) : () => ping(open);
  const command = {
    name: 'redis-server',
    command: 'redis-server',
    args: settings(options, port),
    cwd: folder,
  };
  const server = createServer({ command: { ...command, logFile: join(folder, 'redis.log') }, folder, ready });
  await server.start();
  return { ...server, host, port, url: `${options.tls ? 'rediss' : 'redis'}://${host}:${port}` };
}

function accepts(open: () => Socket): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = open();
    socket.on('connect', () => resolve(true));
    socket.on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}
