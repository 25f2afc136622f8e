/** The phases as bars on a time line, each with how long it took and the gate that it waited at. Pure. */
import { fitted, scale, textWidth, timeTicks, type Plot } from './axes.ts';
import { figure, text, timeAxis, WIDTH } from './figure.ts';
import { element, type Markup } from './markup.ts';
import type { FailoverReport, ReportPhase } from './report.ts';
import { phaseName, span } from './words.ts';

const ROW = 26;
const NAMES = 140;
const NOTES = 260;

/** The chart as an SVG element; undefined: there is no phase yet. */
export function phaseChart(report: FailoverReport): Markup | undefined {
  const { phases, tookMs = 0 } = report;
  if (phases.length === 0) return undefined;
  const top = 24;
  const plot: Plot = { left: NAMES, right: WIDTH - NOTES, top, bottom: top + phases.length * ROW };
  const endMs = Math.max(1, tookMs, ...phases.map(({ fromMs, tookMs: took }) => fromMs + took));
  const x = scale(endMs, plot.left, plot.right);
  const ticks = timeTicks(endMs, 6);
  const description = phases
    .map((phase) => `${phaseName(phase)}: ${noteOf(phase)}, from ${span(phase.fromMs)}`)
    .join('; ');
  return figure({ id: 'phases', title: 'Phases and gates', description, height: plot.bottom + 30 }, [
    ticks.map(({ at }) =>
      element('line', { x1: x(at), x2: x(at), y1: plot.top, y2: plot.bottom, class: 'grid' }),
    ),
    timeAxis(ticks, plot, x),
    phases.map((phase, index) => rowOf(phase, { report, x, y: top + index * ROW })),
    verifiedMark(report, plot, x),
  ]);
}

interface RowPlace {
  report: FailoverReport;
  x: (ms: number) => number;
  y: number;
}

function rowOf(phase: ReportPhase, { report, x, y }: RowPlace): Markup {
  const [from, to] = [x(phase.fromMs), x(phase.fromMs + phase.tookMs)];
  return element(
    'g',
    {},
    text(
      { x: NAMES - 8, y: y + 17, class: 'name', 'text-anchor': 'end' },
      fitted(phaseName(phase), NAMES - 12),
    ),
    // What took no time is to be seen too.
    element('rect', {
      x: from,
      y: y + 4,
      width: Math.max(3, to - from),
      height: ROW - 8,
      rx: 2,
      class: `bar ${kindOf(phase, report)}`,
    }),
    text({ x: WIDTH - NOTES + 14, y: y + 17, class: 'note' }, fitted(noteOf(phase), NOTES - 18)),
  );
}

function noteOf({ tookMs, ended, gate }: ReportPhase): string {
  return `${span(tookMs)}${ended ? '' : ' so far'}${gate === undefined ? '' : ` · ${gate}`}`;
}

/** The class that colours a bar. */
function kindOf(phase: ReportPhase, { outcome, phases }: FailoverReport): string {
  if (phase.name === 'RollingBack') return 'undo';
  if ((outcome === 'Refused' || outcome === 'Failed') && phase === phases.at(-1)) return 'undo';
  if (!phase.ended) return 'now';
  if (['Fence', 'Promote', 'Shift'].includes(phase.step ?? phase.name)) return 'move';
  return phase.name === 'Hold' ? 'hold' : 'go';
}

function verifiedMark(
  { startedAt, verifiedAt }: FailoverReport,
  plot: Plot,
  x: (ms: number) => number,
): Markup | undefined {
  if (startedAt === undefined || verifiedAt === undefined) return undefined;
  const at = x(Date.parse(verifiedAt) - Date.parse(startedAt));
  const words = `verified after ${span(Date.parse(verifiedAt) - Date.parse(startedAt))}`;
  const half = textWidth(words) / 2;
  const middle = Math.min(plot.right - half, Math.max(plot.left + half, at));
  return element('g', {}, [
    element('line', { x1: at, x2: at, y1: plot.top - 6, y2: plot.bottom, class: 'mark' }),
    text({ x: middle, y: plot.top - 10, class: 'tick', 'text-anchor': 'middle' }, words),
  ]);
}
