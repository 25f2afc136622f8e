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
  /** More of etcd's own flags. */
  args?: readonly string[];
}

/** A single-member etcd. */
export interface Etcd extends Server {
  /** `http://127.0.0.1:<port>` */
  readonly endpoint: string;
}

/** Starts etcd on 127.0.0.1. */
export async function startEtcd(options: EtcdOptions = {}): Promise<Etcd> {
  const command = await ensureBinary('etcd');
  const [client, peer] = await freePorts(2);
  const endpoint = `http://127.0.0.1:${client}`;
  const peerUrl = `http://127.0.0.1:${peer}`;
  const folder = temporaryFolder('etcd');
  const args = flags({
    name: 'test',
    'data-dir': join(folder, 'data'),
    'log-level': 'warn',
    'listen-client-urls': endpoint,
    'advertise-client-urls': endpoint,
    'listen-peer-urls': peerUrl,
    'initial-advertise-peer-urls': peerUrl,
    'initial-cluster': `test=${peerUrl}`,
    'unsafe-no-fsync': !options.fsync,
  }).concat(options.args ?? []);
  const server = createServer({
    command: { name: 'etcd', command, args, cwd: folder, logFile: join(folder, 'etcd.log') },
    folder,
    ready: async () => (await fetch(`${endpoint}/readyz`)).ok,
  });
  await server.start();
  return { ...server, endpoint };
}
