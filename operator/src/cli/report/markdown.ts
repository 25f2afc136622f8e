/** A report as Markdown (CommonMark, with tables as GitHub has them). Pure. */
import { printable } from '../printable.ts';
import type { FailoverReport } from './report.ts';
import { phasesTable, samplesTable, zonesTable, type ReportTable } from './tables.ts';
import {
  EMERGENCY_COUNTS,
  factRows,
  figureRows,
  moves,
  NOT_MEASURED,
  summary,
  time,
  title,
} from './words.ts';

/** Rows of what was seen over time: a person reads this. */
const MAX_SAMPLES = 15;

/** The whole report. */
export function markdownOf(report: FailoverReport): string {
  const { timeline, phases, reconnect, mode } = report;
  const pairs = (name: string, rows: [string, string][]): ReportTable => ({
    header: [name, ''],
    numeric: [],
    rows,
  });
  const figures = figureRows(report);
  const sections: (string | undefined)[] = [
    `# ${plain(title(report))}`,
    summary(report).map(plain).join(' '),
    ...(figures.length === 0 ? [] : ['## Figures', table(pairs('What', figures))]),
    reconnect === undefined && moves(report) ? plain(NOT_MEASURED) : undefined,
    ...(phases.length === 0 ? [] : ['## Phases', table(phasesTable(report))]),
    ...(report.zones.length === 0 ? [] : ['## Zones at last', table(zonesTable(report))]),
    ...(timeline.samples.length === 0 ? [] : ['## Over time', table(samplesTable(report, MAX_SAMPLES))]),
    mode === 'Emergency' && timeline.samples.length > 0 ? plain(EMERGENCY_COUNTS) : undefined,
    '## What was done',
    table(pairs('What', factRows(report))),
    `Written ${time(report.writtenAt)}.`,
  ];
  return `${sections.filter((section) => section !== undefined && section !== '').join('\n\n')}\n`;
}

function table({ header, numeric, rows }: ReportTable): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(plain).join(' | ')} |`;
  const rule = header.map((_, index) => (numeric.includes(index) ? '---:' : '---'));
  return [line(header), `| ${rule.join(' | ')} |`, ...rows.map(line)].join('\n');
}

/** Text that Markdown leaves as it is, in one line. A backslash before any ASCII punctuation stands for that character. */
function plain(text: string): string {
  const line = printable(text).replaceAll(/\s+/g, ' ').trim();
  return line.replaceAll(/[\\`*[\]<>|#&~]/g, (found) => `\\${found}`);
}
