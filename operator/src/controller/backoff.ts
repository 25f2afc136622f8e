/** Waits that double, with jitter, so that many clients of a server that comes back don't come at once. */
import type { Clock } from './clock.ts';

export class Backoff {
  readonly #clock: Clock;
  readonly #baseMs: number;
  readonly #maxMs: number;
  #failures = 0;

  /** @param clock time and chance @param baseMs the first wait @param maxMs the longest, before jitter */
  constructor(clock: Clock, baseMs: number, maxMs: number) {
    this.#clock = clock;
    this.#baseMs = baseMs;
    this.#maxMs = maxMs;
  }

  /** Milliseconds to wait now: from the doubled base up to twice that. */
  next(): number {
    const ms = Math.min(this.#baseMs * 2 ** this.#failures, this.#maxMs);
    this.#failures += 1;
    return ms * (1 + this.#clock.random());
  }

  reset(): void {
    this.#failures = 0;
  }
}

/** What `promise` gives, or the signal's reason when it aborts first; the promise itself goes on. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  return new Promise<T>((resolve, reject) => {
    const aborted = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', aborted, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted));
  });
}
