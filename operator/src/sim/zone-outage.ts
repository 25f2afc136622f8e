import type { VirtualTime } from './virtual-time.ts';

/** Zones that are away, and whoever wants to know of it. */
export class ZoneOutage {
  /** Since when, milliseconds since the epoch. */
  readonly #down = new Map<string, number>();
  readonly #time: Pick<VirtualTime, 'now'>;
  readonly #listeners: ((zone: string) => void)[] = [];

  constructor(time: Pick<VirtualTime, 'now'>) {
    this.#time = time;
  }

  /** For how long it has been away, milliseconds; 0: it is there. */
  downMs(zone: string): number {
    const since = this.#down.get(zone);
    return since === undefined ? 0 : this.#time.now - since;
  }

  isDown(zone: string | undefined): boolean {
    return zone !== undefined && this.#down.has(zone);
  }

  /** Called when a zone goes or comes back. */
  onChange(listener: (zone: string) => void): void {
    this.#listeners.push(listener);
  }

  begin(zone: string): void {
    this.#down.set(zone, this.#time.now);
    for (const listener of this.#listeners) listener(zone);
  }

  end(zone: string): void {
    this.#down.delete(zone);
    for (const listener of this.#listeners) listener(zone);
  }
}
