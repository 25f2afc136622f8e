/** Says what was measured of reconnect storms. */
import { markdownTable, shown, spread } from '../../common/markdown.ts';
import type { Section } from '../../common/section.ts';
import { median } from '../../replication/report.ts';
import type { StormRun } from '../storm.ts';
import {
  grouped,
  howMeasured,
  isCentrifuge,
  isOurs,
  notMeasured,
  type GatewayResult,
  type Group,
} from './result.ts';

/** From when the server was ready again. */
const afterRestart = ({ seconds, restartSeconds }: StormRun): number => seconds - restartSeconds;
const total = (runs: readonly StormRun[], pick: (run: StormRun) => number): number =>
  runs.reduce((sum, run) => sum + pick(run), 0);

/** The section of the page. */
export function stormSection(result: GatewayResult<StormRun>): Section {
  const { setting, runs } = result;
  const groups = grouped(runs);
  const body = `${shown(Number(setting['clients']))} clients of one server, spread over ${shown(Number(setting['channels']))} channels, lose it by SIGKILL at once; it is started again right away. They come
back with exponential backoff and full jitter (0.1 to 2 s) and ask for what they missed, while ${shown(Number(setting['perSecond']))} publications a second go
on by a second server. A checker compares what each client received with what was acknowledged. Plain \`ws\` keeps
nothing to recover and has no part. ${howMeasured(result, 'gateway-storm')}

${markdownTable([
  ['', ...groups.map(({ contestant }) => contestant)],
  row('clients back', ({ back }) => back, groups),
  row('s from the loss until all were back and recovered', ({ seconds }) => seconds, groups),
  row('s of it until the server was ready again', ({ restartSeconds }) => restartSeconds, groups),
  row('s from then on', afterRestart, groups),
  row('away P50, ms', ({ times }) => times.p50, groups),
  row('away P99, ms', ({ times }) => times.p99, groups),
  row('attempts', ({ attempts }) => attempts, groups),
  row('answers that it can not be recovered', ({ unrecovered }) => unrecovered, groups),
  row('publications acknowledged', ({ published }) => published, groups),
  row('publications refused', ({ refused }) => refused, groups),
  row('messages received', ({ faults }) => faults.received, groups),
  row('lost', ({ faults }) => faults.lost, groups),
  row('doubled', ({ faults }) => faults.doubled, groups),
  row('out of order', ({ faults }) => faults.outOfOrder, groups),
  row('server CPU from its start, s', ({ serverCpuSeconds }) => serverCpuSeconds, groups),
  row('load CPU, s', ({ loadCpuSeconds }) => loadCpuSeconds, groups),
])}`;
  return {
    title: 'Gateway: reconnect storm',
    command: 'node e2e/bench/main.ts gateway-storm',
    machine: setting.machine,
    body,
    shortfalls: [
      ...notMeasured(result, 'Reconnect storm'),
      ...groups.filter(isOurs).flatMap((group) => shortfalls(group, groups.find(isCentrifuge))),
    ],
  };
}

function row(what: string, pick: (run: StormRun) => number, groups: readonly Group<StormRun>[]): string[] {
  return [what, ...groups.map(({ runs }) => spread(runs.map(pick)))];
}

function shortfalls({ contestant, runs }: Group<StormRun>, peer: Group<StormRun> | undefined): string[] {
  const what = `Reconnect storm, ${contestant}`;
  const away = total(runs, ({ clients, back }) => clients - back);
  const [lost, doubled] = [
    total(runs, ({ faults }) => faults.lost),
    total(runs, ({ faults }) => faults.doubled),
  ];
  const disordered = total(runs, ({ faults }) => faults.outOfOrder);
  const unrecovered = total(runs, (run) => run.unrecovered);
  const ours = median(runs.map(({ seconds }) => seconds));
  const theirs = median(peer?.runs.map(({ seconds }) => seconds) ?? []);
  const checks: [boolean, string][] = [
    [away > 0, `${shown(away)} clients did not come back`],
    [lost > 0, `${shown(lost)} messages lost`],
    [doubled > 0, `${shown(doubled)} messages doubled`],
    [disordered > 0, `${shown(disordered)} messages out of order`],
    [unrecovered > 0, `${shown(unrecovered)} clients were told that what they missed is gone`],
    [ours > theirs, `${shown(ours)} s until all were back, Centrifuge ${shown(theirs)} s`],
  ];
  return checks.flatMap(([falls, text]) => (falls ? [`${what}: ${text}.`] : []));
}
