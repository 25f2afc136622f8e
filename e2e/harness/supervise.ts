import { spawn } from 'node:child_process';
import { openSync, closeSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endProcess, identify, isAlive, tailOf } from '../tools/index.ts';
import type { ProcessIdentity } from '../tools/index.ts';

/** A child process that never outlives this one. */
export interface Supervised {
  readonly identity: ProcessIdentity;
  /** Throws, with the end of its log, when the process has ended by itself. */
  assertRunning(): void;
  /** SIGTERM, then SIGKILL after the grace period (default 5 s); 0 kills at once. Returns when it is gone. */
  end(graceMs?: number): Promise<void>;
}

/** What to run. */
export interface Command {
  name: string;
  command: string;
  args: readonly string[];
  cwd: string;
  logFile: string;
  env?: Record<string, string>;
}

const running = new Set<ProcessIdentity>();
const folders = new Set<string>();
let hooked = false;

/** Last resort, at the end of this process: nothing may wait here. */
function endAllNow(): void {
  for (const identity of running) {
    if (!isAlive(identity)) continue;
    try {
      process.kill(-identity.pid, 'SIGKILL');
    } catch (error) {
      process.stderr.write(`cannot end process ${identity.pid}: ${(error as Error).message}\n`);
    }
  }
  running.clear();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  folders.clear();
}

function hookOnce(): void {
  if (hooked) return;
  hooked = true;
  sweep();
  process.on('exit', endAllNow);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      endAllNow();
      // Our handler took the place of the default; when nobody else handles it, die of the signal as one would expect.
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
    });
  }
}

/** Removes the folders of processes that were killed before they could: the name says whose a folder is. */
function sweep(): void {
  for (const name of readdirSync(tmpdir())) {
    const [, pid, startTime] = /^causeway-test-[a-z]+-(\d+)-(\d+)-/.exec(name) ?? [];
    if (pid === undefined || isAlive({ pid: Number(pid), startTime: Number(startTime) })) continue;
    rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}

/** A temporary folder that is removed by {@link removeFolder}, or at the end of this process. */
export function temporaryFolder(name: string): string {
  hookOnce();
  const { pid, startTime } = identify(process.pid);
  const folder = mkdtempSync(join(tmpdir(), `causeway-test-${name}-${pid}-${startTime}-`));
  folders.add(folder);
  return folder;
}

/** Removes a folder of {@link temporaryFolder}. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  folders.delete(folder);
}

/** Starts a process in its own group, which dies with this process even when that is killed by SIGKILL. */
export async function supervise(command: Command): Promise<Supervised> {
  hookOnce();
  const log = openSync(command.logFile, 'a');
  // setpriv (util-linux) replaces itself by the command, so that the pid is the command's own.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', command.command, ...command.args], {
    cwd: command.cwd,
    env: { ...process.env, ...command.env },
    stdio: ['ignore', log, log],
    detached: true,
  });
  closeSync(log);
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) => reject(new Error(`${command.name} cannot start: ${error.message}`)));
  });
  child.unref();
  let ended: string | undefined;
  child.once('exit', (code, signal) => (ended = signal ? `killed by ${signal}` : `exit ${code}`));
  const identity = identify(child.pid ?? 0);
  running.add(identity);
  return {
    identity,
    assertRunning() {
      if (ended === undefined) return;
      throw new Error(`${command.name} ended (${ended}); its log ends with:\n${tailOf(command.logFile)}`);
    },
    async end(graceMs = 5000) {
      await endProcess(identity, { graceMs, group: true });
      running.delete(identity);
    },
  };
}
