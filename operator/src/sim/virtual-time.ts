/** Time as a queue of events: nothing waits for real time, and the order is the same in every run. */

/** Something that will happen; `cancel` takes it back. */
export interface Scheduled {
  cancel(): void;
}

interface Entry {
  at: number;
  order: number;
  run: (() => void) | undefined;
}

export class VirtualTime {
  readonly #heap: Entry[] = [];
  readonly #real = new Set<Promise<unknown>>();
  #now: number;
  #order = 0;

  /** @param start milliseconds since the epoch */
  constructor(start: number) {
    this.#now = start;
  }

  get now(): number {
    return this.#now;
  }

  /** Runs `run` in `ms`; what is scheduled for the same time runs in the order in which it was scheduled. */
  after(ms: number, run: () => void): Scheduled {
    const entry: Entry = { at: this.#now + Math.max(0, ms), order: (this.#order += 1), run };
    this.#push(entry);
    return {
      cancel: () => {
        entry.run = undefined;
      },
    };
  }

  /** Holds time still until real work (making a key) is done. */
  hold<T>(work: Promise<T>): Promise<T> {
    this.#real.add(work);
    return work.finally(() => this.#real.delete(work));
  }

  /** Lets time pass until `done()`, or until `limit` (ms since the epoch). True when done. */
  async run(done: () => boolean, limit: number): Promise<boolean> {
    for (;;) {
      await this.#settle();
      if (done()) return true;
      const next = this.#pop();
      if (next === undefined || next.at > limit) {
        if (next !== undefined) this.#push(next);
        this.#now = Math.max(this.#now, limit);
        return false;
      }
      this.#now = next.at;
      next.run?.();
    }
  }

  /** Lets everything run that waits for no time: a tick comes after all that promises have to do. */
  async #settle(): Promise<void> {
    await new Promise<void>((resolve) => process.nextTick(resolve));
    while (this.#real.size > 0) {
      await Promise.allSettled(this.#real);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let index = heap.push(entry) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !isBefore(entry, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = entry;
  }

  /** The earliest that was not cancelled. */
  #pop(): Entry | undefined {
    for (;;) {
      const first = this.#popAny();
      if (first === undefined || first.run !== undefined) return first;
    }
  }

  #popAny(): Entry | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      const left = heap[2 * index + 1];
      const right = heap[2 * index + 2];
      if (left === undefined) break;
      const useRight = right !== undefined && isBefore(right, left);
      const child = useRight ? right : left;
      if (!isBefore(child, last)) break;
      heap[index] = child;
      index = 2 * index + (useRight ? 2 : 1);
    }
    heap[index] = last;
    return first;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
