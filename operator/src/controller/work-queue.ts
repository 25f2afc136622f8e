/**
 * A queue of keys for level-triggered work: a key waits at most once, is worked on by at most one worker at a
 * time, and a change that arrives during the work brings it back afterwards (client-go's workqueue).
 */
import type { Clock } from './clock.ts';
import { DelayLine } from './delay-line.ts';
import { EngineMetrics } from './metrics.ts';
import { RateLimiter } from './rate-limiter.ts';
import type { RateLimiterOptions } from './rate-limiter.ts';

export interface WorkQueueOptions {
  /** The `name` label of its metrics. */
  name: string;
  clock: Clock;
  metrics?: EngineMetrics;
  rateLimiter?: RateLimiterOptions;
}

export class WorkQueue {
  readonly #name: string;
  readonly #clock: Clock;
  readonly #metrics: EngineMetrics;
  readonly #limiter: RateLimiter;
  readonly #delayed: DelayLine;
  /** Waiting keys, each with when it arrived. */
  readonly #waiting = new Map<string, number>();
  /** The same keys in order of arrival, from `#head` on; what is before it has been handed out. */
  #order: string[] = [];
  #head = 0;
  /** Keys that a worker has, each with when the work began. */
  readonly #working = new Map<string, number>();
  /** Keys that were added while a worker had them, each with when. */
  readonly #again = new Map<string, number>();
  readonly #takers: ((key: string | undefined) => void)[] = [];
  #stopped = false;

  constructor(options: WorkQueueOptions) {
    this.#name = options.name;
    this.#clock = options.clock;
    this.#metrics = options.metrics ?? new EngineMetrics();
    this.#limiter = new RateLimiter(options.clock, options.rateLimiter);
    this.#delayed = new DelayLine(options.clock, (key) => this.add(key));
  }

  /** Keys that wait for a worker; those of the delay line aren't counted. */
  get length(): number {
    return this.#waiting.size;
  }

  /** Keys that wait for their time. */
  get delayed(): number {
    return this.#delayed.length;
  }

  /** Adds a key; one that waits already is not added again. After {@link shutDown} nothing is. */
  add(key: string): void {
    if (this.#stopped || this.#waiting.has(key) || this.#again.has(key)) return;
    const name = this.#name;
    this.#metrics.queueAdds.inc({ name });
    const now = this.#clock.now();
    if (this.#working.has(key)) {
      this.#again.set(key, now);
      return;
    }
    this.#wait(key, now);
    this.#handOut();
    this.#metrics.queueDepth.set({ name }, this.#waiting.size);
  }

  /** Adds a key after `delayMs`; if it waits for its time already, the earlier time counts. */
  addAfter(key: string, delayMs: number): void {
    if (delayMs <= 0) this.add(key);
    else this.#delayed.add(key, delayMs);
  }

  /** Adds a key after its backoff, which grows with each call until {@link forget}. Returns the wait in ms. */
  addRateLimited(key: string): number {
    const delayMs = this.#limiter.when(key);
    this.#metrics.queueRetries.inc({ name: this.#name });
    this.addAfter(key, delayMs);
    return delayMs;
  }

  /** The key works again: its backoff starts over. */
  forget(key: string): void {
    this.#limiter.forget(key);
  }

  /** Failures of the key in a row. */
  failures(key: string): number {
    return this.#limiter.failures(key);
  }

  /** The next key, when there is one; undefined after {@link shutDown}. Whoever takes it must call {@link done}. */
  async take(): Promise<string | undefined> {
    if (this.#stopped) return undefined;
    return new Promise((resolve) => {
      this.#takers.push(resolve);
      this.#handOut();
    });
  }

  /** The work on a key has ended; what was added meanwhile goes to the back of the queue. */
  done(key: string): void {
    const began = this.#working.get(key);
    if (began === undefined) throw new Error(`work queue ${this.#name}: done("${key}") without take()`);
    const name = this.#name;
    this.#working.delete(key);
    this.#metrics.workDuration.observe({ name }, (this.#clock.now() - began) / 1000);
    const added = this.#again.get(key);
    if (added === undefined) return;
    this.#again.delete(key);
    this.#wait(key, added);
    this.#handOut();
    this.#metrics.queueDepth.set({ name }, this.#waiting.size);
  }

  /** Takes no more keys, drops those that wait, and lets the workers go. */
  shutDown(): void {
    this.#stopped = true;
    this.#delayed.stop();
    this.#waiting.clear();
    this.#order = [];
    this.#head = 0;
    this.#again.clear();
    this.#metrics.queueDepth.set({ name: this.#name }, 0);
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }

  #wait(key: string, since: number): void {
    this.#waiting.set(key, since);
    this.#order.push(key);
  }

  #handOut(): void {
    while (this.#takers.length > 0) {
      const key = this.#order[this.#head];
      if (key === undefined) return;
      this.#head += 1;
      // Now and then the part that is used up is thrown away: each key is moved at most once on the average.
      if (this.#head > 1000 && this.#head * 2 > this.#order.length) {
        this.#order = this.#order.slice(this.#head);
        this.#head = 0;
      }
      const name = this.#name;
      const now = this.#clock.now();
      const since = this.#waiting.get(key) ?? now;
      this.#waiting.delete(key);
      this.#working.set(key, now);
      this.#metrics.queueDuration.observe({ name }, Math.max(0, now - since) / 1000);
      this.#metrics.queueDepth.set({ name }, this.#waiting.size);
      this.#takers.shift()?.(key);
    }
  }
}
