/** Keys that come back after a time: a heap with one sleeper, however many keys wait. */
import type { Clock } from './clock.ts';

interface Waiting {
  key: string;
  due: number;
}

/** Calls `ready(key)` when the time of a key has come. A key that waits twice comes at the earlier time. */
export class DelayLine {
  readonly #clock: Clock;
  readonly #ready: (key: string) => void;
  readonly #heap: Waiting[] = [];
  readonly #due = new Map<string, number>();
  #wake: AbortController | undefined;
  #stopped = false;

  constructor(clock: Clock, ready: (key: string) => void) {
    this.#clock = clock;
    this.#ready = ready;
  }

  get length(): number {
    return this.#due.size;
  }

  add(key: string, delayMs: number): void {
    if (this.#stopped) return;
    const due = this.#clock.now() + delayMs;
    const before = this.#due.get(key);
    if (before !== undefined && before <= due) return;
    this.#due.set(key, due);
    const first = this.#heap[0];
    this.#push({ key, due });
    if (first === undefined || due < first.due) this.#restart();
  }

  /** Forgets all that waits. */
  stop(): void {
    this.#stopped = true;
    this.#heap.length = 0;
    this.#due.clear();
    this.#wake?.abort();
    this.#wake = undefined;
  }

  /** Sleeps until the earliest key is due; an earlier one that arrives starts the sleep over. */
  #restart(): void {
    this.#wake?.abort();
    this.#wake = undefined;
    const first = this.#heap[0];
    if (first === undefined) return;
    const wake = new AbortController();
    this.#wake = wake;
    // The timer's whole milliseconds may end a hair early: sleep at least one, so as not to spin.
    const ms = Math.max(1, Math.ceil(first.due - this.#clock.now()));
    this.#clock.sleep(ms, wake.signal).then(
      () => this.#release(),
      (error: unknown) => {
        if (!wake.signal.aborted) throw error;
      },
    );
  }

  #release(): void {
    const now = this.#clock.now();
    for (let first = this.#heap[0]; first !== undefined && first.due <= now; first = this.#heap[0]) {
      this.#pop();
      // An entry that an earlier time of the same key has overtaken is stale.
      if (this.#due.get(first.key) !== first.due) continue;
      this.#due.delete(first.key);
      this.#ready(first.key);
    }
    this.#restart();
  }

  #push(item: Waiting): void {
    const heap = this.#heap;
    let index = heap.push(item) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || above.due <= item.due) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = item;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      const right = left + 1;
      const smaller = this.#dueAt(right) < this.#dueAt(left) ? right : left;
      const below = heap[smaller];
      if (below === undefined || below.due >= last.due) break;
      heap[index] = below;
      index = smaller;
    }
    heap[index] = last;
  }

  #dueAt(index: number): number {
    return this.#heap[index]?.due ?? Infinity;
  }
}
