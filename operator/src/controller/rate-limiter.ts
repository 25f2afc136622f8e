/** How long a failed key waits: longer each time, and never too many keys at once (as client-go's default). */
import type { Clock } from './clock.ts';

export interface RateLimiterOptions {
  /** The first wait of a key, in ms; doubled each time. Default 5. */
  baseDelayMs?: number;
  /** The longest wait of a key, in ms. Default 5 minutes. */
  maxDelayMs?: number;
  /** Retries in a second over all keys, once the burst is used up. Default 10. */
  qps?: number;
  /** Retries that may go at once. Default 100. */
  burst?: number;
}

/** Per-key exponential backoff, together with one token bucket for all keys: the longer wait wins. */
export class RateLimiter {
  readonly #clock: Clock;
  readonly #baseDelayMs: number;
  readonly #maxDelayMs: number;
  readonly #bucket: TokenBucket;
  readonly #failures = new Map<string, number>();

  constructor(clock: Clock, options: RateLimiterOptions = {}) {
    this.#clock = clock;
    this.#baseDelayMs = options.baseDelayMs ?? 5;
    this.#maxDelayMs = options.maxDelayMs ?? 5 * 60_000;
    this.#bucket = new TokenBucket(options.qps ?? 10, options.burst ?? 100, clock.now());
  }

  /** Counts a failure of `key` and says how many ms it should wait. */
  when(key: string): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const own = Math.min(this.#baseDelayMs * 2 ** failures, this.#maxDelayMs);
    return Math.max(own, this.#bucket.reserve(this.#clock.now()));
  }

  /** `key` works again: its next failure waits the shortest time. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** Failures in a row. */
  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }
}

/** A token bucket that can be in debt: each reservation is told how long to wait for its token. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #last: number;

  /** @param perSecond tokens that come back in a second @param burst the most that it holds @param now in ms */
  constructor(perSecond: number, burst: number, now: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
    this.#last = now;
  }

  /** Takes a token, and says in how many ms it is there. */
  reserve(now: number): number {
    this.#refill(now);
    this.#tokens -= 1;
    return this.#tokens >= 0 ? 0 : (-this.#tokens / this.#perSecond) * 1000;
  }

  /** Takes a token if there is one. */
  tryTake(now: number): boolean {
    this.#refill(now);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  #refill(now: number): void {
    // A clock that was set back gives nothing, and takes nothing.
    const elapsed = Math.max(0, now - this.#last);
    this.#last = now;
    this.#tokens = Math.min(this.#burst, this.#tokens + (elapsed / 1000) * this.#perSecond);
  }
}
