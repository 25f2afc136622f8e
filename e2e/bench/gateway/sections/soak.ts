/** Says what was measured of soaks. */
import { markdownTable, shown, spread } from '../../common/markdown.ts';
import type { Section } from '../../common/section.ts';
import { median } from '../../replication/report.ts';
import type { SoakRun } from '../soak.ts';
import { grouped, howMeasured, isOurs, notMeasured, type GatewayResult, type Group } from './result.ts';

/** How much memory may have grown since the first minute. */
const MOST_GROWTH = 0.05;
/** Descriptors that may be open besides those of before: an idle server opens one to Kafka or Redis now and then. */
const SPARE_FILES = 5;

const growth = ({ early, late }: SoakRun): number => late.rssMiB / early.rssMiB - 1;

/** The section of the page. */
export function soakSection(result: GatewayResult<SoakRun>): Section {
  const { setting, runs } = result;
  const groups = grouped(runs);
  const row = (what: string, pick: (run: SoakRun) => number): string[] => [
    what,
    ...groups.map(({ runs: some }) => spread(some.map(pick))),
  ];
  const seconds = Number(setting['seconds']);
  const body = `${shown(Number(setting['perSecond']))} connections a second for ${shown(seconds)} s, each of which connects, subscribes, publishes three messages of 256 bytes, gets them and leaves;
memory and descriptors looked at every second. Early is after ${shown(Math.min(60, seconds / 10))} s, late at the end, each the median of ten looks.
${howMeasured(result, 'gateway-soak')}

${markdownTable([
  ['', ...groups.map(({ contestant }) => contestant)],
  row('visits', ({ visits }) => visits),
  row('failed', ({ failed }) => failed),
  row('a visit, P50, ms', ({ times }) => times.p50),
  row('a visit, P99, ms', ({ times }) => times.p99),
  row('memory before, MiB', ({ before }) => before.rssMiB),
  row('memory early, MiB', ({ early }) => early.rssMiB),
  row('memory late, MiB', ({ late }) => late.rssMiB),
  row('growth, %', (run) => growth(run) * 100),
  row('descriptors before', ({ before }) => before.files),
  row('descriptors when all have gone', ({ after }) => after.files),
  row('connections open when all have gone', ({ open }) => open),
  row('server CPU for each visit, ms', ({ cpuSeconds, visits }) => (cpuSeconds.server / visits) * 1000),
  row('load CPU, s', ({ cpuSeconds }) => cpuSeconds.load),
])}`;
  return {
    title: 'Gateway: soak with churn',
    command: 'node e2e/bench/main.ts gateway-soak',
    machine: setting.machine,
    body,
    shortfalls: [...notMeasured(result, 'Gateway soak'), ...groups.filter(isOurs).flatMap(shortfalls)],
  };
}

function shortfalls({ contestant, runs }: Group<SoakRun>): string[] {
  const grown = median(runs.map(growth));
  const failed = runs.reduce((sum, run) => sum + run.failed, 0);
  const open = Math.max(...runs.map((run) => run.open));
  const files = Math.max(...runs.map(({ before, after }) => after.files - before.files));
  const missing = runs.reduce((sum, run) => sum + run.seconds * run.perSecond - run.visits - run.failed, 0);
  const checks: [boolean, string][] = [
    [grown > MOST_GROWTH, `memory grew by ${shown(grown * 100)} % after the first minute, the target is 5 %`],
    [failed > 0, `${shown(failed)} visits failed`],
    [missing > 0, `${shown(missing)} visits fewer than were to be made: it did not keep up`],
    [open > 0, `${shown(open)} connections were open when all had gone`],
    [files > SPARE_FILES, `${shown(files)} more descriptors than before`],
  ];
  return checks.flatMap(([falls, text]) => (falls ? [`Gateway soak, ${contestant}: ${text}.`] : []));
}
