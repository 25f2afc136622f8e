/** Connections that are used again for a few seconds. */

/** A connection, or the attempt to make one. */
export interface Link {
  readonly isOpen: boolean;
  close(): void;
}

/** One that nobody used for so long is closed, milliseconds: a connection that stays idle may hang after a partition. */
const IDLE_MS = 3_000;

interface Held<T extends Link> {
  link: T;
  users: number;
  /** Closes it, while nobody uses it. */
  timer: NodeJS.Timeout | undefined;
}

/**
 * Connections by what they lead to. While a home moves, five looks a second follow each other at every store, and making a
 * connection for each took more time, there and here, than all that is asked: two TLS handshakes for an etcd, one for a Redis.
 * Several may use a connection at once. After any failure it is not used again, so that one that hangs costs one answer.
 */
export class Kept<T extends Link> {
  readonly #held = new Map<string, Held<T>>();

  /** Calls `work` with the connection of `key`, which `open` makes where there is none. */
  async use<R>(key: string, open: () => T, work: (link: T) => Promise<R>): Promise<R> {
    const held = this.#take(key, open);
    clearTimeout(held.timer);
    held.users += 1;
    try {
      return await work(held.link);
    } catch (error) {
      this.#drop(key, held);
      throw error;
    } finally {
      held.users -= 1;
      // One that was dropped is closed.
      if (held.users === 0 && this.#held.get(key) === held)
        held.timer = setTimeout(() => this.#drop(key, held), IDLE_MS).unref();
    }
  }

  #take(key: string, open: () => T): Held<T> {
    const before = this.#held.get(key);
    if (before?.link.isOpen === true) return before;
    if (before !== undefined) this.#drop(key, before);
    const made = { link: open(), users: 0, timer: undefined };
    this.#held.set(key, made);
    return made;
  }

  #drop(key: string, held: Held<T>): void {
    clearTimeout(held.timer);
    held.link.close();
    if (this.#held.get(key) === held) this.#held.delete(key);
  }
}
