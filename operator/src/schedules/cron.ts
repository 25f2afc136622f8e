/** Times of a cron expression in a time zone. Pure; the rules are croner's (docs/adr/0065). */
import { Cron } from 'croner';

/** When a schedule is due. Times in milliseconds since the epoch. */
export interface CronTimes {
  /** The first time after `after`; undefined when there is none, as for the 30th of February. */
  next: (after: number) => number | undefined;
  /** The last time in the span `(after, until]`; undefined when there is none. */
  lastWithin: (after: number, until: number) => number | undefined;
}

/** What is wrong with a schedule, for a person. */
export interface CronProblem {
  reason: 'InvalidSchedule' | 'InvalidTimeZone';
  message: string;
}

/** Cron knows no smaller step, milliseconds. */
export const CRON_STEP_MS = 60_000;

/**
 * Reads a cron expression of five fields, or a nickname such as `@daily`.
 * @param timeZone name of the IANA database
 */
export function parseCron(expression: string, timeZone: string): CronTimes | CronProblem {
  if (!isTimeZone(timeZone)) {
    const message = `spec.timeZone: there is no time zone ${timeZone}. Write a name of the IANA database, such as Europe/Berlin.`;
    return { reason: 'InvalidTimeZone', message };
  }
  try {
    return timesOf(new Cron(expression, { mode: '5-part', timezone: timeZone, paused: true }));
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^CronPattern: /, '') : String(error);
    return { reason: 'InvalidSchedule', message: `spec.schedule "${expression}" cannot be read: ${why}` };
  }
}

/** True when {@link parseCron} found something wrong. */
export function isCronProblem(parsed: CronTimes | CronProblem): parsed is CronProblem {
  return 'reason' in parsed;
}

function timesOf(cron: Cron): CronTimes {
  const next = (after: number): number | undefined => cron.nextRun(new Date(after))?.getTime();
  return {
    next,
    lastWithin: (after, until) => {
      const first = next(after);
      if (first === undefined || first > until) return undefined;
      // Forwards only: croner looks back by other rules at the change of clocks. The span grows until one is in it.
      for (let span = CRON_STEP_MS; ; span *= 2) {
        const from = Math.max(after, until - span);
        const last = lastOf(next, from, until);
        if (last !== undefined || from === after) return last;
      }
    },
  };
}

function lastOf(next: CronTimes['next'], from: number, until: number): number | undefined {
  let last: number | undefined;
  for (let at = next(from); at !== undefined && at <= until; at = next(at)) last = at;
  return last;
}

function isTimeZone(name: string): boolean {
  // An offset such as +01:00 is a time zone for Intl, and not in the IANA database.
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
