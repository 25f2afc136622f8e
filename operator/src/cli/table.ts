/** Tables for people: columns line up, long last columns wrap at the terminal's width. Pure. */
import type { Style } from './io.ts';
import { printable } from './printable.ts';

/** How a line is doing; what is not good stands out also where there are no colours. */
export type Mood = 'good' | 'wait' | 'bad';

export interface Row {
  cells: readonly string[];
  mood?: Mood;
}

export interface TableOptions {
  style: Style;
  /** Columns of the terminal; undefined: nothing is wrapped. */
  width?: number | undefined;
}

const GAP = '  ';
/** Narrower than this, wrapping makes it harder to read. */
const NARROWEST = 20;
const MARK: Readonly<Record<Mood, string>> = { good: ' ', wait: '~', bad: '!' };

/** Lines of a table, without a line end after the last. Every row has as many cells as the header; cells may have any characters. */
export function table(header: readonly string[], given: readonly Row[], options: TableOptions): string {
  const rows = given.map(({ cells, ...row }) => ({ ...row, cells: cells.map(printable) }));
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row.cells[column]?.length ?? 0)),
  );
  const { style } = options;
  const head = layOut(header, widths).map((line) => style.bold(` ${GAP.slice(1)}${line}`));
  const body = rows.flatMap((row) => {
    const mood = row.mood ?? 'good';
    const paint = mood === 'good' ? (text: string): string => text : style[mood];
    return layOut(row.cells, widths, options.width).map((line, index) =>
      paint(`${index === 0 ? MARK[mood] : ' '} ${line}`),
    );
  });
  return [...head, ...body].join('\n');
}

function layOut(cells: readonly string[], widths: readonly number[], total?: number): string[] {
  const last = cells.length - 1;
  const before = cells.slice(0, last).map((cell, column) => cell.padEnd(widths[column] ?? 0));
  const start = before.map((cell) => `${cell}${GAP}`).join('');
  const left = total === undefined ? Infinity : total - start.length - GAP.length;
  const lines = wrap(cells[last] ?? '', Math.max(NARROWEST, left));
  return lines.map((line, index) => (index === 0 ? start : ' '.repeat(start.length)) + line).map(trimEnd);
}

/** Breaks a text of any characters between words so that no line is longer than `width`, but for a word that is. */
export function wrap(given: string, width: number): string[] {
  const text = printable(given);
  if (text.length <= width) return [text];
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

function trimEnd(line: string): string {
  return line.trimEnd();
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A span of time as kubectl shows ages: `45s`, `3m12s`, `5h7m`, `3d4h`, `90d`. Milliseconds. */
export function shortDuration(ms: number): string {
  const rest = Math.max(0, ms);
  const [days, hours] = [Math.floor(rest / DAY), Math.floor((rest % DAY) / HOUR)];
  const [minutes, seconds] = [Math.floor((rest % HOUR) / MINUTE), Math.floor((rest % MINUTE) / SECOND)];
  if (days >= 10) return `${days}d`;
  if (days > 0) return hours === 0 ? `${days}d` : `${days}d${hours}h`;
  if (hours >= 10) return `${hours}h`;
  if (hours > 0) return minutes === 0 ? `${hours}h` : `${hours}h${minutes}m`;
  if (minutes >= 10) return `${minutes}m`;
  if (minutes > 0) return seconds === 0 ? `${minutes}m` : `${minutes}m${seconds}s`;
  return `${seconds}s`;
}
