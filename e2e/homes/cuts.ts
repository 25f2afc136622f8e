import type { Apart, Noted } from './history.ts';

/** A time during which a zone was cut off; `to` Infinity: to the end. Milliseconds. */
export interface Cut {
  zone: string;
  side: Apart;
  from: number;
  to: number;
}

/** When zones were cut off, and declared gone. */
export class Cuts {
  readonly all: readonly Cut[];
  readonly #emergencies: readonly { zone: string; ms: number }[];

  constructor(events: readonly Noted[]) {
    const all: Cut[] = [];
    for (const event of events) {
      if (event.kind === 'cut')
        all.push({ zone: event.zone, side: event.side, from: event.ms, to: Infinity });
      if (event.kind !== 'mended') continue;
      const open = all.findLast(
        ({ zone, side, to }) => zone === event.zone && side === event.side && to === Infinity,
      );
      if (open === undefined) throw new Error(`${event.zone} was mended, and was not cut off`);
      open.to = event.ms;
    }
    this.all = all;
    this.#emergencies = events.filter((event) => event.kind === 'emergency');
  }

  /** The cut of that kind that a zone suffers then, or suffered until at most `grace` before; milliseconds. */
  at(zone: string, side: Apart, { ms, grace = 0 }: { ms: number; grace?: number }): Cut | undefined {
    return this.all.find(
      (cut) => cut.zone === zone && cut.side === side && cut.from <= ms && ms <= cut.to + grace,
    );
  }

  /** When the zone was first declared gone after `since` and before `until`; undefined: it was not. */
  emergency(zone: string, { since, until }: { since: number; until: number }): number | undefined {
    return this.#emergencies.find((one) => one.zone === zone && one.ms >= since && one.ms <= until)?.ms;
  }
}
