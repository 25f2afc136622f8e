/** e2e/tools: processes, pids, locks and progress lines for the binaries, the harness and the lab. Imports only Node. */
export { CommandError, run, succeeds } from './run.ts';
export type { RunOptions, RunResult } from './run.ts';
export { createProgress, formatElapsed, withProgress } from './progress.ts';
export type { Progress } from './progress.ts';
export { withFileLock } from './lock.ts';
export { endProcess, endProcesses, identify, isAlive, parseStat, readStartTime } from './pid.ts';
export type { EndOptions, ProcessIdentity } from './pid.ts';
export { freePort, freePorts } from './ports.ts';
export { waitFor } from './wait.ts';
export type { WaitOptions } from './wait.ts';
export { cacheDir } from './cache-dir.ts';
export { flags, tailOf } from './text.ts';
