/** One watch, from the fake server to a process: events in order, late if need be, until it ends or breaks. */
import type { KubeObject, WatchEvent } from '../controller/kube-api.ts';
import type { SimProcess } from './sim-process.ts';
import type { VirtualTime } from './virtual-time.ts';

type Item = { event: WatchEvent<KubeObject> } | { error: Error } | { end: true };

export class WatchPipe implements AsyncIterable<WatchEvent<KubeObject>> {
  readonly #time: VirtualTime;
  readonly #process: SimProcess;
  readonly #buffer: Item[] = [];
  #waiting: { resolve: (item: Item) => void } | undefined;
  #lastAt = 0;
  #isOver = false;

  constructor(time: VirtualTime, process: SimProcess) {
    this.#time = time;
    this.#process = process;
  }

  /** False once it has ended, for whichever reason. */
  get isOpen(): boolean {
    return !this.#isOver && this.#process.alive;
  }

  /** Sends an event that arrives after `ms`, but never before one that was sent earlier. */
  send(event: WatchEvent<KubeObject>, ms: number): void {
    if (this.#isOver) return;
    this.#deliver({ event }, ms);
  }

  /** Breaks the watch; what is under way is lost. */
  fail(error: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#process.deliver(() => this.#put({ error }));
  }

  /** The server ends it, after what is under way. */
  end(ms: number): void {
    if (this.#isOver) return;
    this.#deliver({ end: true }, ms);
    this.#isOver = true;
  }

  /** The process itself wants no more of it. */
  close(): void {
    this.#isOver = true;
    this.#put({ end: true });
  }

  [Symbol.asyncIterator](): AsyncIterator<WatchEvent<KubeObject>> {
    return {
      next: async () => {
        const item =
          this.#buffer.shift() ?? (await new Promise<Item>((resolve) => (this.#waiting = { resolve })));
        if ('error' in item) throw item.error;
        return 'end' in item ? { done: true, value: undefined } : { done: false, value: item.event };
      },
      return: () => {
        this.#isOver = true;
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  #deliver(item: Item, ms: number): void {
    this.#lastAt = Math.max(this.#lastAt, this.#time.now + ms);
    this.#time.after(this.#lastAt - this.#time.now, () => {
      if (!this.#isOver || 'end' in item) this.#process.deliver(() => this.#put(item));
    });
  }

  #put(item: Item): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#buffer.push(item);
    else waiting.resolve(item);
  }
}
