/** The two that are compared: our replicator and `etcdctl make-mirror`, each as a process that starts and ends. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ETCD_KEY } from '@causeway/crds';
import type { ReplicationCheckpoint, ReplicatorConfig } from '@causeway/crds';
import { Etcd3 } from 'etcd3';
import { ensureBinary } from '../../binaries/index.ts';
import { endProcess, identify, waitFor } from '../../tools/index.ts';

/** From where to where. */
export interface Route {
  source: string;
  target: string;
  prefix: string;
}

/** A contestant that runs. */
export interface Runner {
  /** Processor time that it has used so far, seconds. */
  cpuSeconds(): number;
  end(): Promise<void>;
  /** SIGKILL; returns when it is gone. */
  kill(): Promise<void>;
}

/** One of the two. */
export interface Contestant {
  name: 'causeway' | 'make-mirror';
  /** Starts on an empty prefix and resolves when it follows the source. */
  start(route: Route): Promise<Runner>;
  /** Starts again after {@link start} and the runner's end, where `revision` was the source's then. */
  resume(route: Route, revision: string): Promise<Runner>;
  /** Starts again after a kill, as whoever watches over it would: with the command of before. */
  restart(route: Route): Promise<Runner>;
}

const repository = join(import.meta.dirname, '..', '..', '..');

function launch(command: string, args: readonly string[], cleanUp: () => void): Runner {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-2000)));
  let ending = false;
  child.on('exit', (code) => {
    if (!ending) throw new Error(`${command} ended by itself with ${code}: ${errors}`);
  });
  const killed = (): boolean => child.kill('SIGKILL');
  process.once('exit', killed);
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  return {
    cpuSeconds: () => (child.pid === undefined ? 0 : processorSeconds(child.pid)),
    async end() {
      ending = true;
      process.removeListener('exit', killed);
      if (child.pid !== undefined && child.exitCode === null) await endProcess(identify(child.pid));
      cleanUp();
    },
    async kill() {
      ending = true;
      process.removeListener('exit', killed);
      child.kill('SIGKILL');
      await closed;
      cleanUp();
    },
  };
}

/** Clock ticks a second in /proc, the same on every Linux that Node runs on (proc(5), sysconf(3)). */
const TICKS = 100;

/** User and system time of a process (fields 14 and 15 of /proc/PID/stat). */
function processorSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** Our replicator, from the bundle when there is one. */
export function causeway(main: string): Contestant {
  let epoch = 1;
  const begin = ({ source, target, prefix }: Route): Runner => {
    const folder = mkdtempSync(join(tmpdir(), 'causeway-bench-'));
    const file = join(folder, 'replicator.json');
    const config: ReplicatorConfig = {
      platform: 'bench',
      namespace: 'bench',
      listen: { adminPort: 0 },
      homeZone: 'zone-a',
      zone: 'zone-b',
      epoch,
      source: { endpoints: [source] },
      target: { endpoints: [target] },
      prefixes: [prefix],
    };
    writeFileSync(file, JSON.stringify(config));
    return launch(process.execPath, [main, 'replicate', '--config', file], () =>
      rmSync(folder, { recursive: true, force: true }),
    );
  };
  return {
    name: 'causeway',
    async start(route) {
      epoch += 1;
      const runner = begin(route);
      await follows(route);
      return runner;
    },
    resume: (route) => Promise.resolve(begin(route)),
    restart: (route) => Promise.resolve(begin(route)),
  };
}

/** Waits until the checkpoint in the target is about this prefix and whole. */
async function follows({ target, prefix }: Route): Promise<void> {
  const client = new Etcd3({ hosts: target });
  try {
    await waitFor('the replicator to follow', async () => {
      const value = await client.get(ETCD_KEY.checkpoint).string();
      const { prefixes, snapshot } = JSON.parse(value ?? '{}') as Partial<ReplicationCheckpoint>;
      return prefixes?.includes(prefix) === true && snapshot === undefined;
    });
  } finally {
    client.close();
  }
}

/** etcd's own tool. */
export async function makeMirror(): Promise<Contestant> {
  const etcdctl = await ensureBinary('etcdctl');
  const begin = ({ source, target, prefix }: Route, args: readonly string[]): Runner => {
    const to = target.replace(/^http:\/\//, '');
    return launch(
      etcdctl,
      ['--endpoints', source, 'make-mirror', '--prefix', prefix, ...args, to],
      () => undefined,
    );
  };
  return {
    name: 'make-mirror',
    async start(route) {
      const runner = begin(route, []);
      await passes(route);
      return runner;
    },
    resume: (route, revision) => {
      // With --rev it drops the prefix from the keys unless it is told where they go.
      const args = ['--rev', String(BigInt(revision) + 1n), '--dest-prefix', route.prefix];
      return Promise.resolve(begin(route, args));
    },
    restart: (route) => Promise.resolve(begin(route, [])),
  };
}

/** Waits until a key comes through, since make-mirror says nothing about itself. */
async function passes({ source, target, prefix }: Route): Promise<void> {
  const [from, to] = [new Etcd3({ hosts: source }), new Etcd3({ hosts: target })];
  try {
    await waitFor('make-mirror to follow', async () => {
      await from.put(`${prefix}probe`).value('x');
      return (await to.get(`${prefix}probe`).string()) !== null;
    });
    await from.delete().key(`${prefix}probe`);
    await waitFor('the probe to go', async () => (await to.get(`${prefix}probe`).string()) === null);
  } finally {
    from.close();
    to.close();
  }
}

/** The bundle if it was built, else the sources. */
export function defaultMain(exists: (file: string) => boolean): string {
  const bundle = join(repository, 'gateway', 'dist', 'main.js');
  return exists(bundle) ? bundle : join(repository, 'gateway', 'src', 'main.ts');
}
