/**
 * How fast clients are sent away: one in each slot of time, at a random moment of it. So they come back elsewhere at the
 * rate that was asked for, and not in step with one another.
 */

/** Time in which nothing was done, by a process that stood still, is made up for up to this much; milliseconds. */
const LATE_MS = 250;

/** Where it is. One slot is the time for one client, so a rate that changes takes effect in the middle of one. */
export interface Pace {
  /** Slots that have passed. */
  readonly at: number;
  /** When the next client leaves, in slots. */
  readonly next: number;
  /** Milliseconds on the caller's monotonic clock. */
  readonly seenAt: number;
}

/** Begins now. `random` gives numbers from 0 up to 1. */
export function beginPace(now: number, random: () => number): Pace {
  return { at: 0, next: random(), seenAt: now };
}

/** How many of `left` clients leave now, and where the pace is after it. */
export function clientsDue(
  pace: Pace,
  { perSecond, left }: { perSecond: number; left: number },
  now: number,
  random: () => number,
): { pace: Pace; due: number } {
  const passedMs = Math.min(Math.max(0, now - pace.seenAt), LATE_MS);
  const at = pace.at + (passedMs / 1000) * perSecond;
  let { next } = pace;
  let due = 0;
  while (next <= at && due < left) {
    due += 1;
    next = Math.floor(next) + 1 + random();
  }
  // Turns that nobody was there for are lost: those who come later don't leave all at once.
  if (next <= at) next = at + random();
  return { pace: { at, next, seenAt: now }, due };
}

/** The rate at which `left` clients are gone in `remainingMs`, if `perSecond` is too slow for that. */
export function rateInTime(perSecond: number, left: number, remainingMs: number): number {
  return Math.max(perSecond, (left / Math.max(remainingMs, 1)) * 1000);
}

/** Puts what is in `all` into random order, in place (Fisher and Yates). */
export function shuffle<T>(all: T[], random: () => number): T[] {
  for (let end = all.length - 1; end > 0; end--) {
    const other = Math.floor(random() * (end + 1));
    [all[end], all[other]] = [all[other] as T, all[end] as T];
  }
  return all;
}
