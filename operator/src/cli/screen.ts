/** What commands show that follow something. */
import type { Io } from './io.ts';

/**
 * Shows one picture after another: in place on a terminal, below each other elsewhere. There, one that differs from the
 * last only by its ages is left out.
 */
export class Screen {
  readonly #io: Io;
  #last: { text: string; at: number } | undefined;

  constructor(io: Io) {
    this.#io = io;
  }

  /** `picture`: the text as of a time, milliseconds since the epoch. */
  show(picture: (now: number) => string): void {
    const inPlace = this.#io.terminal !== undefined;
    if (!inPlace && this.#last !== undefined && picture(this.#last.at) === this.#last.text) return;
    const at = this.#io.now();
    const text = picture(at);
    this.#last = { text, at };
    this.#io.out((inPlace ? '\u001b[2J\u001b[3J\u001b[H' : '') + text);
  }
}
