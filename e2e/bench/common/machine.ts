/** What a figure was measured on. */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { run } from '../../tools/index.ts';

/** The machine and the state that it was in. Sizes in GiB. */
export interface Machine {
  at: string;
  cpu: string;
  cores: number;
  memoryGiB: number;
  os: string;
  kernel: string;
  node: string;
  /** The revision that was measured; `+` when there were changes that no commit had. */
  revision: string;
  /** Load average over a minute as the benchmark began. Over the number of cores: others were working. */
  loadBefore: number;
}

/** Facts of this machine, now. */
export async function machineFacts(): Promise<Machine> {
  return {
    at: new Date().toISOString(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    os: osName(),
    kernel: release(),
    node: process.version,
    revision: await revision(),
    loadBefore: loadavg()[0] ?? 0,
  };
}

function osName(): string {
  const text = readFileSync('/etc/os-release', 'utf8');
  return /^PRETTY_NAME="(.*)"$/m.exec(text)?.[1] ?? 'Linux';
}

async function revision(): Promise<string> {
  const cwd = import.meta.dirname;
  const { stdout: head } = await run('git', ['rev-parse', '--short', 'HEAD'], { cwd });
  const { stdout: changes } = await run('git', ['status', '--porcelain', '-uno'], { cwd });
  return head.trim() + (changes.trim() === '' ? '' : '+');
}
