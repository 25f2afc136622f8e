/** Runs test files with node:test, prints them as they end, and counts. */
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { stripVTControlCharacters } from 'node:util';

export interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

export interface FileCoverage {
  path: string;
  lines: number;
  covered: number;
}

export interface RunResult extends Count {
  coverage: FileCoverage[];
}

/** How files are run. */
export interface RunOptions {
  cwd: string;
  /** Files at the same time. */
  concurrency: number;
  /** For one test, milliseconds. */
  timeoutMs: number;
  coverage?: boolean;
  /** Only tests whose name matches. */
  namePattern?: string;
}

/** Runs the files, each in a process of its own. */
export async function runFiles(files: readonly string[], options: RunOptions): Promise<RunResult> {
  const result: RunResult = { passed: 0, failed: 0, skipped: 0, coverage: [] };
  if (files.length === 0) return result;
  const stream = run({
    files: [...files],
    cwd: options.cwd,
    concurrency: options.concurrency,
    timeout: options.timeoutMs,
    // Warnings of packages that nobody who runs the tests can act on.
    execArgv: ['--disable-warning=ExperimentalWarning', '--disable-warning=TimeoutNegativeWarning'],
    ...(options.namePattern === undefined ? {} : { testNamePatterns: options.namePattern }),
    ...(options.coverage === true
      ? {
          coverage: true,
          coverageExcludeGlobs: ['**/*.test.ts', '**/testing/**', 'e2e/**', '**/sim/**', '**/dist/**'],
        }
      : {}),
  });
  stream.on('test:summary', (summary) => {
    if (summary.file !== undefined) return; // One for each file comes first, then one for all.
    const { tests, passed, skipped, todo } = summary.counts;
    result.passed = passed;
    result.failed = tests - passed - skipped - todo; // Those that were cancelled too.
    result.skipped = skipped + todo;
  });
  stream.on('test:coverage', ({ summary }) => {
    result.coverage = summary.files.map((file) => ({
      path: file.path,
      lines: file.totalLineCount,
      covered: file.coveredLineCount,
    }));
  });
  const printed = stream.compose(new spec());
  for await (const text of printed as AsyncIterable<Buffer | string>) {
    if (!isNoise(String(text))) process.stdout.write(text);
  }
  return result;
}

/** The reporter's own totals and its long coverage table: we print shorter ones at the end. */
function isNoise(text: string): boolean {
  return stripVTControlCharacters(text).startsWith('ℹ ');
}
