/** Where a command reads and writes, and how it may look: injected, so that tests see what a person would. */
import { styleText } from 'node:util';

/** The outside of a command. */
export interface Io {
  out: (text: string) => void;
  err: (text: string) => void;
  /** All of standard input. */
  stdin: () => Promise<string>;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Output goes to a terminal: it may be redrawn, and long lines are wrapped at its width. As large as it is by now. */
  terminal: { readonly columns: number; readonly rows: number } | undefined;
  /** Colours are welcome: a terminal, and no NO_COLOR (no-color.org). */
  colour: boolean;
}

/** Colours that mean something; without colours each gives its text as it is. */
export interface Style {
  good: (text: string) => string;
  bad: (text: string) => string;
  wait: (text: string) => string;
  bold: (text: string) => string;
  dim: (text: string) => string;
}

/** What a shell gives for a program that SIGPIPE ended. */
const SIGPIPE_EXIT = 141;

/** Of a terminal that does not know its size, as over a serial line. */
const USUAL = { columns: 80, rows: 24 };

function terminalOf(stream: { columns: number; rows: number }): Io['terminal'] {
  return {
    get columns() {
      return stream.columns || USUAL.columns;
    },
    get rows() {
      return stream.rows || USUAL.rows;
    },
  };
}

/** The process's own. */
export function processIo(): Io {
  const { stdout, stderr, stdin, env } = process;
  const isTerminal = stdout.isTTY;
  // Whoever reads us may stop early (`| head`): then we end as quietly as any program in a pipe.
  stdout.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(SIGPIPE_EXIT);
  });
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    stdin: async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of stdin) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks).toString('utf8');
    },
    now: () => Date.now(),
    terminal: isTerminal ? terminalOf(stdout) : undefined,
    colour: isTerminal && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb',
  };
}

/** The style of an output. */
export function styleOf(io: Pick<Io, 'colour'>): Style {
  const as = (format: Parameters<typeof styleText>[0]) => (text: string) =>
    io.colour && text !== '' ? styleText(format, text, { validateStream: false }) : text;
  return { good: as('green'), bad: as('red'), wait: as('yellow'), bold: as('bold'), dim: as('dim') };
}
