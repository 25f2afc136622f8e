import type { SeenZone } from '@causeway/crds';

/** Most addresses of a zone that are kept. */
const MAX_PODS = 1_000;
/**
 * A zone's addresses are forgotten when it has had none so often on end: name servers that have just started, or have lost
 * the API server, say for a while that there is no such name (coredns issue 1365).
 */
const FORGET_AFTER = 3;

/** What is known of one pod. */
interface PodSight {
  /** Monotonic milliseconds; undefined: it was not asked yet. */
  readonly askedAt: number | undefined;
  /** What came of it. */
  readonly answered: boolean;
}

/** What is known of one zone. Times are monotonic milliseconds. */
export interface Sight {
  /** By address. */
  readonly pods: ReadonlyMap<string, PodSight>;
  /** Since when there are addresses. */
  readonly knownAt: number;
  /** When somebody answered last. */
  readonly answeredAt: number | undefined;
  /** Nobody answered in the last round. */
  readonly silent: boolean;
  /** Lookups in a row that found no address. */
  readonly emptyLookups: number;
}

/** Nothing is known. */
export const NO_SIGHT: Sight = {
  pods: new Map(),
  knownAt: 0,
  answeredAt: undefined,
  silent: false,
  emptyLookups: 0,
};

/** After a lookup that was answered. */
export function withAddresses(sight: Sight, addresses: readonly string[], now: number): Sight {
  if (addresses.length === 0) {
    const emptyLookups = Math.min(sight.emptyLookups + 1, FORGET_AFTER);
    if (emptyLookups < FORGET_AFTER) return { ...sight, emptyLookups };
    return { ...NO_SIGHT, emptyLookups, answeredAt: sight.answeredAt };
  }
  const unasked: PodSight = { askedAt: undefined, answered: false };
  const pods = new Map(
    addresses.slice(0, MAX_PODS).map((address) => [address, sight.pods.get(address) ?? unasked]),
  );
  const knownAt = sight.pods.size === 0 ? now : sight.knownAt;
  return { ...sight, pods, knownAt, emptyLookups: 0 };
}

/**
 * Whom to ask in this round, `most` of them, at least two: the one that answered last, so that a zone with one good pod is
 * not missed whenever others are asked; and those who were not asked for the longest time, in random order, so that all
 * get their turn, and gateways that began together don't all ask the same ones (as SWIM goes round its members).
 */
export function podsToAsk(sight: Sight, most: number, random: () => number): string[] {
  const order = [...sight.pods].map(([address, { askedAt = -1, answered }]) => ({
    address,
    askedAt,
    answered,
    turn: random(),
  }));
  order.sort((a, b) => a.askedAt - b.askedAt || a.turn - b.turn);
  const last = order.findLast(({ answered }) => answered);
  const others = order.filter((pod) => pod !== last);
  return [...(last ? [last] : []), ...others].slice(0, most).map(({ address }) => address);
}

/**
 * After a round. `reliable`: false when this process stood still meanwhile: then who answered is there, and of the others
 * nothing is known.
 */
export function withAnswers(
  sight: Sight,
  answers: ReadonlyMap<string, boolean>,
  { now, reliable }: { now: number; reliable: boolean },
): Sight {
  const pods = new Map(sight.pods);
  let any = false;
  for (const [address, answered] of answers) {
    any ||= answered;
    // It may have left while it was asked.
    if (pods.has(address) && (answered || reliable)) pods.set(address, { askedAt: now, answered });
  }
  if (any) return { ...sight, pods, silent: false, answeredAt: now };
  return reliable && answers.size > 0 ? { ...sight, pods, silent: true } : sight;
}

/** For how long nobody has answered. 0: somebody does, or nobody is known. */
export function unreachableMs({ pods, silent, answeredAt = 0, knownAt }: Sight, now: number): number {
  return silent && pods.size > 0 ? Math.max(0, now - Math.max(answeredAt, knownAt)) : 0;
}

/** As `/zones` shows it. `unixNow`: Unix milliseconds of `now`. */
export function seenZone(zone: string, sight: Sight, now: number, unixNow: number): SeenZone {
  const { pods, answeredAt } = sight;
  return {
    zone,
    reachable: [...pods.values()].filter(({ answered }) => answered).length,
    total: pods.size,
    ...(answeredAt !== undefined && {
      lastReachable: new Date(unixNow - (now - answeredAt)).toISOString(),
    }),
    unreachableMs: Math.round(unreachableMs(sight, now)),
  };
}
