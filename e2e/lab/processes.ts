import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { endProcesses, readStartTime } from '../tools/index.ts';
import type { ProcessIdentity } from '../tools/index.ts';
import { pidsInCgroups } from './cgroups.ts';
import { labDir } from './config.ts';
import type { LabNode } from './config.ts';

/** Programs that the lab starts; a version may follow the name. Nothing else is ever taken for the lab's own. */
const programs =
  /^(etcd|kube-apiserver|kube-controller-manager|kube-scheduler|kube-proxy|kubelet|containerd|containerd-shim-runc-v2|ctr|runc|node)(-\d.*)?$/;

/** One entry of /proc. */
interface Entry extends ProcessIdentity {
  program: string;
  argv: string[];
}

/** Whether a process is one of the lab's by its program and its arguments. Pure. */
export function belongsToLab(program: string, argv: readonly string[], dir: string): boolean {
  if (!programs.test(program)) return false;
  const inDir = (word: string): boolean => word === dir || word.includes(`${dir}/`);
  // `node` runs much that isn't ours: only the provisioner counts, by the word that the lab gives it.
  if (program.startsWith('node')) return argv.includes(`--lab-dir=${dir}`);
  return argv.slice(1).some(inDir);
}

/**
 * Whether a process runs in a container of the lab: its root is an overlay whose layers are in the lab's folder, which
 * its mount table says even after that has gone. kubelet puts no container under the node's cgroup without QoS cgroups,
 * and a container whose shim was killed lives on. Pure.
 *
 * @param mountinfo of the process, as in /proc (proc_pid_mountinfo(5))
 */
export function isContainerOf(mountinfo: string, dir: string): boolean {
  return mountinfo
    .split('\n')
    .some((line) => line.split(' ')[4] === '/' && line.includes(' overlay ') && line.includes(`=${dir}/`));
}

function readMounts(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/mountinfo`, 'utf8');
  } catch {
    // It has ended.
    return '';
  }
}

function readEntry(pid: number): Entry | undefined {
  try {
    const startTime = readStartTime(pid);
    if (startTime === undefined) return undefined;
    const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
    const program = basename(readlinkSync(`/proc/${pid}/exe`)).replace(/ \(deleted\)$/, '');
    return { pid, startTime, program, argv };
  } catch {
    // Kernel threads have no exe, and a process may end while we look.
    return undefined;
  }
}

/** Every running process of the lab, or of one node, recorded or not: by its arguments, its cgroup, its container. */
export function findProcesses(node?: LabNode): ProcessIdentity[] {
  const dir = node ? `${labDir()}/${node.name}` : labDir();
  const inCgroups = new Set(pidsInCgroups(node));
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readEntry(Number(name)))
    .filter((entry) => entry !== undefined)
    .filter(
      ({ pid, program, argv }) =>
        inCgroups.has(pid) || belongsToLab(program, argv, dir) || isContainerOf(readMounts(pid), dir),
    )
    .map(({ pid, startTime }) => ({ pid, startTime }));
}

/** Kills every process of the lab, or of one node, at once, and looks again until there is none (shims start new ones). */
export async function killProcesses(node?: LabNode): Promise<void> {
  for (let round = 0; round < 10; round += 1) {
    const found = findProcesses(node);
    if (found.length === 0) return;
    await endProcesses(found, { graceMs: 0 });
  }
  throw new Error(
    `Processes of the lab keep coming back: ${findProcesses(node)
      .map((p) => p.pid)
      .join(', ')}`,
  );
}
