/** Runs test files with node:test, prints them as they end, and counts. */
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { stripVTControlCharacters } from 'node:util';

/** A file may end this long after its last test, milliseconds. */
const END_MS = 60_000;

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
  /** For a file to end after its last test, milliseconds; default: a minute. */
  endMs?: number;
  coverage?: boolean;
  /** Only tests whose name matches. */
  namePattern?: string;
}

/** Runs the files, each in a process of its own. */
export async function runFiles(files: readonly string[], options: RunOptions): Promise<RunResult> {
  const result: RunResult = { passed: 0, failed: 0, skipped: 0, coverage: [] };
  if (files.length === 0) return result;
  const watchdog = new Watchdog(options.timeoutMs + (options.endMs ?? END_MS));
  const stream = run({
    files: [...files],
    cwd: options.cwd,
    signal: watchdog.signal,
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
  stream.on('data', () => watchdog.alive());
  const printed = stream.compose(new spec());
  try {
    for await (const text of printed as AsyncIterable<Buffer | string>) {
      if (!isNoise(String(text))) process.stdout.write(text);
    }
  } finally {
    watchdog.stop();
  }
  if (watchdog.signal.aborted) result.failed = Math.max(result.failed, 1);
  return result;
}

/** Ends a run in which nothing happens any more: node:test bounds each test, and no process that does not end after its last one. */
class Watchdog {
  readonly #controller = new AbortController();
  readonly #silentMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(silentMs: number) {
    this.#silentMs = silentMs;
    this.alive();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  alive(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      process.stdout.write(
        `✖ nothing happened for ${Math.round(this.#silentMs / 1000)} s: a test file does not end. It and all after it are cancelled\n`,
      );
      this.#controller.abort();
    }, this.#silentMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

/** The reporter's own totals and its long coverage table: we print shorter ones at the end. */
function isNoise(text: string): boolean {
  return stripVTControlCharacters(text).startsWith('ℹ ');
}
