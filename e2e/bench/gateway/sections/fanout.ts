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
      ...[...Map.groupBy(all.filter(isOurs), ({ contestant }) => contestant).values()].flatMap((ours) =>
        shortfalls(ours, all),
      ),
    ],
  };
}

/** One rate of ours beside Centrifuge's. */
interface Beside {
  perSecond: number;
  factor: number;
  p99: number;
  theirP99: number;
}

/** What falls short, over all rates that Centrifuge kept up with. */
function shortfalls(rates: readonly Row[], all: readonly Row[]): string[] {
  const [{ contestant } = { contestant: '' }] = rates;
  const compared = rates.flatMap((row) => {
    const peer = all.find((one) => isCentrifuge(one) && one.perSecond === row.perSecond);
    return peer?.rates.every(({ keptUp }) => keptUp) ? [{ row, peer }] : [];
  });
  const behind = compared.filter(({ row }) => !row.rates.every(({ keptUp }) => keptUp));
  const beside = compared.filter((pair) => !behind.includes(pair)).map(({ row, peer }) => compare(row, peer));
  const [fewer, later] = [
    beside.filter(({ factor }) => factor < TARGET),
    beside.filter(({ p99, theirP99 }) => p99 > theirP99),
  ];
  const at = (some: readonly { perSecond: number }[]): string =>
    some.map(({ perSecond }) => shown(perSecond)).join('/');
  const what = `Gateway fan-out, ${contestant}, at`;
  return [
    ...behind.map(
      ({ row }) => `${what} ${shown(row.perSecond)} a second: does not keep up, Centrifuge does.`,
    ),
    ...(fewer.length === 0
      ? []
      : [
          `${what} ${at(fewer)} a second: ${fewer.map(({ factor }) => shown(factor)).join('/')} times Centrifuge's deliveries for a CPU second of the server, the target is ${TARGET}.`,
        ]),
    ...(later.length === 0
      ? []
      : [
          `${what} ${at(later)} a second: P99 ${later.map(({ p99 }) => shown(p99)).join('/')} ms, Centrifuge ${later.map(({ theirP99 }) => shown(theirP99)).join('/')} ms; ours includes Kafka.`,
        ]),
  ];
}

function compare(row: Row, peer: Row): Beside {
  const p99 = ({ rates }: Row): number => median(rates.map(({ delivery }) => delivery.p99));
  const factor = median(row.rates.map(own)) / median(peer.rates.map(own));
  return { perSecond: row.perSecond, factor, p99: p99(row), theirP99: p99(peer) };
}
