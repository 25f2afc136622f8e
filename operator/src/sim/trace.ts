/** What happened in a run, line by line, for a person who looks for a bug. */
import type { VirtualTime } from './virtual-time.ts';

export class Trace {
  readonly #time: VirtualTime;
  readonly #began: number;
  readonly #enabled: boolean;
  readonly #lines: string[] = [];

  /** @param enabled false: nothing is kept, and no text is made */
  constructor(time: VirtualTime, enabled: boolean) {
    this.#time = time;
    this.#began = time.now;
    this.#enabled = enabled;
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  add(line: () => string): void {
    if (!this.#enabled) return;
    const seconds = ((this.#time.now - this.#began) / 1000).toFixed(3);
    this.#lines.push(`${seconds.padStart(9)}  ${line()}`);
  }
}
