/** When to send which share of the clients away. */
export interface DrainPlan {
  /** Milliseconds from the beginning, ascending, one for each client. */
  at: number[];
}

/**
 * Spreads `clients` over time: at `perSecond` with jitter, or faster if the last one would be later than `timeoutMs`.
 * `random` gives numbers from 0 up to 1.
 */
export function planDrain(
  clients: number,
  perSecond: number,
  timeoutMs: number,
  random: () => number,
): DrainPlan {
  const durationMs = Math.min((clients / perSecond) * 1000, timeoutMs);
  const slot = clients === 0 ? 0 : durationMs / clients;
  return { at: Array.from({ length: clients }, (_, index) => (index + random()) * slot) };
}
