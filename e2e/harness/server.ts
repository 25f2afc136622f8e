import { waitFor } from '../tools/index.ts';
import { removeFolder, supervise } from './supervise.ts';
import type { Command, Supervised } from './supervise.ts';

/** A server process on loopback that a test can stop, kill and start again with the same port and data. */
export interface Server {
  /** Its log file; gone after `stop()`. */
  readonly logFile: string;
  /** Its process, while it runs. */
  pid(): number | undefined;
  /** Starts it again after `kill()` or `shutDown()` and waits until it is ready. */
  start(): Promise<void>;
  /** SIGKILL: a crash. The data stays. */
  kill(): Promise<void>;
  /** SIGTERM: an orderly end. The data stays. */
  shutDown(): Promise<void>;
  /** Ends it for good and removes its data. */
  stop(): Promise<void>;
}

/** What {@link createServer} needs to know. */
export interface ServerSpec {
  command: Command;
  /** Asked until it gives true. */
  ready: () => Promise<boolean>;
  /** The temporary folder that `stop()` removes; several servers may share one, which its owner then removes. */
  folder?: string;
  timeoutMs?: number;
}

/** A server that isn't started yet. */
export function createServer(spec: ServerSpec): Server {
  let current: Supervised | undefined;
  const end = async (graceMs: number): Promise<void> => {
    const process = current;
    current = undefined;
    await process?.end(graceMs);
  };
  return {
    logFile: spec.command.logFile,
    pid: () => current?.identity.pid,
    async start() {
      if (current) throw new Error(`${spec.command.name} is already running`);
      const process = await supervise(spec.command);
      current = process;
      try {
        await waitFor(`${spec.command.name} ready`, spec.ready, {
          timeoutMs: spec.timeoutMs ?? 60_000,
          intervalMs: 50,
          check: () => process.assertRunning(),
        });
      } catch (error) {
        await end(0);
        throw error;
      }
    },
    kill: () => end(0),
    shutDown: () => end(20_000),
    async stop() {
      await end(3000);
      if (spec.folder) removeFolder(spec.folder);
    },
  };
}
