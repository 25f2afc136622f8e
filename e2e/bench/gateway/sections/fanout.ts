/** Says what was measured of fan-out. */
import { markdownTable, shown, spread } from '../../common/markdown.ts';
import type { Section } from '../../common/section.ts';
import { median } from '../../replication/report.ts';
import type { FanoutRate, FanoutRun } from '../fanout.ts';
import {
  disturbance,
  grouped,
  howMeasured,
  isCentrifuge,
  isOurs,
  notMeasured,
  type GatewayResult,
} from './result.ts';

/** How many times Centrifuge's deliveries for a CPU second ours must be. */
const TARGET = 2;

interface Row {
  contestant: string;
  perSecond: number;
  rates: FanoutRate[];
}

function rows(runs: readonly FanoutRun[]): Row[] {
  const all = runs.flatMap(({ contestant, rates }) => rates.map((rate) => ({ contestant, rate })));
  return grouped(all, ({ rate }) => String(rate.perSecond)).map(({ contestant, key, runs: members }) => ({
    contestant,
    perSecond: Number(key),
    rates: members.map(({ rate }) => rate),
  }));
}

const own = ({ deliveries, cpu }: FanoutRate): number => deliveries / cpu.server;
const whole = ({ deliveries, cpu }: FanoutRate): number => deliveries / (cpu.server + cpu.backends);

/** The section of the page. */
export function fanoutSection(result: GatewayResult<FanoutRun>): Section {
  const { setting, runs } = result;
  const all = rows(runs).toSorted((a, b) => a.perSecond - b.perSecond);
  const body = `${shown(Number(setting['subscribers']))} subscribers of one channel, messages of ${shown(Number(setting['bytes']))} bytes, ${shown(Number(setting['seconds']))} s at each rate, evenly and whether or not answers
come; times are from when a message was due until a subscriber has it. A contestant's rates end with the first that it
does not keep up with: something is refused or missing, P99 is over a second, or the last comes more than a second late.
CPU of the server alone, and with the processes behind it. ${howMeasured(result, 'gateway-fanout')}${disturbance(runs.flatMap(({ rates }) => rates.map(({ cpu }) => cpu)))}

${markdownTable([
  [
    'publications a second',
    'deliveries/s',
    'deliveries for a CPU s of the server',
    'with Redis and Kafka',
    'P50, ms',
    'P99, ms',
    'server CPU, s',
    'load CPU, s',
  ],
  ...all.map(({ contestant, perSecond, rates }) => [
    `${shown(perSecond)}, ${contestant}${rates.every(({ keptUp }) => keptUp) ? '' : ' (too much)'}`,
    spread(rates.map(({ deliveries, seconds }) => deliveries / seconds)),
    spread(rates.map(own)),
    spread(rates.map(whole)),
    spread(rates.map(({ delivery }) => delivery.p50)),
    spread(rates.map(({ delivery }) => delivery.p99)),
    spread(rates.map(({ cpu }) => cpu.server)),
    spread(rates.map(({ cpu }) => cpu.load)),
  ]),
])}`;
  return {
    title: 'Gateway: fan-out',
    command: 'node e2e/bench/main.ts gateway-fanout',
    machine: setting.machine,
    body,
    shortfalls: [
      ...notMeasured(result, 'Gateway fan-out'),
      ...all.filter(isOurs).flatMap((row) => shortfalls(row, all)),
    ],
  };
}

/** Compared at the rates that both kept up with. */
function shortfalls({ contestant, perSecond, rates }: Row, all: readonly Row[]): string[] {
  const peer = all.find((row) => isCentrifuge(row) && row.perSecond === perSecond);
  if (!peer?.rates.every(({ keptUp }) => keptUp)) return [];
  const what = `Gateway fan-out at ${shown(perSecond)}/s, ${contestant}`;
  if (!rates.every(({ keptUp }) => keptUp)) return [`${what}: does not keep up, Centrifuge does.`];
  const factor = median(rates.map(own)) / median(peer.rates.map(own));
  const [ours, theirs] = [rates, peer.rates].map((some) => median(some.map(({ delivery }) => delivery.p99)));
  const checks: [boolean, string][] = [
    [
      factor < TARGET,
      `${shown(factor)} times Centrifuge's deliveries for a CPU second of the server, the target is ${TARGET}`,
    ],
    [
      (ours ?? 0) > (theirs ?? 0),
      `P99 ${shown(ours ?? Number.NaN)} ms, Centrifuge ${shown(theirs ?? Number.NaN)} ms; ours includes Kafka`,
    ],
  ];
  return checks.flatMap(([falls, text]) => (falls ? [`${what}: ${text}.`] : []));
}
