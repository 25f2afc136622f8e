import { existsSync, readdirSync, readFileSync, readlinkSync, rmdirSync, rmSync, unlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { run } from '../tools/index.ts';
import { removeCgroups, removeContainerCgroups } from './cgroups.ts';
import { labDir, labPath, nodes } from './config.ts';
import type { LabNode } from './config.ts';
import { removeNetwork, restoreSysctls } from './network.ts';
import { killProcesses } from './processes.ts';
import { readState } from './state.ts';

/** The lab's CNI network name: what CNI caches outside of the lab's folder starts with it. */
export const cniNetwork = 'causeway-lab';

/** Removes every trace of the lab, whatever state it is in. Returns what could not be undone, in words. */
export async function cleanUp(): Promise<string[]> {
  const containers = taskIds();
  await killProcesses();
  removeShimSockets();
  await unmountAll();
  await removeNetwork();
  await removeContainerCgroups(containers);
  await removeCgroups();
  removeForeignFiles();
  const state = readState();
  const notes = state ? restoreSysctls(state) : [];
  rmSync(labDir(), { recursive: true, force: true, maxRetries: 3 });
  return notes;
}

/** The mount points below a folder, innermost first. /proc/mounts writes a space as \040. Pure. */
export function mountsBelow(mounts: string, dir: string): string[] {
  return mounts
    .split('\n')
    .map((line) => (line.split(' ')[1] ?? '').replaceAll('\\040', ' '))
    .filter((path) => path === dir || path.startsWith(`${dir}/`))
    .toSorted((a, b) => b.length - a.length);
}

async function unmountAll(): Promise<void> {
  for (let round = 0; round < 5; round += 1) {
    const mounts = mountsBelow(readFileSync('/proc/mounts', 'utf8'), labDir());
    if (mounts.length === 0) return;
    // Lazily: a mount that is still busy goes as soon as its last user does.
    await run('umount', ['-l', ...mounts]).catch(() => undefined);
  }
  const left = mountsBelow(readFileSync('/proc/mounts', 'utf8'), labDir());
  if (left.length > 0) throw new Error(`These mounts can't be removed: ${left.join(', ')}`);
}

/** Where containerd keeps what it knows of a node's running containers, a folder for each. */
function tasksOf(node: LabNode): string {
  return labPath(node.name, 'run', 'io.containerd.runtime.v2.task', 'k8s.io');
}

function taskIds(): string[] {
  return nodes.map(tasksOf).flatMap((tasks) => (existsSync(tasks) ? readdirSync(tasks) : []));
}

/** A killed shim leaves its socket under /run/containerd; each task's folder names it. */
export function removeShimSockets(of: readonly LabNode[] = nodes): void {
  for (const node of of) {
    const tasks = tasksOf(node);
    if (!existsSync(tasks)) continue;
    for (const task of readdirSync(tasks)) {
      const file = join(tasks, task, 'address');
      if (existsSync(file))
        rmSync(
          readFileSync(file, 'utf8')
            .trim()
            .replace(/^unix:\/\//, ''),
          { force: true },
        );
    }
  }
  removeIfEmpty('/run/containerd/s');
}

/** What kubelet and CNI write outside of the lab's folder: links to container logs, cached CNI results. */
function removeForeignFiles(): void {
  const logs = '/var/log/containers';
  for (const name of existsSync(logs) ? readdirSync(logs) : []) {
    if (linkTarget(join(logs, name)).startsWith(`${labDir()}/`)) unlinkSync(join(logs, name));
  }
  removeIfEmpty(logs);
  const results = '/var/lib/cni/results';
  for (const name of existsSync(results) ? readdirSync(results) : []) {
    if (isOwnResult(join(results, name))) unlinkSync(join(results, name));
  }
  removeIfEmpty(results);
  removeIfEmpty('/var/lib/cni');
}

/** CNI's results are named after the network, except the loopback's, which only name the sandbox that they were for. */
function isOwnResult(file: string): boolean {
  return basename(file).startsWith(`${cniNetwork}-`) || readFileSync(file, 'utf8').includes(`"${labDir()}/`);
}

function linkTarget(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    // Not a link: not one of kubelet's.
    return '';
  }
}

function removeIfEmpty(folder: string): void {
  if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder);
}
