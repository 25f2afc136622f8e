/** For each receiver of a delivery, how long the next one waits, and at most: milliseconds. */
const WAIT_MS = 0.04;
const MAX_WAIT_MS = 25;
/** A longer time without a message says no more, milliseconds. */
const MAX_GAP_MS = 100;
/** Most that is held: a batch stays far below what may wait for one client. */
const MAX_HELD = 32;

/** How much of what is known of the time between messages is the last one's. */
const NEWS = 0.2;

/**
 * How often a channel with many subscribers is delivered to. A delivery to 500 costs some milliseconds, most of it the
 * encryption and the system call of each. When publications follow each other faster than a pause (20 ms for 500), they
 * are held until it is over, and all that came meanwhile goes out in one piece: so they share the cost of a delivery. When
 * they don't, none waits: it would be no cheaper. `M` has what is held, in order.
 */
export class Pace<M> {
  #held: M[] = [];
  #pauseMs = 0;
  #busyUntil = 0;
  #lastAt: number | undefined;
  /** Mean time between messages. */
  #gapMs: number | undefined;

  /** The last one that is held. */
  get last(): M | undefined {
    return this.#held.at(-1);
  }

  get isFull(): boolean {
    return this.#held.length >= MAX_HELD;
  }

  /** A message comes: true if it is to be held. `now`: monotonic milliseconds. */
  arrives(now: number): boolean {
    this.#note(now);
    const isFast = this.#gapMs !== undefined && this.#gapMs * 2 <= this.#pauseMs;
    return this.#held.length > 0 || (isFast && now < this.#busyUntil);
  }

  /** Something was delivered to so many. */
  delivered(receivers: number, now: number): void {
    this.#pauseMs = Math.min(MAX_WAIT_MS, receivers * WAIT_MS);
    this.#busyUntil = now + this.#pauseMs;
  }

  /** Holds a message. If it is the first one, tells in how many milliseconds all that are held are to be taken. */
  hold(message: M, now: number): number | undefined {
    const isFirst = this.#held.push(message) === 1;
    return isFirst ? Math.max(0, this.#busyUntil - now) : undefined;
  }

  /** What is held, and from now on no more. */
  take(): M[] {
    const held = this.#held;
    if (held.length > 0) this.#held = [];
    return held;
  }

  #note(now: number): void {
    const gap = this.#lastAt === undefined ? undefined : Math.min(now - this.#lastAt, MAX_GAP_MS);
    this.#lastAt = now;
    if (gap !== undefined) this.#gapMs = (this.#gapMs ?? gap) * (1 - NEWS) + gap * NEWS;
  }
}
