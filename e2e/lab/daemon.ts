import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { identify, isAlive, tailOf } from '../tools/index.ts';
import { inNetns, paths } from './config.ts';
import type { LabNode } from './config.ts';
import { writeState } from './state.ts';
import type { LabState } from './state.ts';

/** A process of the lab that stays when the command that started it ends. */
export interface Daemon {
  /** Unique in the lab; its log is `logs/<name>.log`. */
  name: string;
  command: string;
  args: readonly string[];
  /** Run inside this node's network namespace. */
  node?: LabNode;
  env?: Record<string, string>;
}

/** The log of a daemon. */
export function logFile(name: string): string {
  return join(paths.logs(), `${name}.log`);
}

/** Starts a daemon in its own session and records its pid with its start time. */
export async function startDaemon(state: LabState, daemon: Daemon): Promise<void> {
  mkdirSync(paths.logs(), { recursive: true });
  const log = openSync(logFile(daemon.name), 'a');
  // `ip netns exec` would remount /sys and hide the cgroups.
  const [command, ...args] = daemon.node
    ? ['nsenter', ...inNetns(daemon.node, daemon.command, ...daemon.args)]
    : [daemon.command, ...daemon.args];
  const child = spawn(command ?? daemon.command, args, {
    cwd: '/',
    env: { ...process.env, ...daemon.env },
    stdio: ['ignore', log, log],
    detached: true,
  });
  closeSync(log);
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) => reject(new Error(`${daemon.name} cannot start: ${error.message}`)));
  });
  child.unref();
  state.processes[daemon.name] = identify(child.pid ?? 0);
  writeState(state);
}

/** Throws, with the end of its log, when a daemon has ended. */
export function assertDaemon(state: LabState, name: string): void {
  const identity = state.processes[name];
  if (identity && isAlive(identity)) return;
  throw new Error(`${name} has ended; its log (${logFile(name)}) ends with:\n${tailOf(logFile(name))}`);
}
