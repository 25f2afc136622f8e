/** A terminal that draws what it is sent, as far as our commands go (ECMA-48, and xterm's wrapping at the last column). */

/** Sequences that are understood, as they follow ESC [. Any other is an error: it would be seen as rubbish, or do harm. */
const SEQUENCE = /^([\d;]*)([A-Za-z])/;

export class Terminal {
  readonly columns: number;
  readonly rows: number;
  /** Lines that have left it at the top. */
  readonly scrolled: string[] = [];
  /** How often all of it was erased at once, which is seen as a flicker. */
  erased = 0;
  #lines: string[][];
  #row = 0;
  #column = 0;

  constructor(columns = 80, rows = 24) {
    this.columns = columns;
    this.rows = rows;
    this.#lines = Array.from({ length: rows }, () => []);
  }

  /** What is seen: without spaces at the ends of lines, and without empty lines below. */
  get text(): string {
    return this.#lines.map(lineText).join('\n').trimEnd();
  }

  /** From 0. */
  get cursor(): { row: number; column: number } {
    return { row: this.#row, column: this.#column };
  }

  write(text: string): void {
    let rest = text;
    while (rest !== '') {
      if (rest.startsWith('\u001b[')) rest = this.#control(rest.slice(2));
      else {
        const [character = ''] = rest;
        this.#put(character);
        rest = rest.slice(character.length);
      }
    }
  }

  #control(rest: string): string {
    const [sequence = '', parameter = '', final = ''] = SEQUENCE.exec(rest) ?? [];
    const meaning = parameter + final;
    if (meaning === 'H') [this.#row, this.#column] = [0, 0];
    else if (meaning === '2J') this.#erase();
    else if (meaning === '2K') this.#lines[this.#row] = [];
    else if (meaning === 'J') this.#eraseBelow();
    else if (final !== 'm') throw new Error(`a terminal may not know ESC [ ${rest.slice(0, 8)}`);
    return rest.slice(sequence.length);
  }

  #erase(): void {
    this.erased += 1;
    this.#lines = this.#lines.map(() => []);
  }

  #eraseBelow(): void {
    this.#lines[this.#row]?.splice(this.#column);
    for (let row = this.#row + 1; row < this.rows; row++) this.#lines[row] = [];
  }

  #put(character: string): void {
    if (character === '\r') this.#column = 0;
    else if (character === '\n') this.#nextLine();
    else {
      if (this.#column === this.columns) this.#nextLine();
      const line = this.#lines[this.#row] ?? [];
      while (line.length < this.#column) line.push(' ');
      line[this.#column] = character;
      this.#column += 1;
    }
  }

  /** As the kernel's terminals do, a line end goes to the first column too. */
  #nextLine(): void {
    this.#column = 0;
    this.#row += 1;
    if (this.#row < this.rows) return;
    this.#row = this.rows - 1;
    this.scrolled.push(lineText(this.#lines.shift() ?? []));
    this.#lines.push([]);
  }
}

function lineText(line: readonly string[]): string {
  return line.join('').trimEnd();
}
