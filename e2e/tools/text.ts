import { readFileSync } from 'node:fs';

/** The last `lines` lines of a log file, indented, or a note that it can't be read. */
export function tailOf(file: string, lines = 20): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return `    (no log: ${(error as Error).message})`;
  }
  return text
    .trimEnd()
    .split('\n')
    .slice(-lines)
    .map((line) => `    ${line}`)
    .join('\n');
}

/** Command-line flags from a record: `{ 'data-dir': '/x', v: 2 }` → `--data-dir=/x --v=2`. `undefined` is left out. */
export function flags(values: Readonly<Record<string, string | number | boolean | undefined>>): string[] {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `--${name}=${value}`);
}
