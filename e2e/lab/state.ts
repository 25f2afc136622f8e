import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { ProcessIdentity } from '../tools/index.ts';
import { labDir, paths } from './config.ts';
import type { Zone } from './config.ts';

/** What the lab remembers between two calls of its commands. */
export interface LabState {
  /** `up` only after everything was ready once; anything else is an interrupted `up` or `down`. */
  phase: 'starting' | 'up' | 'stopping';
  startedAt: string;
  /** Its host processes by name, for example `kubelet-node-a`. */
  processes: Record<string, ProcessIdentity>;
  /** Zones whose link is down on purpose. */
  cut: Zone[];
  /** Zones whose processes were killed on purpose. */
  killed: Zone[];
  /** Kernel settings as they were before the lab changed them, put back by `down`. */
  sysctls: Record<string, string>;
}

/** A lab that has nothing yet. */
export function newState(): LabState {
  const startedAt = new Date().toISOString();
  return { phase: 'starting', startedAt, processes: {}, cut: [], killed: [], sysctls: {} };
}

/** The state on disk; `undefined` when there is no lab or the file can't be understood (an interrupted write). */
export function readState(): LabState | undefined {
  if (!existsSync(paths.state())) return undefined;
  try {
    return { ...newState(), ...(JSON.parse(readFileSync(paths.state(), 'utf8')) as Partial<LabState>) };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The state of a lab that must be there. */
export function requireState(): LabState {
  const state = readState();
  if (!state) throw new Error('The lab is not up. Bring it up with: node e2e/lab/main.ts up');
  return state;
}

/** Writes the state whole or not at all. */
export function writeState(state: LabState): void {
  mkdirSync(labDir(), { recursive: true });
  const next = `${paths.state()}.next`;
  writeFileSync(next, `${JSON.stringify(state, null, 2)}\n`);
  renameSync(next, paths.state());
}
