/** Clients that come and go in every way there is: what is left of them. */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { waitFor } from '../../tools/index.ts';
import { removeFolder, temporaryFolder } from '../../harness/supervise.ts';
import { usageOf } from '../common/process-usage.ts';
import type { Group, Kind, Stage } from './contestants.ts';
import { timesOf, type Times } from './figures.ts';
import type { Heap } from './heap-probe.ts';
import { Load, type Errors, type Measured, type Visited } from './load.ts';
import { announce, metricsOf, withRig, type Rig } from './rig.ts';

/** Visitors that are there at once, but for those who read slowly. */
const AT_ONCE = 64;
/** Visits of one command: a command of the load generator has minutes, and not longer. */
const BATCH = 5_000;
const VISIT = { channel: 'chat:visit-%d', bytes: 256, concurrency: AT_ONCE };
/** Visitors before the first look, as a share of all: code is compiled, and pools have the size that they keep. */
const WARM_SHARE = 0.2;
const MOST_WARM = 2_000;
/** How long what is kept for a while may be kept: buckets until they are full, channels and presence for their clients to come back. */
const FORGET_MS = 60_000;
/** Time between two looks at the heap, and how many in a row must find no less than this share of those before. */
const LOOK_MS = 1_000;
const SAME_LOOKS = 3;
const SAME_SHARE = 0.01;
/** How long the heap is looked at, at least and at most: Bun gives much of it back only after some seconds. */
const SETTLE_MS = { least: 10_000, most: 60_000 };

/** What the server has, with nobody there. */
export interface Remains {
  /** `causeway_gateway_kept`, by what; all are 0 when nothing is left. */
  kept: Record<string, number>;
  connections: number;
  channels: number;
  presence: number;
  handshakes: number;
  /** File descriptors. */
  files: number;
  rssMiB: number;
  heap: Heap;
}

/** One kind of visitors. */
export interface ChurnKind {
  made: number;
  failed: number;
  errors: Errors;
  times: Times;
}

/** What came, and what is left. */
export interface ChurnRun {
  contestant: string;
  run: number;
  visits: number;
  seconds: number;
  kinds: Record<string, ChurnKind>;
  /** Clients that the server sent away since they read too slowly. */
  slowReaders: number;
  cpuSeconds: { server: number; load: number };
  before: Remains;
  after: Remains;
}

/** Visits to one of ours. The topic has presence, join and leave, so that they leave as many traces as they can. */
export async function measureChurn(
  stage: Stage,
  kind: Kind,
  options: { run: number; visits: number },
): Promise<ChurnRun> {
  const contestant = announce('churn', kind, options.run);
  const folder = temporaryFolder('churn');
  const heapFile = join(folder, 'heap.json');
  const group: Group = {
    config: (config) => {
      for (const { channels } of config.kafka.topics)
        Object.assign(channels, { presence: true, joinLeave: true });
    },
    flags: (runtime) => [runtime === 'node' ? '--import' : '--preload', probe],
    env: { HEAP_PROBE: heapFile },
  };
  try {
    const result = await withRig(stage, kind, (rig) => churn(stage, rig, heapFile, options.visits), group);
    const { before, after } = result;
    console.error(
      `  ${options.visits} visits in ${result.seconds.toFixed(0)} s; heap ${mib(before)} MiB before, ${mib(after)} after; ` +
        `files ${before.files} and ${after.files}; kept ${JSON.stringify(after.kept)}`,
    );
    return { contestant, run: options.run, ...result };
  } finally {
    removeFolder(folder);
  }
}

const probe = join(import.meta.dirname, 'heap-probe.ts');
const mib = ({ heap }: Remains): string => (heap.bytes / 2 ** 20).toFixed(2);

async function churn(
  stage: Stage,
  rig: Rig,
  heapFile: string,
  visits: number,
): Promise<Omit<ChurnRun, 'contestant' | 'run'>> {
  // One that can sign: each visitor is a user of its own.
  const load = await Load.start(stage);
  try {
    const { address } = rig.contestant;
    const warm = Math.min(MOST_WARM, Math.ceil(visits * WARM_SHARE));
    await load.run('visits', { address, first: 0, count: warm, ...VISIT });
    const before = await remains(rig, heapFile);
    const [cpu, slow] = [usageOf(rig.pid).cpuSeconds, await slowReaders(rig)];
    const batches: Measured<Visited>[] = [];
    for (let first = warm; first < warm + visits; first += BATCH) {
      const count = Math.min(BATCH, warm + visits - first);
      batches.push(await load.run('visits', { address, first, count, ...VISIT }));
    }
    const server = usageOf(rig.pid).cpuSeconds - cpu;
    const after = await remains(rig, heapFile);
    return {
      visits,
      seconds: batches.reduce((sum, { result }) => sum + result.seconds, 0),
      kinds: together(batches.map(({ result }) => result)),
      slowReaders: (await slowReaders(rig)) - slow,
      cpuSeconds: { server, load: batches.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0) },
      before,
      after,
    };
  } finally {
    await load.stop();
  }
}

/** All batches by kind. */
function together(batches: readonly Visited[]): Record<string, ChurnKind> {
  const kinds = Map.groupBy(
    batches.flatMap((batch) => Object.entries(batch.kinds)),
    ([name]) => name,
  );
  const sums = [...kinds].map(([name, parts]): [string, ChurnKind] => {
    const all = parts.map(([, opened]) => opened);
    const errors: Errors = {};
    for (const [text, count] of all.flatMap((one) => Object.entries(one.errors))) {
      errors[text] = (errors[text] ?? 0) + count;
    }
    return [
      name,
      {
        made: all.reduce((sum, { made }) => sum + made, 0),
        failed: all.reduce((sum, one) => sum + one.failed, 0),
        errors,
        times: timesOf(all.flatMap(({ times }) => times).toSorted(([a], [b]) => a - b)),
      },
    ];
  });
  return Object.fromEntries(sums);
}

async function slowReaders({ contestant }: Rig): Promise<number> {
  return (await metricsOf(contestant)).sum('causeway_gateway_drops_total', { reason: 'slow_reader' });
}

/** What is there when all that is kept for a while had time to be forgotten. */
async function remains(rig: Rig, heapFile: string): Promise<Remains> {
  await waitFor('nothing kept', async () => isNothing(await counts(rig)), {
    timeoutMs: FORGET_MS,
    intervalMs: 500,
  }).catch(() => undefined); // What is left is what this tells.
  const heap = await settledHeap(rig.pid, heapFile);
  return {
    ...(await counts(rig)),
    files: readdirSync(`/proc/${rig.pid}/fd`).length,
    rssMiB: usageOf(rig.pid).rssMiB,
    heap,
  };
}

type Counts = Omit<Remains, 'files' | 'rssMiB' | 'heap'>;

async function counts({ contestant }: Rig): Promise<Counts> {
  const metrics = await metricsOf(contestant);
  return {
    kept: metrics.by('causeway_gateway_kept', 'what'),
    connections: metrics.sum('causeway_gateway_connections'),
    channels: metrics.sum('causeway_gateway_channels'),
    presence: metrics.sum('causeway_gateway_presence_entries'),
    handshakes: metrics.sum('causeway_gateway_handshakes_in_flight'),
  };
}

/** Whether the server says that it keeps nothing for clients. */
export function isNothing({ kept, connections, channels, presence, handshakes }: Counts): boolean {
  const all = [...Object.values(kept), connections, channels, presence, handshakes];
  return all.every((count) => count === 0);
}

/**
 * Looks at the heap until it shrinks no more: timers of answers that came long ago hold what they are about for up to
 * half a minute.
 */
async function settledHeap(pid: number, heapFile: string): Promise<Heap> {
  const looks: Heap[] = [];
  const began = performance.now();
  let elapsed = 0;
  while (elapsed < SETTLE_MS.least || (!isSettled(looks) && elapsed < SETTLE_MS.most)) {
    looks.push(await look(pid, heapFile));
    await delay(LOOK_MS);
    elapsed = performance.now() - began;
  }
  return looks.reduce((least, heap) => (heap.bytes < least.bytes ? heap : least));
}

/** Whether the last looks found no less than those before. */
function isSettled(looks: readonly Heap[]): boolean {
  const last = looks.slice(-SAME_LOOKS).map(({ bytes }) => bytes);
  const earlier = looks.slice(0, -SAME_LOOKS).map(({ bytes }) => bytes);
  return earlier.length > 0 && Math.min(...last) > Math.min(...earlier) * (1 - SAME_SHARE);
}

/** Asks the probe in the process. */
async function look(pid: number, heapFile: string): Promise<Heap> {
  rmSync(heapFile, { force: true });
  process.kill(pid, 'SIGUSR2');
  return waitFor('a look at the heap', () => JSON.parse(readFileSync(heapFile, 'utf8')) as Heap);
}

/** Bytes of heap that each visit has left, on average; less than 0 if there is less than before. */
export function heapPerVisit({ before, after, visits }: ChurnRun): number {
  return (after.heap.bytes - before.heap.bytes) / visits;
}
