/** Results on disk, and numbers on the command line. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { rounded } from '../replication/report.ts';

/** Writes raw numbers, at three decimals. */
export function writeResult(file: string, result: object): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(rounded(result), undefined, 2)}\n`);
}

/** A whole number from 1, of the command line. */
export function countOf(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('It must be a whole number from 1.');
  return value;
}

/** Such numbers separated by commas. */
export function countList(text: string): number[] {
  return text.split(',').map(countOf);
}
