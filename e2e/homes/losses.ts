/** What became of acknowledged writes to Redis. It replicates later: an old home that is gone may take its last ones along. */
import type { Cuts } from './cuts.ts';
import type { Noted, Write } from './history.ts';

/** A replica has what its primary took after this time, as long as it hears of it; milliseconds. */
const REPLICATED_MS = 1_000;

/** Acknowledged writes to Redis that the home does not have at the end. */
export function lossesOf(events: readonly Noted[], writes: readonly Write[]): Write[] {
  const state = events.find((event) => event.kind === 'state' && event.store === 'redis' && event.isHome);
  if (state?.kind !== 'state') return [];
  const byKey = Map.groupBy(
    writes.filter(({ store }) => store === 'redis'),
    ({ key }) => key,
  );
  const isReplaced = (write: Write): boolean =>
    (byKey.get(write.key) ?? []).some(
      (other) => other !== write && other.result !== 'refused' && !(other.endedAt < write.invokedAt),
    );
  return [...byKey.values()]
    .flat()
    .filter(
      (write) =>
        write.result === 'acknowledged' && state.entries.get(write.key) !== write.value && !isReplaced(write),
    );
}

/**
 * Whether a write to Redis may be lost: its zone was declared gone while somebody could not reach it, and what it took
 * shortly before that or since was its alone. A move that waits for the home loses nothing.
 */
export function mayBeLost({ zone, endedAt }: Write, cuts: Cuts): boolean {
  return cuts.all.some((cut) => {
    const since = cut.from - REPLICATED_MS;
    if (cut.zone !== zone || endedAt < since) return false;
    return cuts.emergency(zone, { since, until: cut.to }) !== undefined;
  });
}
