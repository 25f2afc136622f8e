/** Tables for docs/benchmarks.md; prettier aligns them. */
import { median } from '../replication/report.ts';

/** A table. The first row is its head; numbers are expected in all columns but the first. */
export function markdownTable(rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows;
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = line(head.map((_, column) => (column === 0 ? '---' : '--:')));
  return [line(head), rule, ...body.map(line)].join('\n');
}

/** Three digits that matter, with thousands apart: 0.123, 4.56, 78.9, 1,234. */
export function shown(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}

/** Median, and where there are several values their range: `4.5 (4.1–6)`. */
export function spread(values: readonly number[]): string {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (values.length === 0) return '–';
  if (values.length === 1 || shown(low) === shown(high)) return shown(median(values));
  return `${shown(median(values))} (${shown(low)}–${shown(high)})`;
}
