/** Where things lie in a chart: scales, round ticks, and labels that do not lie on each other. Pure. */
import { roundUp } from './measurements.ts';

/** The inner part of a chart, in units of its view box. */
export interface Plot {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** A value of `0..end` as a place in `from..to`. */
export function scale(end: number, from: number, to: number): (value: number) => number {
  return (value) => from + ((to - from) * Math.min(end, Math.max(0, value))) / (end <= 0 ? 1 : end);
}

export interface Tick {
  at: number;
  label: string;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const STEPS = [
  ...[0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 4, 6, 12, 24, 48, 168].map((n) => n * HOUR),
];

/** Ticks of a time axis of `0..end` milliseconds. */
export function timeTicks(end: number, most: number = 8): Tick[] {
  const step = STEPS.find((one) => end / one <= most) ?? roundUp(end / most);
  return steps(end, step).map((at) => ({ at, label: timeLabel(at, step) }));
}

function steps(end: number, step: number): number[] {
  return Array.from({ length: Math.floor(end / step + 1e-9) + 1 }, (_, n) => n * step);
}

function timeLabel(at: number, step: number): string {
  if (at === 0) return '0';
  if (step >= HOUR) return `${at / HOUR} h`;
  if (step >= MINUTE) return `${at / MINUTE} min`;
  if (at < MINUTE) return `${Number((at / SECOND).toFixed(1))} s`;
  const seconds = Math.round((at % MINUTE) / SECOND);
  return `${Math.floor(at / MINUTE)}:${String(seconds).padStart(2, '0')}`;
}

/** Ticks of an axis of whole things from 0 on; the last one is not below `most`. */
export function countTicks(most: number): Tick[] {
  const step = Math.max(1, Math.ceil(roundUp(most / 4)));
  const end = Math.max(1, Math.ceil(most / step)) * step;
  return steps(end, step).map((at) => ({ at, label: short(at) }));
}

/** `1.2K`, `25M`: as much as stands beside an axis. */
function short(value: number): string {
  return value.toLocaleString('en-US', { notation: 'compact', maximumFractionDigits: 2 });
}

/** Places for labels that are wanted at `wanted`, at least `gap` apart, within `from..to` if there is room. Same order. */
export function spread(
  wanted: readonly number[],
  gap: number,
  { from, to }: { from: number; to: number },
): number[] {
  const order = wanted.map((_, index) => index).sort((a, b) => (wanted[a] ?? 0) - (wanted[b] ?? 0));
  const places = [...wanted];
  let least = from;
  for (const index of order) {
    places[index] = Math.max(least, wanted[index] ?? 0);
    least = (places[index] ?? 0) + gap;
  }
  let most = to;
  for (const index of order.toReversed()) {
    places[index] = Math.min(most, places[index] ?? 0);
    most = (places[index] ?? 0) - gap;
  }
  return places;
}

/** About how wide a text is, in units of the view box: letters of {@link FONT_SIZE}. Rather too much than too little. */
export function textWidth(text: string): number {
  return text.length * 0.56 * FONT_SIZE;
}

/** Size of the letters in charts. */
export const FONT_SIZE = 12;

/** The text if it is no wider, else its begin and an ellipsis. */
export function fitted(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  const letters = Math.floor(width / textWidth('x')) - 1;
  return letters < 1 ? '' : `${text.slice(0, letters)}…`;
}
