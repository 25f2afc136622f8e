/** Says what clients who are in notice of a flood of handshakes. */
import { markdownTable, shown, spread } from '../../common/markdown.ts';
import type { Section } from '../../common/section.ts';
import { median } from '../../replication/report.ts';
import type { FloodPhase, FloodRun } from '../flood.ts';
import { disturbance, grouped, notMeasured, type GatewayResult, type Group } from './result.ts';

/** Clients who are in may wait longer during a flood by this, milliseconds: `MAX_HANDSHAKES` in serve/gateway.ts promises it. */
const MOST_MORE_MS = 150;

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
const p99 = (run: FloodRun, phase: FloodPhase['phase']): number =>
  phaseOf(run, phase)?.delivered.p99 ?? Number.NaN;

function phaseOf({ phases }: FloodRun, name: FloodPhase['phase']): FloodPhase | undefined {
  return phases.find(({ phase }) => phase === name);
}

/** The section of the page. */
export function floodSection(result: GatewayResult<FloodRun>): Section {
  const { setting, runs } = result;
  const groups = grouped(runs, ({ perSecond }) => String(perSecond));
  const cells = ({ contestant, key, runs: some }: Group<FloodRun>): string[] => {
    const times = (phase: FloodPhase['phase'], pick: 'p50' | 'p99'): string =>
      spread(some.map((run) => phaseOf(run, phase)?.delivered[pick] ?? Number.NaN));
    const clients = some.flatMap(({ kinds }) => kinds['client'] ?? []);
    return [
      `${shown(Number(key))}/s, ${contestant}`,
      ...(['before', 'during', 'after'] as const).flatMap((phase) => [
        times(phase, 'p50'),
        times(phase, 'p99'),
      ]),
      spread(some.map(({ handshakes, seconds }) => (handshakes['ok'] ?? 0) / seconds)),
      spread(some.map(({ mostUnderWay }) => mostUnderWay)),
      spread(some.map(({ handshakes }) => handshakes['busy'] ?? 0)),
      `${shown(total(clients.map(({ made }) => made)))} of ${shown(total(clients.map(({ made, failed }) => made + failed)))}`,
      spread(some.map((run) => serverShare(run) * 100)),
    ];
  };
  const body = `200 clients are in, ten in a channel, and publish 100 messages of 128 bytes a second in all. For ${shown(Number(setting['seconds']))} s
newcomers storm in, each with a full TLS 1.3 handshake: half of them say nothing after it, a quarter are clients that
connect with a token and leave, an eighth send garbage instead of TLS and an eighth inside it. Times from when a message
was due until it was delivered, milliseconds, before, during and after the flood. The load generators are on the same
machine and take their part of its cores.${disturbance(runs.flatMap(({ phases }) => phases.filter(({ phase }) => phase !== 'during').map(({ cpu }) => cpu)))}
Raw numbers: [gateway-flood.json](../e2e/bench/results/gateway-flood.json).

${markdownTable([
  [
    'arrivals',
    'P50 before',
    'P99 before',
    'P50 during',
    'P99 during',
    'P50 after',
    'P99 after',
    'handshakes a second',
    'most under way',
    'refused as too many under way',
    'clients among the newcomers that were served',
    'of a core for the server, %',
  ],
  ...groups.map(cells),
])}`;
  return {
    title: 'Gateway: a flood of handshakes',
    command: 'node e2e/bench/main.ts gateway-flood',
    machine: setting.machine,
    body,
    shortfalls: [...notMeasured(result, 'Flood of handshakes'), ...groups.flatMap(shortfalls)],
  };
}

function serverShare(run: FloodRun): number {
  return (phaseOf(run, 'during')?.cpu.server ?? Number.NaN) / run.seconds;
}

function shortfalls({ contestant, key, runs }: Group<FloodRun>): string[] {
  const what = `Flood of handshakes, ${shown(Number(key))}/s, ${contestant}`;
  const more = median(runs.map((run) => p99(run, 'during') - p99(run, 'before')));
  const phases = runs.flatMap((run) => run.phases);
  const missing = total(phases.map(({ expected, deliveries }) => expected - deliveries));
  const [lost, failed] = [total(runs.map((run) => run.lost)), total(phases.map((phase) => phase.failed))];
  const kept = total(
    runs.flatMap(({ kinds }) => Object.values(kinds).map(({ errors }) => errors[KEPT] ?? 0)),
  );
  const checks: [boolean, string][] = [
    [
      more > MOST_MORE_MS,
      `P99 of those who are in grows by ${shown(more)} ms, the promise is ${MOST_MORE_MS}`,
    ],
    [lost > 0, `${shown(lost)} clients that were in lost their connection`],
    [missing > 0, `${shown(missing)} messages were not delivered`],
    [failed > 0, `${shown(failed)} publications were refused`],
    [kept > 0, `${shown(kept)} connections that said nothing were kept`],
  ];
  return checks.flatMap(([falls, text]) => (falls ? [`${what}: ${text}.`] : []));
}

/** What the load generator says of them. */
const KEPT = 'the server kept who said nothing';
