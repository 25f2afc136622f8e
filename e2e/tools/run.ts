import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';

/** How to run a command to its end. */
export interface RunOptions {
  cwd?: string;
  /** Added to the process's own environment; `undefined` removes a variable. */
  env?: Record<string, string | undefined>;
  /** Written to the command's standard input, which is closed after it. */
  input?: string;
  /** Milliseconds after which the command is killed and the call fails. Default: none. */
  timeoutMs?: number;
  /** Append both outputs to this file instead of keeping them in memory. */
  logFile?: string;
}

/** What a command that exited 0 wrote. Both empty when `logFile` was given. */
export interface RunResult {
  stdout: string;
  stderr: string;
}

/** A command that could not be started, timed out, or exited other than 0. The message has the end of its output. */
export class CommandError extends Error {
  readonly command: string;
  readonly exitCode: number | null;
  readonly stderr: string;

  constructor(command: string, exitCode: number | null, reason: string, stderr: string) {
    const output = stderr.trim().split('\n').slice(-12).join('\n');
    super(`${command}: ${reason}${output ? `\n${output}` : ''}`);
    this.name = 'CommandError';
    this.command = command;
    this.exitCode = exitCode;
    this.stderr = stderr;
  }
}

/** Runs a command without a shell and waits for its end. Throws {@link CommandError} unless it exits 0. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const shown = [command, ...args].join(' ').slice(0, 300);
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    const log = options.logFile ? createWriteStream(options.logFile, { flags: 'a' }) : undefined;
    child.stdout?.on('data', (chunk: Buffer) => (log ? log.write(chunk) : out.push(chunk)));
    child.stderr?.on('data', (chunk: Buffer) => (log ? log.write(chunk) : err.push(chunk)));
    let timedOut = false;
    const timer = options.timeoutMs
      ? setTimeout(() => {
          timedOut = true;
          child.kill('SIGKILL');
        }, options.timeoutMs)
      : undefined;
    child.on('error', (error) => {
      clearTimeout(timer);
      log?.end();
      reject(new CommandError(shown, null, `cannot start (${error.message})`, ''));
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const finish = (): void => {
        const stdout = Buffer.concat(out).toString();
        const stderr = Buffer.concat(err).toString();
        if (code === 0) return resolve({ stdout, stderr });
        const how = timedOut
          ? `timed out after ${options.timeoutMs} ms`
          : signal
            ? `killed by ${signal}`
            : `exit ${code}`;
        reject(new CommandError(shown, code, how, stderr || stdout));
      };
      if (log) log.end(finish);
      else finish();
    });
    if (options.input !== undefined) {
      // A command that exits early closes its input; its exit code tells the story, not the broken pipe.
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(options.input);
    }
  });
}

/** Whether a command exits 0. For questions ("is it there?"), where a failure is an answer. */
export async function succeeds(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<boolean> {
  try {
    await run(command, args, options);
    return true;
  } catch (error) {
    if (error instanceof CommandError) return false;
    throw error;
  }
}
