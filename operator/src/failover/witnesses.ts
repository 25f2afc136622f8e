/** What the gateways of some zones say of the others, and what is to be believed of it (docs/adr/0062-automatic-emergency.md). Pure. */
import type { ZoneView } from '@causeway/crds';

/** A zone that nobody has reached for less than that is not missed yet; milliseconds. A slow second is no outage. */
export const NOTICE_MS = 3_000;
/** Fewer zones than that are not believed. */
export const LEAST_WITNESSES = 2;

/** What most gateways of the zone `by` say of another one. */
export interface Word {
  by: string;
  /** For how long most of them have not reached it, milliseconds; 0: most of them do. */
  missedMs: number;
}

/** Zones with a gateway that can bear witness: it answered, and reaches some other zone. One that reaches none may be cut off itself. */
export function witnessZones(views: readonly ZoneView[]): Set<string> {
  return new Set(views.filter(isSighted).map(({ zone }) => zone));
}

function isSighted({ seen }: ZoneView): boolean {
  return seen.some(({ total, unreachableMs }) => total > 0 && unreachableMs < NOTICE_MS);
}

/** What the other zones say of one. A zone none of whose gateways knows an address there says nothing. */
export function wordsOn(zone: string, views: readonly ZoneView[]): Word[] {
  const said = new Map<string, number[]>();
  for (const view of views.filter((one) => one.zone !== zone && isSighted(one))) {
    const found = view.seen.find((one) => one.zone === zone);
    if (found === undefined || found.total === 0) continue;
    said.set(view.zone, [...(said.get(view.zone) ?? []), found.unreachableMs]);
  }
  return [...said].map(([by, each]) => ({ by, missedMs: agreed(each, majorityOf(each)) }));
}

/** For how long most witnesses, and at least two, have missed a zone; milliseconds. 0: they do not, or are too few. */
export function missedMs(words: readonly Word[]): number {
  return agreed(
    words.map((word) => word.missedMs),
    Math.max(LEAST_WITNESSES, majorityOf(words)),
  );
}

function majorityOf(all: readonly unknown[]): number {
  return Math.floor(all.length / 2) + 1;
}

/** The longest time that so many of them agree on; 0 when there are not so many. */
function agreed(times: readonly number[], count: number): number {
  return times.toSorted((a, b) => b - a)[count - 1] ?? 0;
}
