import type { StreamPosition } from '../protocol/index.ts';

/**
 * How long a stream may take to get where a client has been, milliseconds: longer than a zone that is back has the Redis of
 * before, and than the carrier needs to bring one up to date.
 */
const CATCH_UP_MS = 15_000;
/** A claim that was not repeated for this long is over; one that is made then is another one. */
const FORGET_MS = 60_000;
/** Claims that are kept; over it, the oldest goes. */
const MAX_CLAIMS = 10_000;

/** Somebody who comes back to a channel. */
interface Claim {
  user: string;
  channel: string;
  /** What it has. */
  from: StreamPosition;
}

/**
 * Clients that are ahead of the stream that they come back to. A client has a position from the stream itself; so this Redis is
 * of the past: one of a zone that was home before, or one that lost its last moments and is brought up to date from Kafka.
 * Told that it cannot recover, the client would get twice what it has, as soon as the stream has it. So it is to come again;
 * but not for ever, since a position may be invented, and Kafka may have lost something too.
 */
export class Ahead {
  readonly #since = new Map<string, number>();

  /** Whether it is to come again. `stream`: where that is. `now`: monotonic milliseconds. */
  mustWait({ user, channel, from }: Claim, stream: StreamPosition, now: number): boolean {
    const key = JSON.stringify([user, channel, from.epoch]);
    const since = this.#since.get(key) ?? -Infinity;
    const isAhead = from.epoch === stream.epoch && from.offset > stream.offset;
    if (!isAhead || (now - since >= CATCH_UP_MS && now - since < FORGET_MS)) {
      this.#since.delete(key);
      return false;
    }
    if (now - since >= FORGET_MS) this.#note(key, now);
    return true;
  }

  /** Claims that are kept. */
  get size(): number {
    return this.#since.size;
  }

  #note(key: string, now: number): void {
    // As the latest.
    this.#since.delete(key);
    const [oldest] = this.#since.keys();
    if (this.#since.size >= MAX_CLAIMS && oldest !== undefined) this.#since.delete(oldest);
    this.#since.set(key, now);
  }
}
