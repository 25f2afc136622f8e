/** Says what was measured of throughput. */
import { markdownTable, shown, spread } from '../../common/markdown.ts';
import type { Section } from '../../common/section.ts';
import { median } from '../../replication/report.ts';
import type { ThroughputRun, ThroughputShare } from '../throughput.ts';
import {
  disturbance,
  grouped,
  howMeasured,
  isCentrifuge,
  isOurs,
  notMeasured,
  type GatewayResult,
  type Group,
} from './result.ts';

/** The section of the page. */
export function throughputSection(result: GatewayResult<ThroughputRun>): Section {
  const { setting, runs } = result;
  const groups = grouped(runs);
  const percents = [...new Set(runs.flatMap(({ shares }) => shares.map(({ percent }) => percent)))];
  const body = `${shown(Number(setting['connections']))} connections, each publishing messages of ${shown(Number(setting['bytes']))} bytes to a channel of its own, evenly and whether or not answers come; times are from
when a message was due. What it can do: the highest rate at which for ${shown(Number(setting['trialSeconds']))} s nothing is refused or missing, P99 of delivery is
below a second and nothing comes more than a second late; found to within 10 %. Then ${shown(Number(setting['seconds']))} s at 10, 50 and 90 % of it.
${howMeasured(result, 'gateway-throughput')}${disturbance(runs.flatMap(({ shares }) => shares.map(({ cpu }) => cpu)))}

${markdownTable([
  ['', 'it can do, /s', ...percents.flatMap(headOf)],
  ...groups.map(({ contestant, runs: some }) => [
    contestant,
    spread(some.map(({ saturation }) => saturation)),
    ...percents.flatMap((percent) => {
      const of = (pick: (share: ThroughputShare) => number): string => spread(picked(some, percent, pick));
      return [
        `${of(({ acknowledgement }) => acknowledgement.p50)} / ${of(({ acknowledgement }) => acknowledgement.p99)}`,
        `${of(({ delivery }) => delivery.p50)} / ${of(({ delivery }) => delivery.p99)}`,
        of(({ cpu, seconds }) => ((cpu.server + cpu.backends) / seconds) * 100),
      ];
    }),
  ]),
])}

CPU is of the server and the processes behind it, in percent of one core. CPU seconds of server, backends and load
generator at 90 %: ${groups.map((group) => cpuText(group)).join('; ')}.`;
  return {
    title: 'Gateway: from publish to acknowledgement and delivery',
    command: 'node e2e/bench/main.ts gateway-throughput',
    machine: setting.machine,
    body,
    shortfalls: [
      ...notMeasured(result, 'Gateway throughput'),
      ...groups.filter(isOurs).flatMap((group) => shortfalls(group, groups.find(isCentrifuge))),
    ],
  };
}

function headOf(percent: number): string[] {
  return [`at ${percent} %: ack P50 / P99, ms`, 'delivered P50 / P99, ms', 'CPU, %'];
}

function picked(
  runs: readonly ThroughputRun[],
  percent: number,
  pick: (share: ThroughputShare) => number,
): number[] {
  return runs.flatMap(({ shares }) => shares.filter((share) => share.percent === percent).map(pick));
}

function cpuText({ contestant, runs }: Group<ThroughputRun>): string {
  const of = (who: 'server' | 'backends' | 'load'): string =>
    shown(median(picked(runs, 90, ({ cpu }) => cpu[who])));
  return `${contestant} ${of('server')}, ${of('backends')}, ${of('load')}`;
}

function shortfalls(
  { contestant, runs }: Group<ThroughputRun>,
  peer: Group<ThroughputRun> | undefined,
): string[] {
  const what = `Gateway throughput, ${contestant}`;
  const ours = median(runs.map(({ saturation }) => saturation));
  const theirs = median(peer?.runs.map(({ saturation }) => saturation) ?? []);
  const faults = runs.flatMap(({ shares }) =>
    shares
      .filter(({ failed, skipped, missing }) => failed > 0 || skipped > 0 || missing !== 0)
      .map(
        ({ percent, failed, skipped, missing }) =>
          `${what} at ${percent} %: ${failed} refused, ${skipped} not sent, ${missing} acknowledged and not delivered.`,
      ),
  );
  const behind = `${what}: ${shown(ours)}/s, Centrifuge ${shown(theirs)}/s; ours includes Kafka.`;
  return [...(ours < theirs ? [behind] : []), ...faults];
}
