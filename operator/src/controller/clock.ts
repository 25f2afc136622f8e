/** Time and chance, injected, so that the simulator can own both. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds that only ever grow at an even pace, from any start: a clock that nobody sets. Default: `now`. */
  steady?(): number;
  /** Resolves after `ms`, or rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** In [0, 1): for jitter. */
  random(): number;
}

/** The longest that a timer waits; one that is asked for more fires at once (24.8 days, milliseconds). */
const LONGEST_TIMER = 2 ** 31 - 1;

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  steady: () => performance.now(),
  random: () => Math.random(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      // Certificates, schedules and ttlSecondsAfterFinished ask for months.
      let left = ms;
      let timer = start();
      function start(): NodeJS.Timeout {
        const piece = Math.min(left, LONGEST_TIMER);
        left -= piece;
        return setTimeout(done, piece);
      }
      function done(): void {
        if (left > 0) {
          timer = start();
          return;
        }
        signal?.removeEventListener('abort', aborted);
        resolve();
      }
      function aborted(): void {
        clearTimeout(timer);
        reject(signal?.reason as Error);
      }
      signal?.addEventListener('abort', aborted, { once: true });
    }),
};
