/** What a server can take, and how long publish, acknowledgement and delivery take at shares of it. */
import type { Kind, Stage } from './contestants.ts';
import { highestKept, nextRate, timesOf, type Times, type Trial } from './figures.ts';
import { keptUp } from './kept-up.ts';
import { announce, connect, withCpu, withRig, type Cpu, type Rig } from './rig.ts';

/** Shares of what it can do, percent. */
const SHARES = [10, 50, 90] as const;
/** Seconds at the first rate before the search, which do not count: code is compiled meanwhile. */
const WARM_UP_SECONDS = 5;

/** One share of the saturation rate. */
export interface ThroughputShare {
  percent: number;
  perSecond: number;
  sent: number;
  failed: number;
  skipped: number;
  /** Acknowledged publications that were not delivered, or more deliveries than that: negative. */
  missing: number;
  acknowledgement: Times;
  delivery: Times;
  cpu: Cpu;
  seconds: number;
}

/** One contestant. */
export interface ThroughputRun {
  contestant: string;
  run: number;
  /** Publications a second, each delivered once; the highest rate that was kept up with. */
  saturation: number;
  trials: Trial[];
  shares: ThroughputShare[];
}

export interface ThroughputOptions {
  run: number;
  connections: number;
  bytes: number;
  seconds: number;
  trialSeconds: number;
  first: number;
  most: number;
}

/** Finds the saturation rate, then measures at 10, 50 and 90 % of it. */
export async function measureThroughput(
  stage: Stage,
  kind: Kind,
  options: ThroughputOptions,
): Promise<ThroughputRun> {
  const contestant = announce('throughput', kind, options.run);
  return withRig(stage, kind, async (rig) => {
    const { load } = rig;
    const { address } = rig.contestant;
    await connect(load, { group: 'all', address, count: options.connections, channel: 'chat:t-%d' });
    const { bytes, first } = options;
    await load.run('publish', { group: 'all', bytes, perSecond: first, seconds: WARM_UP_SECONDS });
    const trials = await search(rig, options);
    const saturation = highestKept(trials);
    console.error(`  saturated at ${saturation}/s`);
    const shares: ThroughputShare[] = [];
    for (const percent of SHARES) {
      const perSecond = Math.floor((saturation * percent) / 100);
      if (perSecond > 0) shares.push(await share(rig, percent, perSecond, options));
    }
    return { contestant, run: options.run, saturation, trials, shares };
  });
}

async function search({ load }: Rig, options: ThroughputOptions): Promise<Trial[]> {
  const { first, most, bytes, trialSeconds: seconds } = options;
  const trials: Trial[] = [];
  for (;;) {
    const perSecond = nextRate(trials, first, most);
    if (perSecond === undefined) return trials;
    const { result } = await load.run('publish', { group: 'all', bytes, perSecond, seconds });
    const kept = keptUp(result);
    const { p50, p99 } = timesOf(result.pushTimes);
    console.error(
      `  ${perSecond}/s ${kept ? 'is kept up with' : 'is too much'}: P50 ${p50.toFixed(1)} P99 ${p99.toFixed(1)} ms`,
    );
    trials.push({ perSecond, keptUp: kept });
  }
}

async function share(
  rig: Rig,
  percent: number,
  perSecond: number,
  { bytes, seconds }: ThroughputOptions,
): Promise<ThroughputShare> {
  const order = { group: 'all', bytes, perSecond, seconds };
  const { cpu, result } = await withCpu(rig, () => rig.load.run('publish', order));
  const { sent, failed, skipped, expected, deliveries, ackTimes, pushTimes } = result;
  const missing = expected - deliveries;
  const [acknowledgement, delivery] = [timesOf(ackTimes), timesOf(pushTimes)];
  console.error(
    `  ${percent} %, ${perSecond}/s: ack P50 ${acknowledgement.p50.toFixed(1)} P99 ${acknowledgement.p99.toFixed(1)}, ` +
      `delivered P50 ${delivery.p50.toFixed(1)} P99 ${delivery.p99.toFixed(1)} ms`,
  );
  return {
    percent,
    perSecond,
    sent,
    failed,
    skipped,
    missing,
    acknowledgement,
    delivery,
    cpu,
    seconds: result.seconds,
  };
}
