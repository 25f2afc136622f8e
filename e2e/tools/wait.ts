import { setTimeout as delay } from 'node:timers/promises';

/** How long, and how often, a condition is asked. */
export interface WaitOptions {
  /** Milliseconds in all. Default 30 000. */
  timeoutMs?: number;
  /** Milliseconds between two questions. Default 100. */
  intervalMs?: number;
  /** Called before each question; what it throws ends the wait (a process that died, for example). */
  check?: () => void;
}

/**
 * Asks `condition` until it gives something other than `undefined` or `false`, and returns that.
 * An error that it throws counts as "not yet"; the last one is the cause of the time-out's error.
 */
export async function waitFor<T>(
  what: string,
  condition: () => Promise<T | undefined | false> | T | undefined | false,
  options: WaitOptions = {},
): Promise<T> {
  const timeoutMs = options.timeoutMs ?? 30_000;
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    options.check?.();
    try {
      const value = await condition();
      if (value !== undefined && value !== false) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() >= deadline) {
      const why = last instanceof Error ? `: ${last.message}` : '';
      throw new Error(`${what}: not within ${timeoutMs / 1000} s${why}`, { cause: last });
    }
    await delay(options.intervalMs ?? 100);
  }
}
