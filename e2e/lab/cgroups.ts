import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { waitFor } from '../tools/index.ts';
import { cgroupRoot, nodes } from './config.ts';
import type { LabNode } from './config.ts';

const mountPoint = '/sys/fs/cgroup';

/** Whether the machine has only cgroup v2. */
export function isUnified(): boolean {
  return existsSync(join(mountPoint, 'cgroup.controllers'));
}

/** The roots that hold cgroups: the mount point itself with v2, each controller's folder with v1. */
function hierarchies(): string[] {
  if (isUnified()) return [mountPoint];
  return readdirSync(mountPoint)
    .map((name) => join(mountPoint, name))
    .filter((path) => statSync(path).isDirectory() && existsSync(join(path, 'cgroup.procs')));
}

/** The cgroup of a node's containers, as kubelet's `cgroupRoot` names it. */
export function nodeCgroup(node: LabNode): string {
  return `/${cgroupRoot}/${node.name}`;
}

function enableControllers(path: string): void {
  const available = readFileSync(join(path, 'cgroup.controllers'), 'utf8').trim().split(' ').filter(Boolean);
  writeFileSync(join(path, 'cgroup.subtree_control'), available.map((name) => `+${name}`).join(' '));
}

/** Makes each node's cgroup in every hierarchy: kubelet insists on that. */
export function createCgroups(): void {
  for (const root of hierarchies()) {
    mkdirSync(join(root, cgroupRoot), { recursive: true });
    if (isUnified()) for (const path of [root, join(root, cgroupRoot)]) enableControllers(path);
    for (const node of nodes) {
      mkdirSync(join(root, cgroupRoot, node.name), { recursive: true });
      inheritCpuset(join(root, cgroupRoot), join(root, cgroupRoot, node.name));
    }
  }
}

/** A new v1 cpuset is empty, and an empty one refuses every process. */
function inheritCpuset(...groups: string[]): void {
  for (const group of groups) {
    for (const name of ['cpuset.cpus', 'cpuset.mems']) {
      const file = join(group, name);
      if (isUnified() || !existsSync(file) || readFileSync(file, 'utf8').trim() !== '') continue;
      writeFileSync(file, readFileSync(join(group, '..', name), 'utf8').trim());
    }
  }
}

function* descend(path: string): Generator<string> {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) yield* descend(join(path, entry.name));
  }
  yield path;
}

/** The pids in a node's cgroups, or with no node in any of the lab's. */
export function pidsInCgroups(node?: LabNode): number[] {
  const pids = new Set<number>();
  for (const root of hierarchies()) {
    for (const group of descend(join(root, cgroupRoot, node?.name ?? ''))) {
      for (const pid of readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n'))
        if (pid) pids.add(Number(pid));
    }
  }
  return [...pids];
}

/** Where containerd puts a container that comes without a parent; its own default, by the namespace of Kubernetes. */
const CONTAINERS = 'k8s.io';

/** Removes the cgroups of containers that were killed, so that nobody else did. */
export async function removeContainerCgroups(ids: readonly string[]): Promise<void> {
  const groups = hierarchies().flatMap((root) => ids.map((id) => join(root, CONTAINERS, id)));
  await waitFor(
    "the containers' cgroups to be removable",
    () => {
      for (const group of groups) for (const each of descend(group)) rmdirSync(each);
      return true;
    },
    { timeoutMs: 15_000 },
  );
  for (const root of hierarchies()) {
    const parent = join(root, CONTAINERS);
    const isEmpty = existsSync(parent) && [...descend(parent)].length === 1;
    if (isEmpty && ids.length > 0) rmdirSync(parent);
  }
}

/** Removes the lab's cgroups. The kernel needs a moment after the last process has gone. */
export async function removeCgroups(): Promise<void> {
  await waitFor(
    'the cgroups to be removable',
    () => {
      for (const root of hierarchies()) for (const group of descend(join(root, cgroupRoot))) rmdirSync(group);
      return true;
    },
    { timeoutMs: 15_000 },
  );
}
