import { Cuts } from './cuts.ts';
import { writesOf } from './history.ts';
import type { Noted, Store, Write } from './history.ts';
import { checkKept } from './kept.ts';
import { lossesOf, mayBeLost } from './losses.ts';
import { reignsOf, sharedReigns, staleWrites } from './reigns.ts';
import type { Stale } from './reigns.ts';
import type { Violation } from './violation.ts';

/** What is promised, in milliseconds. */
export interface Promises {
  /** From when a Redis primary has lost all its replicas until it refuses writes. */
  guardMs: number;
  /** From when an old home can be reached again until its stores refuse writes. */
  fenceMs: number;
}

/**
 * What the platform promises. Redis counts ten seconds in whole ones, from the last word of a replica, once a second. An old
 * home is looked for every two seconds, and a busy machine takes several to ask all stores.
 */
export const PROMISES: Promises = { guardMs: 12_500, fenceMs: 10_000 };

/**
 * Says what of a history a platform must not have done. The model:
 *
 * - The home is a register that holds one zone. Each acknowledged write reads it at some moment between its begin and its
 *   answer; each zone's time as home, named by its epoch, is in one piece; epochs only grow.
 * - One exception, which no design with a single store in a zone can do without: a home that was declared gone while it
 *   could not be reached may go on until it is reached again (etcd), or until it notices that nobody follows it (Redis).
 * - Every acknowledged write to etcd is at home in the end, unless a later one took its place. What the exception let
 *   through is kept aside where it was written, and is nowhere else.
 * - Every acknowledged write to Redis is at home in the end, but for the exception's.
 * - What was refused is nowhere, and all zones have what the home has.
 *
 * It reads what writers saw and what is there at the end, nothing of the platform's inside. The end must be at rest; a
 * history without one is judged by what writers were told alone.
 */
export function check(events: readonly Noted[], promises: Promises): Violation[] {
  const writes = writesOf(events);
  const cuts = new Cuts(events);
  const told = [
    ...(['etcd', 'redis'] as const).flatMap((store) => checkReigns(writes, store, { cuts, promises })),
    ...checkGuard(writes, { cuts, promises }),
  ];
  if (!events.some(({ kind }) => kind === 'homes')) return told;
  return [
    ...told,
    ...checkKept(events, writes),
    ...checkLosses(events, writes, cuts),
    ...checkStates(events, writes),
  ];
}

interface Judge {
  cuts: Cuts;
  promises: Promises;
}

function checkReigns(writes: readonly Write[], store: Store, judge: Judge): Violation[] {
  const reigns = reignsOf(store, writes);
  const shared = sharedReigns(reigns).map(([one, other]): Violation => {
    const detail = `it took ${other.writes.length} writes under ${other.id}, which is ${one.zone}'s`;
    return { kind: 'two-homes', store, zone: other.zone, detail };
  });
  const stale = staleWrites(reigns)
    .filter((one) => !isExcused(one, judge))
    .map(({ write: { value, zone, invokedAt, reign }, next }): Violation => {
      const after = `${Math.round(invokedAt - next.begun)} ms after ${next.zone} had taken one under ${next.id}`;
      const detail = `begun at ${Math.round(invokedAt)} ms and taken under ${reign}, ${after}`;
      return { kind: 'two-homes', store, zone, value, detail };
    });
  return [...shared, ...stale];
}

/** The old home had been declared gone when the next one began, and cannot have been told yet. */
function isExcused({ write: { store, zone, invokedAt }, next }: Stale, { cuts, promises }: Judge): boolean {
  const hidden = cuts.at(zone, 'operator', { ms: invokedAt, grace: promises.fenceMs });
  if (hidden === undefined || hidden.from > next.begun) return false;
  if (cuts.emergency(zone, { since: 0, until: next.begun }) === undefined) return false;
  return store === 'etcd' || invokedAt <= next.begun + promises.guardMs;
}

/** Nobody follows it: it stops by itself, whether or not another one is promoted. */
function checkGuard(writes: readonly Write[], { cuts, promises }: Judge): Violation[] {
  return writes.flatMap(({ store, result, zone, invokedAt, value }): Violation[] => {
    if (store !== 'redis' || result !== 'acknowledged') return [];
    const cut = cuts.at(zone, 'zones', { ms: invokedAt });
    if (cut === undefined || invokedAt <= cut.from + promises.guardMs) return [];
    const detail = `taken ${Math.round(invokedAt - cut.from)} ms after no other zone could reach it`;
    return [{ kind: 'unguarded', store, zone, value, detail }];
  });
}

function checkLosses(events: readonly Noted[], writes: readonly Write[], cuts: Cuts): Violation[] {
  return lossesOf(events, writes)
    .filter((write) => !mayBeLost(write, cuts))
    .map(({ zone, value, key, endedAt }) => ({
      kind: 'lost',
      store: 'redis',
      zone,
      value,
      detail: `${key}, acknowledged at ${Math.round(endedAt)} ms`,
    }));
}

function checkStates(events: readonly Noted[], writes: readonly Write[]): Violation[] {
  const written = new Map(writes.map((write) => [write.value, write]));
  const states = events.filter((event) => event.kind === 'state');
  return states.flatMap(({ store, zone, isHome, entries }) => {
    const strange = [...entries].flatMap(([key, value]): Violation[] => {
      const write = written.get(value);
      if (write === undefined || write.key !== key || write.store !== store)
        return [{ kind: 'invented', store, zone, value, detail: `at ${key}, where nobody wrote it` }];
      if (write.result !== 'refused') return [];
      return [{ kind: 'refused', store, zone, value, detail: `at ${key}: ${write.note ?? 'refused'}` }];
    });
    const home = states.find((other) => other.store === store && other.isHome);
    if (isHome) return strange;
    if (home === undefined) throw new Error(`nobody says what the ${store} of the home has`);
    return [...strange, ...differences({ store, zone, entries }, home)];
  });
}

function differences(
  { store, zone, entries }: { store: Store; zone: string; entries: ReadonlyMap<string, string> },
  home: { zone: string; entries: ReadonlyMap<string, string> },
): Violation[] {
  return [...new Set([...entries.keys(), ...home.entries.keys()])]
    .filter((key) => entries.get(key) !== home.entries.get(key))
    .map((key) => {
      const detail = `${key} is ${entries.get(key) ?? 'missing'}, and ${home.entries.get(key) ?? 'missing'} in ${home.zone}`;
      return { kind: 'diverged', store, zone, detail };
    });
}
