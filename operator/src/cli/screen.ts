/** What commands show that follow something. */
import type { Io } from './io.ts';
import { shortDuration } from './table.ts';

// What terminals understand (ECMA-48).
const HOME = '\u001b[H';
const ERASE_SCREEN = '\u001b[2J';
const ERASE_LINE = '\u001b[2K';
const ERASE_BELOW = '\u001b[J';

/**
 * Shows one picture after another: in place on a terminal, below each other elsewhere. There, one that differs from the
 * last only by its ages is left out. On a terminal a picture is clipped to it, so that it never scrolls; {@link close}
 * leaves the last one whole. The cursor is never hidden, and always below: however the command ends, the shell goes on there.
 */
export class Screen {
  readonly #io: Io;
  #last: { text: string; at: number; whole: (now: number) => string } | undefined;

  constructor(io: Io) {
    this.#io = io;
  }

  /** `picture`: the text as of a time, milliseconds since the epoch. `whole`: what is left of it at the end. */
  show(picture: (now: number) => string, whole: (now: number) => string = picture): void {
    const { terminal } = this.#io;
    const last = this.#last;
    if (terminal === undefined && last !== undefined && picture(last.at) === last.text) return;
    const at = this.#io.now();
    const text = picture(at);
    this.#last = { text, at, whole };
    if (terminal === undefined) this.#io.out(text);
    else this.#draw(clip(text, terminal), last === undefined ? HOME + ERASE_SCREEN : HOME);
  }

  /** At the end: what did not fit is shown too. */
  close(): void {
    const { terminal } = this.#io;
    if (terminal === undefined || this.#last === undefined) return;
    const { text, at, whole } = this.#last;
    // Again, it would draw over what was said since.
    this.#last = undefined;
    const left = whole(at);
    if (left !== text || clip(text, terminal) !== text) this.#draw(left, HOME);
  }

  /** Line by line over what is there, and not erased as a whole before: that flickers. */
  #draw(text: string, start: string): void {
    const lines = text.split('\n').map((line) => ERASE_LINE + line);
    this.#io.out(start + lines.join('\n') + ERASE_BELOW);
  }
}

/** As many lines as fit above the cursor's, each as far as it fits. Pure. */
function clip(text: string, { columns, rows }: { columns: number; rows: number }): string {
  const lines = text.replace(/\n$/, '').split('\n');
  const fitting = lines.slice(0, Math.max(1, rows - 1));
  return `${fitting.map((line) => clipLine(line, columns)).join('\n')}\n`;
}

/** Leaves out what is past the width; colours take none, and each that begins is also ended. */
function clipLine(line: string, columns: number): string {
  let clipped = '';
  let width = 0;
  let inEscape = false;
  for (const character of line) {
    if (character === '\u001b') inEscape = true;
    if (inEscape || width < columns) clipped += character;
    if (!inEscape) width += 1;
    else if (character === 'm') inEscape = false;
  }
  return clipped;
}

/** What comes before a picture for which the API server has said nothing for `ms`. `why`: what it was asked last came to, if it failed. */
export function mayBeOld(ms: number, why = ''): string {
  return `The API server has said nothing for ${shortDuration(ms)}${why === '' ? '' : ` (${why})`}: this may be old.`;
}
