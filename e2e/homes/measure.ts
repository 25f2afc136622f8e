/** What of the promises was used: figures for people. */
import { Cuts } from './cuts.ts';
import { writesOf } from './history.ts';
import type { Noted, Store, Write } from './history.ts';
import { lossesOf } from './losses.ts';
import { reignsOf, staleWrites } from './reigns.ts';

/** Of one store. Times in milliseconds. */
export interface Measured {
  acknowledged: number;
  refused: number;
  unknown: number;
  /** Times of zones as home. */
  reigns: number;
  /** Acknowledged by an old home when the next one had begun: it could not be told. */
  stale: number;
  /** Acknowledged, and not at home at the end: of Redis. */
  lost: number;
  /** Longest time from a cut off from all zones to a write that was still taken. */
  aloneMs: number;
  /** Longest time from the end of a cut off from the operator to a write that an old home still took. */
  unfencedMs: number;
}

/** Counts what happened in one store. */
export function measure(events: readonly Noted[], store: Store): Measured {
  const all = writesOf(events);
  const writes = all.filter((write) => write.store === store);
  const cuts = new Cuts(events);
  const count = (result: string): number => writes.filter((write) => write.result === result).length;
  const reigns = reignsOf(store, all);
  const stale = staleWrites(reigns);
  const longest = (times: number[]): number => Math.round(Math.max(0, ...times));
  const taken = writes.filter(({ result }) => result === 'acknowledged');
  return {
    acknowledged: count('acknowledged'),
    refused: count('refused'),
    unknown: count('unknown'),
    reigns: reigns.length,
    stale: stale.length,
    lost: store === 'redis' ? lossesOf(events, all).length : 0,
    aloneMs: longest(
      taken.flatMap(({ zone, invokedAt }) => {
        const cut = cuts.at(zone, 'zones', { ms: invokedAt });
        return cut === undefined ? [] : [invokedAt - cut.from];
      }),
    ),
    unfencedMs: longest(stale.map(({ write }) => sinceFound(write, cuts))),
  };
}

/** Since when the operator can reach the zone of a write again, after it could not; 0: it still can't. Milliseconds. */
function sinceFound({ zone, invokedAt }: Write, cuts: Cuts): number {
  if (cuts.at(zone, 'operator', { ms: invokedAt }) !== undefined) return 0;
  const ends = cuts.all.filter((cut) => cut.zone === zone && cut.side === 'operator' && cut.to < invokedAt);
  return ends.length === 0 ? 0 : invokedAt - Math.max(...ends.map(({ to }) => to));
}
