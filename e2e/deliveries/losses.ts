import type { Seen } from './history.ts';

/** A gateway may learn of a loss, and a carrier may mend it, this long after it is over, milliseconds. */
const AFTERMATH_MS = 20_000;

/** When the streams may have lost something. */
export class Losses {
  readonly #spans: { from: number; to: number }[] = [];

  constructor(events: readonly Seen[]) {
    let open: { from: number; to: number } | undefined;
    for (const event of events) {
      if (event.kind !== 'fault') continue;
      if (event.what === 'streams lost') {
        open ??= { from: event.ms, to: Infinity };
        if (!this.#spans.includes(open)) this.#spans.push(open);
      } else if (open) {
        open.to = event.ms + AFTERMATH_MS;
        open = undefined;
      }
    }
  }

  /** Whether a loss could show between two moments, milliseconds. */
  between(from: number, to: number): boolean {
    return this.#spans.some((span) => span.from <= to && span.to >= from);
  }
}
