/** For each receiver of a delivery, how long the next one waits, and at most: milliseconds. */
const WAIT_MS = 0.04;
const MAX_WAIT_MS = 25;
/** Most that is held: a batch stays far below what may wait for one client. */
const MAX_HELD = 32;

/**
 * How often a channel with many subscribers is delivered to. A delivery to 500 costs some milliseconds, most of it the
 * encryption and the system call of each; if the next publication follows at once, it is held until the pause is over
 * (20 ms then), and goes out in one piece with all that came meanwhile. So the cost of a delivery is shared by several
 * publications when there is much to do, and nothing waits when there is not. `M` has what is held, in order.
 */
export class Pace<M> {
  #held: M[] = [];
  #busyUntil = 0;

  /** The last one that is held. */
  get last(): M | undefined {
    return this.#held.at(-1);
  }

  get isFull(): boolean {
    return this.#held.length >= MAX_HELD;
  }

  /** The next delivery has to wait. `now`: monotonic milliseconds. */
  isBusy(now: number): boolean {
    return this.#held.length > 0 || now < this.#busyUntil;
  }

  /** Something was delivered to so many. */
  delivered(receivers: number, now: number): void {
    this.#busyUntil = now + Math.min(MAX_WAIT_MS, receivers * WAIT_MS);
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
}
