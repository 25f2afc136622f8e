import { join } from 'node:path';
import { ensureBinary } from '../binaries/index.ts';
import { flags, freePorts } from '../tools/index.ts';
import { createServer } from './server.ts';
import type { Server } from './server.ts';
import { temporaryFolder } from './supervise.ts';

/** How etcd is started. */
export interface EtcdOptions {
  /** Real fsync, for benchmarks. Default false: a test doesn't outlive a power cut. */
  fsync?: boolean;
  /** Mutual TLS, as the operator runs it: files for the server, whose certificate must be for 127.0.0.1. */
  tls?: { caFile: string; certFile: string; keyFile: string };
  /** More of etcd's own flags. */
  args?: readonly string[];
}

/** A single-member etcd. */
export interface Etcd extends Server {
  /** `http://127.0.0.1:<port>`, or https with TLS. */
  readonly endpoint: string;
}

/** Starts etcd on 127.0.0.1. */
export async function startEtcd(options: EtcdOptions = {}): Promise<Etcd> {
  const command = await ensureBinary('etcd');
  const [client, peer, health] = await freePorts(3);
  const { tls } = options;
  const endpoint = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${client}`;
  const healthUrl = `http://127.0.0.1:${health}`;
  const peerUrl = `http://127.0.0.1:${peer}`;
  const folder = temporaryFolder('etcd');
  const args = flags({
    name: 'test',
    'data-dir': join(folder, 'data'),
    'log-level': 'warn',
    'listen-client-urls': endpoint,
    'advertise-client-urls': endpoint,
    'listen-metrics-urls': healthUrl,
    'listen-peer-urls': peerUrl,
    'initial-advertise-peer-urls': peerUrl,
    'initial-cluster': `test=${peerUrl}`,
    'unsafe-no-fsync': !options.fsync,
    'cert-file': tls?.certFile,
    'key-file': tls?.keyFile,
    'trusted-ca-file': tls?.caFile,
    'client-cert-auth': tls && true,
    'tls-min-version': tls && 'TLS1.3',
  }).concat(options.args ?? []);
  const server = createServer({
    command: { name: 'etcd', command, args, cwd: folder, logFile: join(folder, 'etcd.log') },
    folder,
    ready: async () => (await fetch(`${healthUrl}/readyz`)).ok,
  });
  await server.start();
  return { ...server, endpoint };
}
