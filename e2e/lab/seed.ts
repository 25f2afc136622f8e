import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  cacheDir,
  endProcess,
  identify,
  isAlive,
  run,
  succeeds,
  tailOf,
  waitFor,
  withFileLock,
  withProgress,
} from '../tools/index.ts';
import { labPath } from './config.ts';
import type { LabNode } from './config.ts';
import type { BuiltImage } from './images.ts';
import { mergeLayouts, readManifest } from './layout.ts';

/**
 * A seed is a containerd root folder that holds the lab's images already unpacked. It is made once for each set of
 * images; a node starts from links to its files, which takes a second where three imports take half a minute. That
 * is safe: containerd never writes to a committed layer, and its databases are copied, not linked.
 */
export interface Seed {
  folder: string;
}

/** Files in a containerd root that containerd changes in place. */
const databases = [
  'io.containerd.metadata.v1.bolt/meta.db',
  'io.containerd.snapshotter.v1.overlayfs/metadata.db',
] as const;

/** The seed of a set of images, made when the cache doesn't have it. */
export async function ensureSeed(images: readonly BuiltImage[]): Promise<Seed> {
  const { stdout } = await run('containerd', ['--version']);
  const digests = images.map(({ reference, layout }) => `${reference}@${readManifest(layout).digest}`);
  const key = createHash('sha256')
    .update(JSON.stringify([stdout.trim(), ...digests]))
    .digest('hex')
    .slice(0, 16);
  const folder = cacheDir('nodes', key);
  if (!existsSync(folder)) {
    await withFileLock(cacheDir('locks', 'nodes'), async () => {
      if (!existsSync(folder))
        await withProgress('Unpacking images for the nodes', () => makeSeed(images, folder));
    });
  }
  return { folder };
}

async function makeSeed(images: readonly BuiltImage[], folder: string): Promise<void> {
  mkdirSync(cacheDir('nodes'), { recursive: true });
  const work = mkdtempSync(cacheDir('nodes', '.making-'));
  const root = join(work, 'containerd');
  try {
    mergeLayouts(images, join(work, 'layout'));
    const archive = join(work, 'images.tar');
    await run('tar', ['-cf', archive, '-C', join(work, 'layout'), 'oci-layout', 'index.json', 'blobs']);
    await withContainerd(root, (socket) =>
      run('ctr', [
        '--address',
        socket,
        '--namespace',
        'k8s.io',
        'images',
        'import',
        '--digests=false',
        archive,
      ]),
    );
    for (const old of readdirSync(cacheDir('nodes')).filter((name) => !name.startsWith('.'))) {
      rmSync(cacheDir('nodes', old), { recursive: true, force: true });
    }
    renameSync(root, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Runs a containerd on a root folder for as long as the work takes. It dies with this process. */
async function withContainerd(root: string, work: (socket: string) => Promise<unknown>): Promise<void> {
  const state = mkdtempSync(join(tmpdir(), 'causeway-seed-'));
  const socket = join(state, 'containerd.sock');
  const config = join(state, 'containerd.toml');
  const logFile = join(state, 'containerd.log');
  const disabled = '"io.containerd.grpc.v1.cri"';
  writeFileSync(
    config,
    `version = 2\nroot = "${root}"\nstate = "${state}/run"\ndisabled_plugins = [${disabled}]\n[grpc]\n  address = "${socket}"\n`,
  );
  const log = openSync(logFile, 'a');
  const args = ['--pdeathsig', 'KILL', '--', 'containerd', '--config', config, '--log-level', 'warn'];
  const child = spawn('setpriv', args, { stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  const identity = identify(child.pid ?? 0);
  try {
    await waitFor('containerd', () => succeeds('ctr', ['--address', socket, '--timeout', '2s', 'version']), {
      timeoutMs: 60_000,
      check: () => {
        if (!isAlive(identity)) throw new Error(`containerd ended:\n${tailOf(logFile)}`);
      },
    });
    await work(socket);
  } finally {
    await endProcess(identity);
    rmSync(state, { recursive: true, force: true });
  }
}

/** Gives a node, before its containerd first starts, everything that the seed has. */
export async function plantSeed(seed: Seed, node: LabNode): Promise<void> {
  const root = labPath(node.name, 'containerd');
  mkdirSync(labPath(node.name), { recursive: true });
  // Links where the cache and the lab share a file system, else copies.
  if (!(await succeeds('cp', ['-al', seed.folder, root]))) {
    rmSync(root, { recursive: true, force: true });
    await run('cp', ['-a', seed.folder, root]);
  }
  for (const database of databases) {
    rmSync(join(root, database));
    copyFileSync(join(seed.folder, database), join(root, database));
  }
}
