/** How a process ends that has nothing more to do, although something may still hold it. */

/** Time for what is still being written, such as the last lines of the log; milliseconds. */
const GRACE_MS = 1_000;

/**
 * Lets the process end with `code`: at once when nothing holds it, else after a second. A deposed leader whose last
 * reconcile hangs in a call would otherwise stay, neither ready nor restarted, until its liveness probe gives up.
 */
export function exitSoon(code: number, graceMs: number = GRACE_MS): void {
  process.exitCode = code;
  setTimeout(() => process.exit(code), graceMs).unref();
}
