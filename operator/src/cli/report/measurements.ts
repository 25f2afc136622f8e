/**
 * What clients measured during a failover, from a file: the operator sees no client come back, so somebody who drives
 * clients has to say (docs/adr/0064-failover-report.md). Pure.
 */

/** What the file has; each field may be absent. Fields that are not named here are left alone. */
export interface Measurements {
  /** For each client that lost its connection: time until it was subscribed again, seconds. */
  reconnectSeconds?: readonly number[];
  /** For each client: the longest time in which it got nothing although something was published, seconds. */
  blackoutSeconds?: readonly number[];
  /** Publications that the platform acknowledged. */
  acknowledged?: number;
  /** Of those, how many a client that should have got them did not. */
  lost?: number;
  /** Deliveries that came to a client a second time. */
  duplicated?: number;
}

/** A series of times in a few numbers, seconds. */
export interface Distribution {
  count: number;
  min: number;
  p50: number;
  p99: number;
  max: number;
  /** How many lie in each of the equal parts from `from` to `to`; the last one includes its end. */
  bins: { from: number; to: number; count: number }[];
}

/** Reads a file of measurements. Throws an Error that names the file and the field. */
export function parseMeasurements(text: string, file: string): Measurements {
  const value = parsed(text, file);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${file} is to be a JSON object with fields such as reconnectSeconds.`);
  const fields = value as Readonly<Record<string, unknown>>;
  const found = {
    reconnectSeconds: list(fields, 'reconnectSeconds', file),
    blackoutSeconds: list(fields, 'blackoutSeconds', file),
    acknowledged: whole(fields, 'acknowledged', file),
    lost: whole(fields, 'lost', file),
    duplicated: whole(fields, 'duplicated', file),
  };
  const known = Object.fromEntries(Object.entries(found).filter(([, one]) => one !== undefined));
  if (Object.keys(known).length === 0)
    throw new Error(`${file} has none of the fields ${Object.keys(found).join(', ')}.`);
  return known;
}

function parsed(text: string, file: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new Error(`${file} is not JSON: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

function list(fields: Readonly<Record<string, unknown>>, name: string, file: string): number[] | undefined {
  const value = fields[name];
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.every(isAmount)) return value;
  throw new Error(`${name} in ${file} is to be a list of numbers of at least 0, in seconds.`);
}

function whole(fields: Readonly<Record<string, unknown>>, name: string, file: string): number | undefined {
  const value = fields[name];
  if (value === undefined) return undefined;
  if (isAmount(value) && Number.isSafeInteger(value)) return value;
  throw new Error(`${name} in ${file} is to be a whole number of at least 0.`);
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

/** Bars of a distribution at most: more say no more to the eye. */
const MAX_BINS = 24;
/** No bar is narrower, seconds: clients are not measured more finely. */
const NARROWEST = 0.001;
/** The widths that a bar may have are these, times a power of ten: its ends are to be round numbers. */
const ROUND = [1, 2, 2.5, 5, 10] as const;

/** Undefined: there is nothing in it. Percentiles are by the nearest rank: a value that was measured. */
export function distributionOf(values: readonly number[] | undefined): Distribution | undefined {
  const sorted = [...(values ?? [])].sort((a, b) => a - b);
  const [min] = sorted;
  const max = sorted.at(-1);
  if (min === undefined || max === undefined) return undefined;
  const rank = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? max;
  return { count: sorted.length, min, p50: rank(0.5), p99: rank(0.99), max, bins: binsOf(sorted, max) };
}

function binsOf(sorted: readonly number[], max: number): Distribution['bins'] {
  const width = Math.max(NARROWEST, roundUp(max / MAX_BINS));
  const count = Math.max(1, Math.ceil(max / width));
  const counts = Array.from({ length: count }, () => 0);
  for (const value of sorted) {
    const at = Math.min(count - 1, Math.floor(value / width));
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return counts.map((n, index) => ({ from: index * width, to: (index + 1) * width, count: n }));
}

/** The smallest round number that is not below; for 0 it is a tenth, so that there is a scale. */
export function roundUp(value: number): number {
  if (value <= 0) return 0.1;
  const power = 10 ** Math.floor(Math.log10(value));
  return (ROUND.find((step) => step * power >= value) ?? 10) * power;
}
