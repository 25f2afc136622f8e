import { readFileSync } from 'node:fs';
import { waitFor } from './wait.ts';

/**
 * A process that can't be taken for another: its pid, and when it started (field 22 of /proc/PID/stat, in clock
 * ticks since boot, proc(5)). A recycled pid has another start time.
 */
export interface ProcessIdentity {
  pid: number;
  startTime: number;
}

/** The fields of /proc/PID/stat that we use. The command may hold spaces and parentheses: count after the last one. */
export function parseStat(stat: string): { state: string; parent: number; startTime: number } | undefined {
  const end = stat.lastIndexOf(')');
  if (end < 0) return undefined;
  const fields = stat.slice(end + 2).split(' ');
  const [state, parent] = fields;
  const startTime = Number(fields[19]);
  if (state === undefined || parent === undefined || !Number.isFinite(startTime)) return undefined;
  return { state, parent: Number(parent), startTime };
}

function readStat(pid: number): ReturnType<typeof parseStat> {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    // No such process: that is the answer.
    return undefined;
  }
}

/** When the process started, or `undefined` when there is none (a zombie counts as none). */
export function readStartTime(pid: number): number | undefined {
  const stat = readStat(pid);
  return stat && stat.state !== 'Z' && stat.state !== 'X' ? stat.startTime : undefined;
}

/** The identity of a running process. Throws when it has already ended. */
export function identify(pid: number): ProcessIdentity {
  const startTime = readStartTime(pid);
  if (startTime === undefined) throw new Error(`process ${pid} has already ended`);
  return { pid, startTime };
}

/** Whether that very process still runs. */
export function isAlive(identity: ProcessIdentity): boolean {
  return readStartTime(identity.pid) === identity.startTime;
}

/** How a process is ended. */
export interface EndOptions {
  /** First signal. Default SIGTERM. */
  signal?: NodeJS.Signals;
  /** Milliseconds before SIGKILL. Default 5000. 0: SIGKILL at once. */
  graceMs?: number;
  /** Signal the whole process group that the process leads. Default false. */
  group?: boolean;
}

function send(identity: ProcessIdentity, signal: NodeJS.Signals, group: boolean): void {
  if (!isAlive(identity)) return;
  try {
    process.kill(group ? -identity.pid : identity.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Ends one process, by its identity: the signal, a grace period, then SIGKILL. Returns when it is gone. */
export async function endProcess(identity: ProcessIdentity, options: EndOptions = {}): Promise<void> {
  const graceMs = options.graceMs ?? 5000;
  const group = options.group ?? false;
  const gone = (): boolean => !isAlive(identity);
  if (graceMs > 0) {
    send(identity, options.signal ?? 'SIGTERM', group);
    try {
      await waitFor(`end of process ${identity.pid}`, gone, { timeoutMs: graceMs, intervalMs: 20 });
      return;
    } catch {
      // Too slow: it is killed below.
    }
  }
  send(identity, 'SIGKILL', group);
  await waitFor(`end of process ${identity.pid} after SIGKILL`, gone, { timeoutMs: 10_000, intervalMs: 20 });
}

/** Ends several processes at the same time, see {@link endProcess}. */
export async function endProcesses(
  identities: readonly ProcessIdentity[],
  options: EndOptions = {},
): Promise<void> {
  await Promise.all(identities.map((identity) => endProcess(identity, options)));
}
