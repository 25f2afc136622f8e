/** What is remembered of name servers' answers. Decides, and does no I/O; after RFC 8767, "Serving Stale Data". */
import type { LookupAddress } from 'node:dns';

/** Bounds of {@link Answers}; milliseconds. */
export interface AnswerLimits {
  /** Up to this age an answer is given again without asking. */
  freshMs: number;
  /** Up to this age an answer is given while nobody can say more. RFC 8767 (section 5) says one to three days. */
  staleMs: number;
  /** After a question that brought no answer the next one waits as long. */
  recheckMs: number;
  /** A name is gone when name servers have said for so long that there is none. */
  goneMs: number;
  /** Most names; those that nobody wanted for longest go first. */
  names: number;
}

/**
 * A lookup is for a connection that is about to be made, and one that fails is made again: so answers are fresh for a moment
 * only, and a restarted server's new address is known as soon as name servers know it. Ones that have just started deny names
 * that there are (coredns issue 1365), and so do all for a server that is not ready: hence `goneMs`.
 */
export const ANSWER_LIMITS: AnswerLimits = {
  freshMs: 1_000,
  staleMs: 24 * 3_600_000,
  recheckMs: 1_000,
  goneMs: 10_000,
  names: 256,
};

/** What is known of a name. */
export interface Known {
  addresses: readonly LookupAddress[];
  /** It need not be asked for. */
  isFresh: boolean;
  /** The last question may be followed by another one. */
  isDue: boolean;
}

interface Entry {
  addresses: readonly LookupAddress[];
  answeredAt: number;
  /** When a question came to nothing last. */
  failedAt: number | undefined;
  /** Since when name servers say that there is no such name. */
  deniedAt: number | undefined;
}

/** The last good answer for each name. `now` is always monotonic milliseconds. */
export class Answers {
  readonly #limits: AnswerLimits;
  /** The one that was wanted last is the last. */
  readonly #entries = new Map<string, Entry>();

  constructor(limits: AnswerLimits = ANSWER_LIMITS) {
    this.#limits = limits;
  }

  /** How many names are remembered. */
  get size(): number {
    return this.#entries.size;
  }

  /** Undefined: nothing is known that may still be used. */
  look(name: string, now: number): Known | undefined {
    const entry = this.#entries.get(name);
    if (!entry) return undefined;
    const age = now - entry.answeredAt;
    if (age > this.#limits.staleMs) {
      this.#entries.delete(name);
      return undefined;
    }
    this.#keep(name, entry);
    const isDue = entry.failedAt === undefined || now - entry.failedAt >= this.#limits.recheckMs;
    return { addresses: entry.addresses, isFresh: age <= this.#limits.freshMs, isDue };
  }

  /** Name servers gave addresses. */
  answered(name: string, addresses: readonly LookupAddress[], now: number): void {
    this.#keep(name, { addresses, answeredAt: now, failedAt: undefined, deniedAt: undefined });
  }

  /** Name servers said that there is no such name: it is forgotten once they have said so for long enough. */
  denied(name: string, now: number): void {
    const entry = this.#entries.get(name);
    if (!entry) return;
    entry.failedAt = now;
    entry.deniedAt ??= now;
    if (now - entry.deniedAt >= this.#limits.goneMs) this.#entries.delete(name);
  }

  /** Nobody could say. */
  failed(name: string, now: number): void {
    const entry = this.#entries.get(name);
    if (entry) entry.failedAt = now;
  }

  #keep(name: string, entry: Entry): void {
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > this.#limits.names && oldest !== undefined) this.#entries.delete(oldest);
  }
}
