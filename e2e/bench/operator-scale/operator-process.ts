/** The operator as its image starts it, watched from outside: its metrics, its log, /proc. */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { removeFolder, supervise, temporaryFolder } from '../../harness/supervise.ts';
import { freePort, waitFor } from '../../tools/index.ts';
import { Exposition } from '../common/exposition.ts';
import { usageOf, type Usage } from '../common/process-usage.ts';

const root = join(import.meta.dirname, '../../..');

/** What the operator says and uses at one time. */
export interface Snapshot {
  /** `performance.now()` */
  at: number;
  metrics: Exposition;
  usage: Usage;
  /** Reconciles whose time is in the log so far. */
  reconciles: number;
}

/** A running operator. */
export interface OperatorProcess {
  snapshot(): Promise<Snapshot>;
  /** Milliseconds of the reconciles from number `from` to number `to`, as the operator logged them. */
  reconcileTimes(from: number, to: number): Promise<number[]>;
  /** Waits until no reconcile runs or waits, and none has written for `quietMs`. */
  settled(quietMs: number, timeoutMs: number): Promise<void>;
  stop(): Promise<void>;
}

/** Starts the bundle; resolves when its caches have synced. `nodeArgs`: more of Node's own flags. */
export async function startOperator(
  kubeconfig: string,
  nodeArgs: readonly string[] = [],
): Promise<OperatorProcess> {
  const folder = temporaryFolder('operator');
  const logFile = join(folder, 'operator.log');
  const port = await freePort();
  const process_ = await supervise({
    name: 'operator',
    command: process.execPath,
    args: [
      '--disable-warning=TimeoutNegativeWarning',
      ...nodeArgs,
      join(root, 'operator/dist/main.js'),
      'run',
      '--kubeconfig',
      kubeconfig,
      // The lease's own traffic is left out of the count of what platforms cost.
      '--no-leader-elect',
      '--health-port',
      String(port),
      '--log-format',
      'json',
      // Each reconcile's own time is in the debug log; the histogram's buckets are too wide for percentiles.
      '--log-level',
      'debug',
    ],
    cwd: folder,
    logFile,
  });
  const url = `http://127.0.0.1:${port}`;
  const metrics = async (): Promise<Exposition> =>
    new Exposition(await (await fetch(`${url}/metrics`)).text());
  const stop = async (): Promise<void> => {
    await process_.end(20_000);
    removeFolder(folder);
  };
  try {
    await waitFor('operator ready', async () => (await fetch(`${url}/readyz`)).ok, {
      intervalMs: 20,
      check: () => process_.assertRunning(),
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    async snapshot() {
      process_.assertRunning();
      const seen = await metrics();
      return {
        at: performance.now(),
        metrics: seen,
        usage: usageOf(process_.identity.pid),
        reconciles: seen.sum('controller_runtime_reconcile_time_seconds_count'),
      };
    },
    reconcileTimes: async (from, to) => (await loggedTimes(logFile)).slice(from, to),
    settled: (quietMs, timeoutMs) => settled(metrics, quietMs, timeoutMs),
    stop,
  };
}

async function loggedTimes(logFile: string): Promise<number[]> {
  const times: number[] = [];
  for await (const line of createInterface({ input: createReadStream(logFile) })) {
    if (!line.includes('"reconcile ended"')) continue;
    times.push((JSON.parse(line) as { ms: number }).ms);
  }
  return times;
}

async function settled(
  metrics: () => Promise<Exposition>,
  quietMs: number,
  timeoutMs: number,
): Promise<void> {
  let writes = -1;
  let since = performance.now();
  await waitFor(
    'the operator to settle',
    async () => {
      const seen = await metrics();
      const now = seen.sum('causeway_api_writes_total');
      if (now !== writes) {
        writes = now;
        since = performance.now();
      }
      return performance.now() - since >= quietMs && seen.sum('workqueue_depth') === 0;
    },
    { timeoutMs, intervalMs: 250 },
  );
}
