import type { Duplex } from 'node:stream';

/** A turn that wrote to sockets for longer than this is a large fan-out, milliseconds. */
const LARGE_MS = 1;
/** After a large fan-out, how long until the next one, milliseconds; what comes meanwhile goes out with it. */
const PAUSE_MS = 10;

/** How a {@link Corker} knows the time and gets its turn. */
export interface CorkerClock {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Calls `run` at the end of this turn of the event loop, or after so many milliseconds. */
  readonly later: (run: () => void, afterMs: number) => void;
}

/**
 * Holds back what is written to sockets, so that it goes out in one piece: one TLS record and one system call, which
 * are most of what a delivery costs. Usually until the end of the turn. When thousands of sockets are written to again
 * and again, a little longer: each of them then gets several publications at once, and the same CPU delivers more of
 * them than it could one by one.
 */
export class Corker {
  readonly #clock: CorkerClock;
  readonly #corked: Duplex[] = [];
  #nextAt = 0;

  constructor(clock: CorkerClock) {
    this.#clock = clock;
  }

  /** Holds back what is written to `socket` from now on. */
  cork(socket: Duplex): void {
    if (socket.writableCorked > 0) return;
    socket.cork();
    if (this.#corked.push(socket) > 1) return;
    this.#clock.later(() => this.#flush(), Math.max(0, this.#nextAt - this.#clock.now()));
  }

  #flush(): void {
    const began = this.#clock.now();
    for (const socket of this.#corked.splice(0)) socket.uncork();
    const ended = this.#clock.now();
    this.#nextAt = ended - began > LARGE_MS ? ended + PAUSE_MS : 0;
  }
}

const corker = new Corker({
  now: () => performance.now(),
  later: (run, afterMs) => void (afterMs === 0 ? setImmediate(run) : setTimeout(run, afterMs)),
});

/** Holds back what is written to `socket` for a moment, see {@link Corker}. */
export function corkForAMoment(socket: Duplex): void {
  corker.cork(socket);
}
