/** Ctrl-C and SIGTERM: what they end, and the exit codes that shells give for them. */

const EXIT = { SIGINT: 130, SIGTERM: 143 } as const;
type Signal = keyof typeof EXIT;

/** Somebody ended the command: nothing went wrong, and nothing succeeded. */
export class Interrupted extends Error {
  override name = 'Interrupted';
  readonly exitCode: number;

  constructor(signal: Signal) {
    super(`ended by ${signal}`);
    this.exitCode = EXIT[signal];
  }
}

/**
 * Resolves with the exit code that `work` gives, or, once a signal has ended it, with the one of the signal: a pipeline that
 * is stopped must not go on as if what it waited for had succeeded. A second signal ends the process at once.
 */
export async function untilSignal(work: (signal: AbortSignal) => Promise<number>): Promise<number> {
  const stop = new AbortController();
  const end = (name: Signal): void => stop.abort(new Interrupted(name));
  process.once('SIGINT', end).once('SIGTERM', end);
  try {
    const code = await work(stop.signal);
    stop.signal.throwIfAborted();
    return code;
  } catch (error) {
    if (error instanceof Interrupted) return error.exitCode;
    throw error;
  } finally {
    process.off('SIGINT', end).off('SIGTERM', end);
  }
}
