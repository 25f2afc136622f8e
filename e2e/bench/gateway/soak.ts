/** Connections that come, talk and go for minutes: what stays of them. */
import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { usageOf } from '../common/process-usage.ts';
import { median } from '../replication/report.ts';
import type { Kind, Stage } from './contestants.ts';
import { timesOf, type Times } from './figures.ts';
import { announce, cleared, withRig, type Rig } from './rig.ts';

const LOOK_MS = 1_000;
/** Visits that are under way at once, at most. */
const AT_ONCE = 256;
/** Channels that visitors use by turns. */
const CHANNELS = 500;
const TALK = { rounds: 3, bytes: 256 };

/** One look. */
export interface SoakSample {
  /** Since the churn began. */
  seconds: number;
  rssMiB: number;
  /** Open file descriptors. */
  files: number;
}

/** One contestant's minutes. */
export interface SoakRun {
  contestant: string;
  run: number;
  seconds: number;
  perSecond: number;
  visits: number;
  failed: number;
  errors: Record<string, number>;
  /** Of whole visits. */
  times: Times;
  before: SoakSample;
  /** After the first minute, or a tenth of the time where that is less, and at the end; medians of ten samples. */
  early: SoakSample;
  late: SoakSample;
  /** When all have gone. */
  after: SoakSample;
  /** TCP connections to the server that are open when all have gone. */
  open: number;
  cpuSeconds: { server: number; load: number };
  samples: SoakSample[];
}

export interface SoakOptions {
  run: number;
  seconds: number;
  perSecond: number;
}

export async function measureSoak(stage: Stage, kind: Kind, options: SoakOptions): Promise<SoakRun> {
  const contestant = announce('soak', kind, options.run);
  const result = await withRig(stage, kind, (rig) => soak(rig, options));
  const { early, late, open, failed, visits } = result;
  console.error(
    `  ${visits} visits, ${failed} failed; ${early.rssMiB.toFixed(1)} MiB early, ${late.rssMiB.toFixed(1)} late; ` +
      `files ${early.files} and ${late.files}, ${open} connections open at the end`,
  );
  return { contestant, run: options.run, ...result };
}

async function soak(
  { load, contestant, pid }: Rig,
  { seconds, perSecond }: SoakOptions,
): Promise<Omit<SoakRun, 'contestant' | 'run'>> {
  const samples: SoakSample[] = [];
  const began = performance.now();
  const look = (): SoakSample => ({
    seconds: (performance.now() - began) / 1000,
    rssMiB: usageOf(pid).rssMiB,
    files: readdirSync(`/proc/${pid}/fd`).length,
  });
  const before = look();
  const cpuBefore = usageOf(pid).cpuSeconds;
  const ended = new AbortController();
  const looking = watch(ended.signal, () => samples.push(look()));
  const { address } = contestant;
  const visitors = { channel: 'chat:soak-%d', channels: CHANNELS, concurrency: AT_ONCE };
  const churn = await load
    .run('churn', { address, perSecond, seconds, ...visitors, ...TALK })
    .finally(() => ended.abort());
  await looking;
  const server = usageOf(pid).cpuSeconds - cpuBefore;
  const open = await cleared(contestant.port);
  const { made, failed, errors, times } = churn.result;
  const early = around(samples, Math.min(60, seconds / 10));
  return {
    seconds,
    perSecond,
    visits: made,
    failed,
    errors,
    times: timesOf(times),
    before,
    early,
    late: around(samples, seconds),
    after: look(),
    open,
    cpuSeconds: { server, load: churn.cpuSeconds },
    samples,
  };
}

async function watch(signal: AbortSignal, look: () => void): Promise<void> {
  while (!signal.aborted) {
    look();
    await delay(LOOK_MS);
  }
}

/** Medians of the ten samples that are the last at or before `seconds`. */
function around(samples: readonly SoakSample[], seconds: number): SoakSample {
  const some = samples.filter((sample) => sample.seconds <= seconds).slice(-10);
  const of = (pick: (sample: SoakSample) => number): number => median(some.map(pick));
  return { seconds, rssMiB: of(({ rssMiB }) => rssMiB), files: of(({ files }) => files) };
}
