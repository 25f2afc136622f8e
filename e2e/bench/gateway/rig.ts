/** What the gateway benchmarks do alike: a server and a load generator for a while, and their CPU. */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { ADMIN_PATH } from '@causeway/crds';
import { waitFor } from '../../tools/index.ts';
import { Exposition } from '../common/exposition.ts';
import { usageOf } from '../common/process-usage.ts';
import { NAMES } from './contestants.ts';
import type { Contestant, Group, Kind, Stage } from './contestants.ts';
import { busyTicks, establishedAt } from './figures.ts';
import { Load } from './load.ts';
import type { Errors, Opened } from './load.ts';

/** Connections that are opened at once. */
const CONCURRENCY = 32;
/** How long connections may take to be gone when clients have left. */
const CLEAR_MS = 30_000;
/** Connections and messages before anything is measured: code is compiled, Kafka's consumer has its partitions. */
const WARM_UP = { connections: 20, rounds: 3, bytes: 128 };

/** A server that runs and a load generator for it. */
export interface Rig {
  contestant: Contestant;
  load: Load;
  /** Of the server. */
  pid: number;
}

/** CPU seconds by who used them. */
export interface Cpu {
  server: number;
  /** Redis, and for ours Kafka. */
  backends: number;
  load: number;
  /** What other processes used, as a share of all that the machine's cores could do meanwhile: 0 on a quiet one. */
  othersShare: number;
}

/** Clock ticks in a second (USER_HZ). */
const TICKS = 100;

/** Starts a server and a load generator, warms both up, gives them to `work`, and ends them. */
export async function withRig<T>(
  stage: Stage,
  kind: Kind,
  work: (rig: Rig) => Promise<T>,
  group?: Group,
): Promise<T> {
  const contestant = await stage.contestant(kind, group);
  try {
    await contestant.server.start();
    const load = await Load.start(stage);
    try {
      await warmUp(load, contestant.address);
      // The server's end of them may close later than ours, and is no part of what follows.
      await cleared(contestant.port);
      return await work({ contestant, load, pid: pidOf(contestant) });
    } finally {
      await load.stop();
    }
  } finally {
    await contestant.stop();
  }
}

/** What our server says of itself. Throws for others. */
export async function metricsOf({ adminUrl, name }: Contestant): Promise<Exposition> {
  if (adminUrl === undefined) throw new Error(`${name} has no metrics`);
  const response = await fetch(adminUrl + ADMIN_PATH.metrics, { signal: AbortSignal.timeout(10_000) });
  return new Exposition(await response.text());
}

/** The server's process. Throws when it does not run. */
export function pidOf({ server, name }: Contestant): number {
  const pid = server.pid();
  if (pid === undefined) throw new Error(`${name} does not run`);
  return pid;
}

/** Messages until all come back: a gateway is ready before it has reached Kafka, and has no partitions at first. */
export async function warmUp(load: Load, address: string): Promise<void> {
  const { connections, ...messages } = WARM_UP;
  await connect(load, { group: 'warm', address, count: connections, channel: 'chat:warm-%d' });
  await waitFor(
    'warm-up',
    async () => {
      const { result } = await load.run('echo', { group: 'warm', concurrency: CONCURRENCY, ...messages });
      if (result.failed > 0) throw new Error(describe(result.errors));
      return true;
    },
    { timeoutMs: 60_000, intervalMs: 500 },
  );
  await load.run('close', { group: 'warm' });
}

/** Waits until no connection to the port is established, and says how many are if that takes too long. */
export async function cleared(port: number): Promise<number> {
  const count = (): number =>
    establishedAt(
      port,
      ['tcp', 'tcp6'].map((table) => readFileSync(`/proc/net/${table}`, 'utf8')),
    );
  const end = performance.now() + CLEAR_MS;
  while (count() > 0 && performance.now() < end) await delay(100);
  return count();
}

/** Opens connections; throws when one fails, since every figure is of a known number. */
export async function connect(
  load: Load,
  order: {
    group: string;
    address: string;
    count: number;
    channel?: string;
    perChannel?: number;
    recover?: boolean;
  },
): Promise<Opened> {
  const { result } = await load.run('connect', { concurrency: CONCURRENCY, ...order });
  if (result.failed > 0)
    throw new Error(`${result.failed} of ${order.count} connections failed: ${describe(result.errors)}`);
  return result;
}

function describe(errors: Errors): string {
  return Object.entries(errors)
    .map(([text, count]) => `${text} (${count} times)`)
    .join(', ');
}

/** Does `work` and tells the CPU that server and backends used meanwhile. */
export async function withCpu<T>(
  { contestant, pid }: Rig,
  work: () => Promise<{ cpuSeconds: number; result: T }>,
): Promise<{ cpu: Cpu; result: T }> {
  const used = (): { server: number; backends: number; machine: number } => ({
    server: usageOf(pid).cpuSeconds,
    backends: contestant.backendPids.reduce((sum, backend) => sum + usageOf(backend).cpuSeconds, 0),
    machine: busyTicks(readFileSync('/proc/stat', 'utf8')) / TICKS,
  });
  const before = used();
  const began = performance.now();
  const { cpuSeconds: load, result } = await work();
  const capacity = ((performance.now() - began) / 1000) * availableParallelism();
  const after = used();
  const [server, backends] = [after.server - before.server, after.backends - before.backends];
  const others = after.machine - before.machine - server - backends - load;
  return { cpu: { server, backends, load, othersShare: Math.max(0, others / capacity) }, result };
}

/** The name that reports use, with a line on standard error. */
export function announce(what: string, kind: Kind, run: number): string {
  console.error(`${what}: ${NAMES[kind]}, run ${run}`);
  return NAMES[kind];
}
