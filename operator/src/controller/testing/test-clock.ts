/** A clock that stands still until a test moves it. */
import type { Clock } from '../clock.ts';

interface Sleeper {
  due: number;
  order: number;
  wake: () => void;
}

export class TestClock implements Clock {
  #now: number;
  #order = 0;
  readonly #sleepers = new Set<Sleeper>();
  readonly #random: () => number;

  /** @param start ms since the epoch @param random chance; default: always the middle */
  constructor(start = Date.UTC(2026, 0, 1), random: () => number = () => 0.5) {
    this.#now = start;
    this.#random = random;
  }

  now(): number {
    return this.#now;
  }

  random(): number {
    return this.#random();
  }

  /** How many sleep. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const sleeper: Sleeper = { due: this.#now + ms, order: this.#order, wake };
      const sleepers = this.#sleepers;
      this.#order += 1;
      sleepers.add(sleeper);
      signal?.addEventListener('abort', aborted, { once: true });
      function wake(): void {
        sleepers.delete(sleeper);
        signal?.removeEventListener('abort', aborted);
        resolve();
      }
      function aborted(): void {
        sleepers.delete(sleeper);
        reject(signal?.reason as Error);
      }
    });
  }

  /** Moves the time on, from one sleeper to the next, and lets each do what it has to. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settle();
    for (let next = this.#next(until); next !== undefined; next = this.#next(until)) {
      this.#now = Math.max(this.#now, next.due);
      next.wake();
      await settle();
    }
    this.#now = until;
    await settle();
  }

  #next(until: number): Sleeper | undefined {
    return [...this.#sleepers]
      .filter(({ due }) => due <= until)
      .sort((a, b) => a.due - b.due || a.order - b.order)[0];
  }
}

/** Lets every promise that can go on go on. */
export async function settle(): Promise<void> {
  await new Promise<void>((resolve) => {
    setImmediate(resolve);
  });
}
