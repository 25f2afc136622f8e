/** The replicator as a process of its own, to be killed. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ReplicatorConfig } from '@causeway/crds';

/** A running replicator process. */
export interface ReplicatorProcess {
  /** Ends it, and returns when it is gone, with its exit code and the end of its output. */
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<{ code: number | null; output: string }>;
  /** Whether it ended by itself. */
  readonly ended: boolean;
}

const alive = new Set<ReplicatorProcess>();

/** Ends every process that still runs: call it after each test, since a failed one ends none of its own. */
export async function endReplicatorProcesses(): Promise<void> {
  await Promise.all([...alive].map((one) => one.end('SIGKILL')));
}

const main = join(import.meta.dirname, '..', '..', 'main.ts');

/** Starts the replicator with Node from the sources, or with the command that is given (a runtime and a bundle). */
export function startReplicatorProcess(
  config: ReplicatorConfig,
  command: readonly [string, ...string[]] = [process.execPath, main],
): ReplicatorProcess {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-replicator-'));
  const file = join(folder, 'replicator.json');
  writeFileSync(file, JSON.stringify(config));
  const [program, ...args] = command;
  const child = spawn(program, [...args, 'replicate', '--config', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-8000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const closed = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  const killWithUs = (): boolean => child.kill('SIGKILL');
  process.once('exit', killWithUs);
  const self: ReplicatorProcess = {
    get ended() {
      return child.exitCode !== null;
    },
    async end(signal) {
      child.kill(signal);
      const code = await closed;
      alive.delete(self);
      process.removeListener('exit', killWithUs);
      rmSync(folder, { recursive: true, force: true });
      return { code, output };
    },
  };
  alive.add(self);
  return self;
}
