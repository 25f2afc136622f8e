/** Zones that are away, and whoever wants to know of it. */
export class ZoneOutage {
  readonly #down = new Set<string>();
  readonly #listeners: ((zone: string) => void)[] = [];

  isDown(zone: string | undefined): boolean {
    return zone !== undefined && this.#down.has(zone);
  }

  /** Called when a zone goes or comes back. */
  onChange(listener: (zone: string) => void): void {
    this.#listeners.push(listener);
  }

  begin(zone: string): void {
    this.#down.add(zone);
    for (const listener of this.#listeners) listener(zone);
  }

  end(zone: string): void {
    this.#down.delete(zone);
    for (const listener of this.#listeners) listener(zone);
  }
}
