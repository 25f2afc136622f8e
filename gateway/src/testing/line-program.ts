import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { PROGRAM } from './gateway-process.ts';
import type { Runtime } from './gateway-process.ts';

/** A program for tests that takes a command as a line of its standard input, and answers each by a line of JSON. */
export class LineProgram<C extends string, O> {
  readonly #child: ChildProcess;
  readonly #outcomes: AsyncIterator<string>;

  /** Starts the bundle `file`; `options` are its argument, as JSON. `stop` must be called. */
  constructor(runtime: Runtime, file: string, options: unknown) {
    const child = spawn(PROGRAM[runtime], [file, JSON.stringify(options)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child = child;
    this.#outcomes = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** Rejects when the program has ended. */
  async do(command: C): Promise<O> {
    this.#child.stdin?.write(`${command}\n`);
    const { value, done } = await this.#outcomes.next();
    if (done) throw new Error('the program ended');
    return JSON.parse(value) as O;
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }
}
