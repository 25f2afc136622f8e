/** Which drill is due now, and which ones nobody started in time. Pure. */
import { parseDuration, type DrillScheduleSpec } from '@causeway/crds';
import type { CronTimes } from './cron.ts';

export interface Due {
  /** Whatever was due until then is over: too late to be started. Milliseconds since the epoch, whole seconds. */
  handledUntil: number;
  /** The first that was due and is over; undefined: none was. */
  missed: number | undefined;
  /** The latest that may still start; undefined: none is due. Those before it in the window are not made up for. */
  due: number | undefined;
  /** Until when it may start: from then on it is missed. */
  deadline: number | undefined;
  /** The first that is due later; undefined: there is none. */
  next: number | undefined;
}

/**
 * Looks at the times of a schedule. A time before `now - window` is never searched one by one: an operator that was away for
 * a year finds its place at once.
 */
export function whatIsDue(
  times: CronTimes,
  { window }: Pick<DrillScheduleSpec, 'window'>,
  { handledUntil, now }: { handledUntil: number; now: number },
): Due {
  const windowMs = parseDuration(window);
  const over = now - windowMs;
  const first = times.next(handledUntil);
  const missed = first !== undefined && first <= over ? first : undefined;
  const from = missed === undefined ? handledUntil : Math.max(handledUntil, Math.floor(over / 1000) * 1000);
  const due = times.lastWithin(Math.max(from, over), now);
  const deadline = due === undefined ? undefined : due + windowMs;
  return { handledUntil: from, missed, due, deadline, next: times.next(Math.max(now, handledUntil)) };
}
