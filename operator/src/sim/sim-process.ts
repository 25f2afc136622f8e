/** A process in the simulation: it can be killed at any moment, and be held still. */
import type { Clock } from '../controller/clock.ts';
import { Random } from './random.ts';
import type { VirtualTime } from './virtual-time.ts';

export class SimProcess {
  readonly name: string;
  readonly clock: Clock;
  readonly #time: VirtualTime;
  #alive = true;
  #heldUntil = 0;
  /** What reached it while it stood still. */
  readonly #queued: (() => void)[] = [];

  constructor(name: string, time: VirtualTime, random: Random) {
    this.name = name;
    this.#time = time;
    this.clock = {
      now: () => time.now,
      random: () => random.next(),
      sleep: (ms, signal) => this.#sleep(ms, signal),
    };
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** From now on nothing of it acts, and nothing reaches it. */
  kill(): void {
    this.#alive = false;
  }

  /** Stands still for `ms`, as a process does whose machine is suspended: it notices nothing of it. */
  hold(ms: number): void {
    this.#heldUntil = Math.max(this.#heldUntil, this.#time.now + ms);
  }

  /** Lets `run` happen in this process: when it stands still later, in the same order; when it is dead never. */
  deliver(run: () => void): void {
    if (!this.#alive) return;
    if (this.#heldUntil <= this.#time.now && this.#queued.length === 0) {
      run();
      return;
    }
    this.#queued.push(run);
    if (this.#queued.length === 1) this.#wakeUp();
  }

  #wakeUp(): void {
    this.#time.after(this.#heldUntil - this.#time.now, () => {
      if (this.#heldUntil > this.#time.now) {
        this.#wakeUp();
        return;
      }
      for (const run of this.#queued.splice(0)) run();
    });
  }

  #sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      const aborted = (): void => {
        timer.cancel();
        reject(signal?.reason as Error);
      };
      const timer = this.#time.after(ms, () =>
        this.deliver(() => {
          signal?.removeEventListener('abort', aborted);
          resolve();
        }),
      );
      signal?.addEventListener('abort', aborted, { once: true });
    });
  }
}
