/** What the gateway benchmarks work out of what they saw. Pure. */

/** Counts of times: largest value of a bucket in milliseconds, and how many are in it; ascending. */
export type Buckets = readonly (readonly [upToMs: number, count: number])[];

/** Milliseconds; NaN where nothing was counted. */
export interface Times {
  p50: number;
  p99: number;
  max: number;
}

/** The value that `percent` of the counted ones don't exceed (nearest rank), as exact as the buckets are. */
export function bucketPercentile(buckets: Buckets, percent: number): number {
  const total = buckets.reduce((sum, [, count]) => sum + count, 0);
  const rank = Math.max(1, Math.ceil((percent / 100) * total));
  let seen = 0;
  for (const [upTo, count] of buckets) {
    seen += count;
    if (seen >= rank) return upTo;
  }
  return Number.NaN;
}

/** P50, P99 and the largest. */
export function timesOf(buckets: Buckets): Times {
  return {
    p50: bucketPercentile(buckets, 50),
    p99: bucketPercentile(buckets, 99),
    max: buckets.at(-1)?.[0] ?? Number.NaN,
  };
}

/** A straight line through points. */
export interface Line {
  /** Growth of y for each x. */
  slope: number;
  /** y at x = 0. */
  intercept: number;
  /** The largest distance of a point from the line, as a share of the range of y. 0: it is straight. */
  residual: number;
}

/** The line of least squares. NaN with fewer than two different x. */
export function fitLine(points: readonly { x: number; y: number }[]): Line {
  const mean = (pick: (point: { x: number; y: number }) => number): number =>
    points.reduce((sum, point) => sum + pick(point), 0) / points.length;
  const [meanX, meanY] = [mean(({ x }) => x), mean(({ y }) => y)];
  const slope = mean(({ x, y }) => (x - meanX) * (y - meanY)) / mean(({ x }) => (x - meanX) ** 2);
  const intercept = meanY - slope * meanX;
  const ys = points.map(({ y }) => y);
  const range = Math.max(...ys) - Math.min(...ys);
  const worst = Math.max(...points.map(({ x, y }) => Math.abs(y - (intercept + slope * x))));
  return { slope, intercept, residual: range === 0 ? 0 : worst / range };
}

/** Samples that must agree before memory counts as settled. */
const SETTLED_SAMPLES = 8;
/** How far they may be apart: a share of the value, and MiB. */
const SETTLED_SHARE = 0.005;
const SETTLED_MIB = 0.5;

/** Whether the last of `samples` (MiB) say that nothing moves any more. */
export function isSettled(samples: readonly number[]): boolean {
  if (samples.length < SETTLED_SAMPLES) return false;
  const last = samples.slice(-SETTLED_SAMPLES);
  const range = Math.max(...last) - Math.min(...last);
  return range <= Math.max(SETTLED_MIB, SETTLED_SHARE * Math.max(...last));
}

/** A trial of the search for the highest rate. */
export interface Trial {
  perSecond: number;
  keptUp: boolean;
}

/** How far the two ends of the search may be apart when it ends, as a share of the lower one. */
const CLOSE_ENOUGH = 0.1;

/**
 * The next rate to try: twice as much until one is too much, then halfway between the highest that was kept up with and
 * the lowest that was not. Undefined: they are close enough, or `most` was tried.
 */
export function nextRate(trials: readonly Trial[], first: number, most: number): number | undefined {
  const good = highestKept(trials);
  const bad = Math.min(...trials.filter(({ keptUp }) => !keptUp).map(({ perSecond }) => perSecond));
  if (bad === Infinity) {
    if (good >= most) return undefined;
    return Math.min(most, good === 0 ? first : good * 2);
  }
  if (bad <= 1 || (good > 0 && (bad - good) / good <= CLOSE_ENOUGH)) return undefined;
  const next = Math.round((good + bad) / 2);
  return next === good || next === bad ? undefined : next;
}

/** The highest rate that was kept up with; 0 for none. */
export function highestKept(trials: readonly Trial[]): number {
  return trials.reduce((most, { perSecond, keptUp }) => (keptUp ? Math.max(most, perSecond) : most), 0);
}

/** How many TCP connections to the local port `port` are established, by /proc/net/tcp and tcp6 (proc_net_tcp(5)). */
export function establishedAt(port: number, tables: readonly string[]): number {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  const line = new RegExp(String.raw`^\s*\d+: [0-9A-F]+:${wanted} [0-9A-F]+:[0-9A-F]{4} 01 `, 'gm');
  return tables.reduce((sum, text) => sum + (text.match(line)?.length ?? 0), 0);
}

/** Clock ticks that the whole machine was busy for since it started: the first line of /proc/stat (proc_stat(5)). */
export function busyTicks(stat: string): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = (/^cpu +(.*)$/m.exec(stat)?.[1] ?? '')
    .split(' ')
    .map(Number);
  return user + nice + system + irq + softirq;
}
