/** Says what was measured of memory. */
import { markdownTable, shown, spread } from '../../common/markdown.ts';
import type { Section } from '../../common/section.ts';
import { median } from '../../replication/report.ts';
import { fitLine, type Line } from '../figures.ts';
import type { MemoryRun } from '../memory.ts';
import { grouped, howMeasured, isCentrifuge, notMeasured, type GatewayResult, type Group } from './result.ts';

const KIB = 1024;
/** Targets of the gateway on Bun: KB (1,000 bytes) a connection, and the share of what Centrifuge needs. */
const MOST_KB = 12;
const MOST_SHARE = 1 / 3;
/** A curve that misses its line by more than this share of its height is not straight. */
const MOST_RESIDUAL = 0.05;

/** The line through one run's points: KB (1,000 bytes) for each connection, MiB without any. */
function lineOf(run: MemoryRun): Line {
  return fitLine(run.points.map(({ connections, rssMiB }) => ({ x: connections, y: rssMiB })));
}

function kbEach(run: MemoryRun): number {
  return (lineOf(run).slope * KIB * KIB) / 1000;
}

/** The section of the page. */
export function memorySection(result: GatewayResult<MemoryRun>): Section {
  const { setting, runs } = result;
  const groups = grouped(runs, ({ curve }) => curve);
  const levels = [...new Set(runs.flatMap(({ points }) => points.map(({ connections }) => connections)))];
  const sharing = runs[0]?.perChannel ?? 1;
  const body = `Resident memory of the whole server process, MiB, with authenticated and subscribed connections, at least
${shown(Number(setting['settle']))} s after the last of them came, and when it moved no more (within a minute). ${sharing === 1 ? 'Each connection has a channel of its own' : `${sharing} connections share a channel`}. After traffic: in a fresh process, at each number all connections have
published 5 messages of 2 KB and got ${sharing === 1 ? 'them back' : 'those of all that share their channel'}. The slope is of the line of least squares through the points, in
KB of 1,000 bytes; off the line: the farthest point, in percent of the growth. ${howMeasured(result, 'gateway-memory')}

${markdownTable([
  ['', ...levels.map(shown), 'KB each', 'off the line, %', 'load CPU, s'],
  ...groups.map((group) => [
    `${group.contestant}, ${group.key === 'idle' ? 'idle' : 'after traffic'}`,
    ...levels.map((level) => spread(at(group, level))),
    spread(group.runs.map(kbEach)),
    spread(group.runs.map((run) => lineOf(run).residual * 100)),
    spread(group.runs.map(({ loadCpuSeconds }) => loadCpuSeconds)),
  ]),
])}`;
  return {
    title: 'Gateway: memory for each connection',
    command: 'node e2e/bench/main.ts gateway-memory',
    machine: setting.machine,
    body,
    shortfalls: [...notMeasured(result, 'Gateway memory'), ...shortfalls(groups)],
  };
}

function at({ runs }: Group<MemoryRun>, level: number): number[] {
  return runs.flatMap(({ points }) =>
    points.filter(({ connections }) => connections === level).map(({ rssMiB }) => rssMiB),
  );
}

function shortfalls(groups: readonly Group<MemoryRun>[]): string[] {
  const ours = groups.filter(({ contestant }) => contestant === 'Causeway on Bun');
  return ours.flatMap((group) => {
    const what = `Gateway memory on Bun, ${group.key === 'idle' ? 'idle' : 'after traffic'}`;
    const each = median(group.runs.map(kbEach));
    const peer = groups.find((one) => isCentrifuge(one) && one.key === group.key);
    const theirs = median(peer?.runs.map(kbEach) ?? []);
    const residual = median(group.runs.map((run) => lineOf(run).residual));
    const moving = group.runs.flatMap(({ points }) => points.filter(({ settled }) => !settled)).length;
    const checks: [boolean, string][] = [
      [each > MOST_KB, `${shown(each)} KB a connection, the target is ${MOST_KB}`],
      [
        each > theirs * MOST_SHARE,
        `${shown(each)} KB a connection, over a third of Centrifuge's ${shown(theirs)}`,
      ],
      [residual > MOST_RESIDUAL, `a point is ${shown(residual * 100)} % of the growth off the straight line`],
      [moving > 0, `${moving} points were still moving when they were taken`],
    ];
    return checks.flatMap(([falls, text]) => (falls ? [`${what}: ${text}.`] : []));
  });
}
