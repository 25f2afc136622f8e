/** Deliveries to many subscribers of one channel, at rising rates until the server does not keep up. */
import type { Kind, Stage } from './contestants.ts';
import { timesOf, type Times } from './figures.ts';
import { keptUp } from './kept-up.ts';
import { announce, connect, withCpu, withRig, type Cpu, type Rig } from './rig.ts';

const CHANNEL = 'chat:fan';
/** Connections that publish, none of them subscribed. */
const PUBLISHERS = 8;
/** Load before the first rate, which does not count. */
const WARM_UP = { perSecond: 10, seconds: 3 };

/** One rate. */
export interface FanoutRate {
  /** Publications a second. */
  perSecond: number;
  keptUp: boolean;
  deliveries: number;
  /** From the first publication to the last delivery. */
  seconds: number;
  cpu: Cpu;
  /** From publish to delivery, over all subscribers. */
  delivery: Times;
  failed: number;
}

/** One contestant's rates. */
export interface FanoutRun {
  contestant: string;
  run: number;
  rates: FanoutRate[];
}

export interface FanoutOptions {
  run: number;
  subscribers: number;
  rates: readonly number[];
  seconds: number;
  bytes: number;
}

/** Rates in rising order, up to the first that is too much. */
export async function measureFanout(stage: Stage, kind: Kind, options: FanoutOptions): Promise<FanoutRun> {
  const contestant = announce('fan-out', kind, options.run);
  const rates = await withRig(stage, kind, (rig) => measure(rig, options));
  return { contestant, run: options.run, rates };
}

async function measure(rig: Rig, options: FanoutOptions): Promise<FanoutRate[]> {
  const { load, contestant } = rig;
  const { address } = contestant;
  const count = options.subscribers;
  await connect(load, { group: 'subscribers', address, count, channel: CHANNEL });
  await connect(load, { group: 'publishers', address, count: PUBLISHERS });
  const order = { group: 'publishers', channel: CHANNEL, bytes: options.bytes };
  await load.run('publish', { ...order, ...WARM_UP });
  const rates: FanoutRate[] = [];
  for (const perSecond of options.rates) {
    const wanted = { ...order, perSecond, seconds: options.seconds };
    const { cpu, result } = await withCpu(rig, () => load.run('publish', wanted));
    const { deliveries, seconds, failed, pushTimes } = result;
    const kept = keptUp(result);
    rates.push({ perSecond, keptUp: kept, deliveries, seconds, cpu, delivery: timesOf(pushTimes), failed });
    console.error(
      `  ${perSecond}/s: ${Math.round(deliveries / cpu.server)} deliveries for a CPU second, ` +
        `P50 ${timesOf(pushTimes).p50.toFixed(1)} P99 ${timesOf(pushTimes).p99.toFixed(1)} ms${kept ? '' : ', too much'}`,
    );
    if (!kept) break;
  }
  return rates;
}
