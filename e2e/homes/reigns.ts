import type { Store, Write } from './history.ts';

/** The time in which one zone's store took writes as the home. */
export interface Reign {
  store: Store;
  zone: string;
  id: string;
  /** Acknowledged ones. */
  writes: readonly Write[];
  /** Milliseconds: by then it had begun, since a write under it had been answered. */
  begun: number;
}

/** A write that was begun when a later home had already taken one. */
export interface Stale {
  write: Write;
  /** The later home. */
  next: Reign;
}

/**
 * All reigns in a store, in their order: in etcd by epoch; in Redis, whose data sets have no order of their own, by when
 * they had begun.
 */
export function reignsOf(store: Store, writes: readonly Write[]): Reign[] {
  const taken = writes.filter((write) => write.store === store && write.result === 'acknowledged');
  const reigns = [...Map.groupBy(taken, ({ reign = '', zone }) => `${reign}/${zone}`).values()].flatMap(
    (members): Reign[] => {
      const [first] = members;
      if (first === undefined) return [];
      const begun = Math.min(...members.map(({ endedAt }) => endedAt));
      return [{ store, zone: first.zone, id: first.reign ?? '', writes: members, begun }];
    },
  );
  const byEpoch = (a: Reign, b: Reign): number => Number(a.id) - Number(b.id);
  return reigns.sort((a, b) => (store === 'etcd' ? byEpoch(a, b) : 0) || a.begun - b.begun);
}

/**
 * The writes for which no order of homes can be found. The home is a register: it holds one zone, each acknowledged write
 * reads it at some moment between its begin and its answer, and each reign is held in one piece, in the order of `reigns`.
 * There are such moments if and only if no write begins after a later reign has had an answer (reigns are an interval
 * order, so looking at pairs is enough).
 */
export function staleWrites(reigns: readonly Reign[]): Stale[] {
  return reigns.flatMap((reign, index) => {
    const next = reigns.slice(index + 1).reduce<Reign | undefined>(earlier, undefined);
    if (next === undefined) return [];
    return reign.writes
      .filter(({ invokedAt }) => invokedAt > next.begun)
      .map((write): Stale => ({ write, next }));
  });
}

function earlier(a: Reign | undefined, b: Reign): Reign {
  return a === undefined || b.begun < a.begun ? b : a;
}

/** Reigns that two zones have under one name. */
export function sharedReigns(reigns: readonly Reign[]): [Reign, Reign][] {
  const first = new Map<string, Reign>();
  return reigns.flatMap((reign): [Reign, Reign][] => {
    const other = first.get(reign.id);
    if (other !== undefined) return [[other, reign]];
    first.set(reign.id, reign);
    return [];
  });
}
