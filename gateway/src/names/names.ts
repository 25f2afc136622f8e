import type { LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import type { LookupFunction } from 'node:net';
import { Answers } from './answers.ts';
import { isDenial } from './system.ts';
import { Turns } from './turns.ts';

/** Who has an old answer waits so long for a new one, milliseconds. Name servers that are there take a few. */
const PATIENCE_MS = 300;
/** After this time without an answer the question is asked once more, milliseconds: another name server may get it. */
const AGAIN_MS = 500;
/** Of the four threads that the runtime has for lookups and files, so many may wait for name servers. */
const AT_ONCE = 2;

/** What {@link Names} works with. */
export interface NamesParts {
  /** See `askSystem`. */
  ask: (name: string) => Promise<LookupAddress[]>;
  /** Monotonic milliseconds. */
  now: () => number;
  answers?: Answers;
}

/** How lookups went: from memory, by an answer, by an old answer since there was no new one, or not at all. */
export type LookupOutcome = 'kept' | 'answered' | 'stale' | 'failed';

/** Told that an old answer is used. `why`: what became of the question; undefined: it has no answer yet. */
export type StaleListener = (name: string, why: unknown) => void;

interface Question {
  since: number;
  answer: Promise<LookupAddress[]>;
}

/**
 * Addresses of the names that we connect to, also while name servers are away: then those that were known last. In the outage
 * of a zone the cluster's DNS is half dead until Kubernetes has noticed, up to a minute, and each connection that is made anew
 * would wait for it. An old address is asked for again each time it is used, so one that nobody answers at any more is
 * replaced as soon as somebody can say by what.
 */
export class Names {
  readonly counts: Record<LookupOutcome, number> = { kept: 0, answered: 0, stale: 0, failed: 0 };
  /** Called each time an old answer is used. */
  onStale: StaleListener = () => undefined;
  readonly #parts: NamesParts;
  readonly #answers: Answers;
  readonly #asked = new Map<string, Question>();
  readonly #turns = new Turns(AT_ONCE);

  constructor(parts: NamesParts) {
    this.#parts = parts;
    this.#answers = parts.answers ?? new Answers();
  }

  /** For the option `lookup` of net, tls, http and http2. */
  readonly lookup: LookupFunction = (host, { all, family }, callback) => {
    this.#fitting(host, family).then(
      (found) => (all ? process.nextTick(callback, null, found) : tellFirst(found, callback)),
      (error: NodeJS.ErrnoException) => process.nextTick(callback, error, ''),
    );
  };

  /** The addresses of a family, at least one. */
  async #fitting(host: string, family: Family): Promise<LookupAddress[]> {
    const all = await this.addresses(host);
    const found = isOne(family) ? all.filter((one) => `IPv${one.family}` === versionOf(family)) : all;
    if (found.length === 0) throw notFound(host);
    return found;
  }

  /** At least one. Rejects as `ask` does, when no answer is remembered either. */
  async addresses(host: string): Promise<LookupAddress[]> {
    const version = isIP(host);
    if (version !== 0) return [{ address: host, family: version }];
    const known = this.#answers.look(host, this.#parts.now());
    if (!known) return this.#firstAnswer(host);
    if (known.isFresh) return this.#count('kept', known.addresses);
    if (!known.isDue) return this.#stale(host, known.addresses, undefined);
    return this.#newAnswer(host, known.addresses);
  }

  async #firstAnswer(host: string): Promise<LookupAddress[]> {
    try {
      return this.#count('answered', await this.#question(host).answer);
    } catch (error) {
      this.counts.failed += 1;
      throw error;
    }
  }

  async #newAnswer(host: string, old: readonly LookupAddress[]): Promise<LookupAddress[]> {
    const { since, answer } = this.#question(host);
    try {
      const found = await upTo(PATIENCE_MS - (this.#parts.now() - since), answer);
      return found ? this.#count('answered', found) : this.#stale(host, old, undefined);
    } catch (error) {
      // Still known, or denied for so long that it is gone.
      if (this.#answers.look(host, this.#parts.now())) return this.#stale(host, old, error);
      this.counts.failed += 1;
      throw error;
    }
  }

  #stale(host: string, old: readonly LookupAddress[], why: unknown): LookupAddress[] {
    this.onStale(host, why);
    return this.#count('stale', old);
  }

  #count(outcome: LookupOutcome, addresses: readonly LookupAddress[]): LookupAddress[] {
    this.counts[outcome] += 1;
    return [...addresses];
  }

  /** Whoever asks for a name that is being asked for shares the answer. */
  #question(host: string): Question {
    let question = this.#asked.get(host);
    if (!question) {
      question = { since: this.#parts.now(), answer: this.#ask(host) };
      // Whoever still waits for it is told; nobody may.
      question.answer.catch(() => undefined);
      this.#asked.set(host, question);
    }
    return question;
  }

  async #ask(host: string): Promise<LookupAddress[]> {
    const { ask, now } = this.#parts;
    const once = (): Promise<LookupAddress[]> => this.#turns.run(() => ask(host));
    try {
      const found = await twice(once, () => this.#turns.isFree);
      if (found.length === 0) throw notFound(host);
      this.#answers.answered(host, found, now());
      return found;
    } catch (error) {
      if (isDenial(error)) this.#answers.denied(host, now());
      else this.#answers.failed(host, now());
      throw error;
    } finally {
      this.#asked.delete(host);
    }
  }
}

/**
 * Asks, and when there is no answer soon once more beside it, if `mayAgain`: kube-proxy sends all that comes from one socket to
 * the same name server, the repetitions of the system's resolver too, and a question from another socket perhaps to one
 * that is there. The first answer counts; of two errors the one that says more.
 */
async function twice<T>(ask: () => Promise<T>, mayAgain: () => boolean): Promise<T> {
  const first = ask();
  const settled = first.then(
    () => true,
    () => true,
  );
  if ((await upTo(AGAIN_MS, settled)) || !mayAgain()) return first;
  try {
    return await Promise.any([first, ask()]);
  } catch (error) {
    const { errors } = error as AggregateError;
    throw errors.find(isDenial) ?? errors[0];
  }
}

/** What `work` resolves to, or undefined after `ms` milliseconds. Rejects as it does, before that. */
async function upTo<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, ms), undefined);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

type Family = Parameters<LookupFunction>[1]['family'];

function tellFirst([first]: LookupAddress[], callback: Parameters<LookupFunction>[2]): void {
  process.nextTick(callback, null, first?.address ?? '', first?.family);
}

function isOne(family: Family): boolean {
  return family !== undefined && family !== 0;
}

function versionOf(family: Family): string {
  return typeof family === 'string' ? family : `IPv${family}`;
}

/** As the system's own lookup says it. */
function notFound(host: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), {
    code: 'ENOTFOUND',
    syscall: 'getaddrinfo',
    hostname: host,
  });
}
