/** Hundreds of connections a second storm in, most of them good for nothing: what clients notice who are in. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Contestant, Group, Kind, Stage } from './contestants.ts';
import { timesOf, type Times } from './figures.ts';
import { Load, type Errors, type Flooded, type Published } from './load.ts';
import { announce, connect, metricsOf, withCpu, withRig, type Cpu, type Rig } from './rig.ts';

/** Who is in: subscribers of some channels, and who publishes to them. */
const CLIENTS = { count: 200, perChannel: 10, channel: 'chat:in-%d' };
const MESSAGES = { perSecond: 100, bytes: 128 };
const WARM_SECONDS = 3;
/** Time that a connection has to prove who it is: as long as silent ones stay. */
const CONNECT_TIMEOUT_MS = 5_000;
/** Connections of the flood that may be open at once. */
const MOST_OPEN = 10_000;
const LOOK_MS = 500;

/** Messages among those who are in, for some seconds. */
export interface FloodPhase {
  /** before, during or after the flood. */
  phase: 'before' | 'during' | 'after';
  sent: number;
  failed: number;
  expected: number;
  deliveries: number;
  /** From publish to acknowledgement, and to delivery. */
  acknowledged: Times;
  delivered: Times;
  cpu: Cpu;
}

/** Connections of one kind. */
export interface FloodKind {
  /** Served, or sent away, as they should be. */
  made: number;
  failed: number;
  errors: Errors;
  times: Times;
}

/** One rate of arrivals. */
export interface FloodRun {
  contestant: string;
  run: number;
  /** Arrivals a second that were due, and that were made. */
  perSecond: number;
  arrived: number;
  seconds: number;
  phases: FloodPhase[];
  kinds: Record<string, FloodKind>;
  /** Handshakes that ended so, by the server's count. */
  handshakes: Record<string, number>;
  /** The most that were seen under way at once. */
  mostUnderWay: number;
  /** Clients that were in and were not any more at the end. */
  lost: number;
}

/** Options of the benchmark. */
export interface FloodOptions {
  run: number;
  /** Arrivals a second. */
  rates: readonly number[];
  seconds: number;
}

/** Each rate with a server of its own: what an earlier flood left behind must not count. */
export async function measureFlood(stage: Stage, kind: Kind, options: FloodOptions): Promise<FloodRun[]> {
  const runs: FloodRun[] = [];
  for (const perSecond of options.rates) {
    const contestant = announce(`flood, ${perSecond}/s`, kind, options.run);
    const result = await withRig(
      stage,
      kind,
      (rig) => measure(stage, rig, perSecond, options.seconds),
      GROUP,
    );
    runs.push({ contestant, run: options.run, ...result });
    const [before, during] = result.phases.map(({ delivered }) => delivered);
    console.error(
      `  delivered P50 ${ms(before?.p50)} P99 ${ms(before?.p99)} before, ${ms(during?.p50)} and ${ms(during?.p99)} during; ` +
        `${result.mostUnderWay} handshakes under way, ${JSON.stringify(result.handshakes)}, ${result.lost} lost`,
    );
  }
  return runs;
}

const GROUP: Group = { config: (config) => (config.connectTimeoutMs = CONNECT_TIMEOUT_MS) };
const ms = (value = Number.NaN): string => `${value.toFixed(1)} ms`;

async function measure(
  stage: Stage,
  rig: Rig,
  perSecond: number,
  seconds: number,
): Promise<Omit<FloodRun, 'contestant' | 'run'>> {
  const { load, contestant } = rig;
  const { address } = contestant;
  await connect(load, { group: 'in', address, ...CLIENTS });
  await load.run('publish', { group: 'in', ...MESSAGES, seconds: WARM_SECONDS });
  const talk = (phase: FloodPhase['phase']): Promise<FloodPhase> => talkOf(rig, phase, seconds);
  const before = await talk('before');
  const first = await handshakes(contestant);
  const storm = await Load.start(stage);
  try {
    const watching = new AbortController();
    const most = mostUnderWay(contestant, watching.signal);
    // It ends when the last of its connections has been sent away: later than the messages.
    const flooding = storm.run('flood', { address, perSecond, seconds, concurrency: MOST_OPEN });
    const during = await talk('during').finally(() => watching.abort());
    const { result } = await flooding;
    const last = await handshakes(contestant);
    const after = await talk('after');
    const closed = await load.run('close', { group: 'in' });
    return {
      perSecond,
      arrived: Object.values(result.kinds).reduce((sum, { made, failed }) => sum + made + failed, 0),
      seconds,
      phases: [before, during, after],
      kinds: kindsOf(result),
      handshakes: Object.fromEntries(
        Object.entries(last).map(([outcome, count]) => [outcome, count - (first[outcome] ?? 0)]),
      ),
      mostUnderWay: await most,
      lost: closed.result.ended,
    };
  } finally {
    await storm.stop();
  }
}

async function talkOf(rig: Rig, phase: FloodPhase['phase'], seconds: number): Promise<FloodPhase> {
  const { cpu, result } = await withCpu(rig, () =>
    rig.load.run('publish', { group: 'in', ...MESSAGES, seconds }),
  );
  const { sent, failed, expected, deliveries, ackTimes, pushTimes }: Published = result;
  const times = { acknowledged: timesOf(ackTimes), delivered: timesOf(pushTimes) };
  return { phase, sent, failed, expected, deliveries, ...times, cpu };
}

function kindsOf({ kinds }: Flooded): Record<string, FloodKind> {
  const entries = Object.entries(kinds).map(([name, { made, failed, errors, times }]) => [
    name,
    { made, failed, errors, times: timesOf(times) },
  ]);
  return Object.fromEntries(entries) as Record<string, FloodKind>;
}

async function handshakes(contestant: Contestant): Promise<Record<string, number>> {
  return (await metricsOf(contestant)).by('causeway_gateway_handshakes_total', 'outcome');
}

async function mostUnderWay(contestant: Contestant, signal: AbortSignal): Promise<number> {
  let most = 0;
  while (!signal.aborted) {
    const metrics = await metricsOf(contestant);
    most = Math.max(most, metrics.sum('causeway_gateway_handshakes_in_flight'));
    await delay(LOOK_MS);
  }
  return most;
}
