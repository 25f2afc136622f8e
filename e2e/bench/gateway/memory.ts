/** Memory of the whole server process for each connection: idle, and after traffic in both directions. */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { usageOf } from '../common/process-usage.ts';
import type { Kind, Stage } from './contestants.ts';
import { isSettled } from './figures.ts';
import { announce, connect, withRig, type Rig } from './rig.ts';

/** Messages that each connection sends and gets, and their size. */
export const TRAFFIC = { rounds: 5, bytes: 2048 };
/** Time between two looks at memory, and how long it may take to settle. */
const LOOK_MS = 500;
const SETTLE_MS = 60_000;
/** File descriptors that a server has besides its connections: its own, and those of Kafka and Redis. */
const SPARE_FILES = 200;
/** Connections that talk at once. */
const TALKING = 64;

/** Memory with a number of connections, MiB. */
export interface MemoryPoint {
  connections: number;
  rssMiB: number;
  anonymousMiB: number;
  /** It moved no more. False: it was still moving when the time was over. */
  settled: boolean;
}

/** One server process, from its start. */
export interface MemoryRun {
  contestant: string;
  run: number;
  /** traffic: at each number of connections all of them have sent and got five messages of 2 KB. */
  curve: (typeof CURVES)[number];
  perChannel: number;
  points: MemoryPoint[];
  loadCpuSeconds: number;
}

export interface MemoryOptions {
  run: number;
  /** Numbers of connections, rising. */
  levels: readonly number[];
  perChannel: number;
  /** Seconds that memory is given before it may count as settled. */
  settle: number;
  curves: readonly MemoryRun['curve'][];
}

/** All curves. */
export const CURVES = ['idle', 'traffic'] as const;

/** As many connections as a process may have files, less what a server needs for itself. */
export function mostConnections(): number {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  const files = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1]);
  return files - SPARE_FILES;
}

/** The curves of one contestant. */
export async function measureMemory(stage: Stage, kind: Kind, options: MemoryOptions): Promise<MemoryRun[]> {
  const runs: MemoryRun[] = [];
  for (const curve of options.curves) {
    const contestant = announce(`memory, ${curve}`, kind, options.run);
    const { points, loadCpuSeconds } = await withRig(stage, kind, (rig) => grow(rig, curve, options));
    runs.push({
      contestant,
      run: options.run,
      curve,
      perChannel: options.perChannel,
      points,
      loadCpuSeconds,
    });
  }
  return runs;
}

async function grow(
  rig: Rig,
  curve: MemoryRun['curve'],
  { levels, perChannel, settle }: MemoryOptions,
): Promise<Pick<MemoryRun, 'points' | 'loadCpuSeconds'>> {
  const { load, contestant, pid } = rig;
  const points = [await settledAt(pid, 0, settle)];
  let loadCpuSeconds = 0;
  for (const level of levels) {
    const count = level - (points.at(-1)?.connections ?? 0);
    const { address } = contestant;
    await connect(load, { group: 'all', address, count, channel: 'chat:m-%d', perChannel });
    if (curve === 'traffic') {
      const { cpuSeconds, result } = await load.run('echo', {
        group: 'all',
        concurrency: TALKING,
        ...TRAFFIC,
      });
      loadCpuSeconds += cpuSeconds;
      if (result.failed > 0)
        throw new Error(`${result.failed} echoes failed: ${JSON.stringify(result.errors)}`);
    }
    const point = await settledAt(pid, level, settle);
    console.error(`  ${level}: ${point.rssMiB.toFixed(1)} MiB${point.settled ? '' : ', still moving'}`);
    points.push(point);
  }
  const { result } = await load.run('close', { group: 'all' });
  if (result.ended > 0) throw new Error(`the server ended ${result.ended} connections meanwhile`);
  return { points, loadCpuSeconds };
}

/** Looks until memory moves no more, for `settle` seconds at least, or until the time is over. */
async function settledAt(pid: number, connections: number, settle: number): Promise<MemoryPoint> {
  const samples: number[] = [];
  await delay(settle * 1000);
  const end = performance.now() + SETTLE_MS;
  while (!isSettled(samples) && performance.now() < end) {
    await delay(LOOK_MS);
    samples.push(usageOf(pid).rssMiB);
  }
  const { rssMiB, anonymousMiB } = usageOf(pid);
  return { connections, rssMiB, anonymousMiB, settled: isSettled(samples) };
}
