import type { Log } from '../log/index.ts';

/** What is wrong with what is read again and again: each problem is logged once, and again only after another one or none. */
export class Problems {
  readonly #log: Log;
  readonly #said = new Map<string, string>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** `what` was read; empty: nothing is wrong with it. */
  note(what: string, problem: string): void {
    if (problem !== '' && problem !== this.#said.get(what)) this.#log.warn(what, { problem });
    this.#said.set(what, problem);
  }
}
