import fc from 'fast-check';

/**
 * What can be done to a platform. `freeze` is SIGSTOP; a `stall` loses all packets for a
 * while, and `lose` those of the connections that there are for good, and nobody is told.
 */
export const FAULTS = [
  'kafka-kill',
  'kafka-freeze',
  'redis-kill',
  'redis-empty',
  'redis-rewind',
  'redis-freeze',
  'gateway-kill',
  'gateway-drain',
  'gateway-freeze',
  'kafka-cut',
  'kafka-stall',
  'kafka-lose',
  'redis-cut',
  'redis-stall',
  'redis-lose',
  'clients-cut',
  'clients-stall',
  'clients-lose',
  'rebalance',
  'storm',
  'leave',
  'slow-reader',
  'half-open',
  'garbage',
  'oversize',
  'bad-tokens',
  'fuzz',
] as const;
export type FaultKind = (typeof FAULTS)[number];

/** Those after which streams have lost something; without them, everybody recovers. */
export const LOSING: readonly FaultKind[] = ['redis-kill', 'redis-empty', 'redis-rewind'];

/** One fault: it begins `at` and is mended `forMs` later, milliseconds since the run began. */
export interface Fault {
  kind: FaultKind;
  /** Which broker, gateway or client. */
  on: number;
  /** What it is about: one thing suffers one fault at a time. */
  thing: string;
  at: number;
  forMs: number;
  /** For what is sent. */
  seed: number;
}

/** Of what there is how much. */
export interface Sizes {
  brokers: number;
  gateways: number;
  subscribers: number;
}

/** Milliseconds between the begins of two faults, and how long a fault lasts. */
const GAP_MS = { min: 0, max: 1_100 };
const LENGTH_MS = { min: 100, max: 4_000 };

/**
 * The faults of a run: each of `faults` once in each round, in random order, overlapping where they are about different
 * things. The same seed gives the same plan.
 */
export function planOf(
  seed: number,
  rounds: number,
  sizes: Sizes,
  faults: readonly FaultKind[] = FAULTS,
): Fault[] {
  const one = fc.record({
    on: fc.noBias(fc.nat(1_000)),
    gap: fc.noBias(fc.integer(GAP_MS)),
    forMs: fc.noBias(fc.integer(LENGTH_MS)),
    seed: fc.nat(0xffff),
  });
  const round = fc.tuple(
    fc.shuffledSubarray([...faults], { minLength: faults.length }),
    fc.array(one, { minLength: faults.length, maxLength: faults.length }),
  );
  const samples = fc.sample(round, { seed, numRuns: rounds });
  const steps = samples.flatMap(([kinds, values]) =>
    values.map((value, index) => ({ ...value, kind: kinds[index] ?? 'storm' })),
  );
  const busy = new Map<string, number>();
  const plan: Fault[] = [];
  let now = 0;
  for (const { kind, on, gap, forMs, seed: ofFault } of steps) {
    const place = placeOf(kind, on, sizes);
    now = Math.max(now + gap, busy.get(place.name) ?? 0);
    busy.set(place.name, now + forMs);
    plan.push({ kind, on: place.on, thing: place.name, at: now, forMs, seed: ofFault });
  }
  return plan;
}

function placeOf(kind: FaultKind, on: number, sizes: Sizes): { name: string; on: number } {
  const [thing = '', way = ''] = kind.split('-');
  const isNetwork = way === 'cut' || way === 'stall' || way === 'lose';
  if (isNetwork) return { name: `${thing}/${on % sizes.gateways}`, on: on % sizes.gateways };
  if (thing === 'kafka') return { name: `broker/${on % sizes.brokers}`, on: on % sizes.brokers };
  if (thing === 'redis') return { name: 'redis', on: 0 };
  if (thing === 'leave') return { name: `client/${on % sizes.subscribers}`, on: on % sizes.subscribers };
  if (thing === 'gateway') return { name: `gateway/${on % sizes.gateways}`, on: on % sizes.gateways };
  // What strangers send hurts nobody else: as many at once as there are.
  return { name: `${kind}/${on}`, on: on % sizes.gateways };
}

/** A line for each fault. */
export function describePlan(plan: readonly Fault[]): string {
  return plan
    .map(({ kind, on, at, forMs }) => `${String(at).padStart(6)} ms  ${kind} ${on}, for ${forMs} ms`)
    .join('\n');
}
