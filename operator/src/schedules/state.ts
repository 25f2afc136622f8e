/** What a schedule's status keeps, in the form that decisions are made on. Times in milliseconds since the epoch. */
import type { DrillScheduleStatus } from '@causeway/crds';
import { fromRfc3339, toRfc3339 } from '../controller/conditions.ts';
import { defined } from '../controller/defined.ts';

/** A drill that is under way, or about to be made. */
export interface ActiveDrill {
  name: string;
  zone: string;
  scheduledAt: number;
  /** Undefined: nobody knows yet whether it was made. */
  uid?: string;
}

/** The drill that has stopped the schedule. */
export interface FailedDrill {
  name: string;
  zone: string;
  endedAt: number;
  reason: string;
  message: string;
  /** Generation of the schedule then. */
  generation: number;
}

export interface SkippedDrill {
  scheduledAt: number;
  reason: string;
  message: string;
}

export interface ScheduleState {
  /** Schedule and time zone that `handledUntil` is about. */
  schedule?: string;
  /** Value of the annotation `resume` that was taken up. */
  resume?: string;
  /** Whatever was due until then was started, skipped or missed. */
  handledUntil?: number;
  lastScheduledAt?: number;
  lastZone?: string;
  lastSucceededAt?: number;
  active?: ActiveDrill;
  failed?: FailedDrill;
  skipped?: SkippedDrill;
}

/** Reads what {@link stateToStatus} wrote. */
export function stateOf(status: DrillScheduleStatus | undefined): ScheduleState {
  if (status === undefined) return {};
  const { active, failed, lastSkipped, lastZone } = status;
  return defined({
    schedule: status.observedSchedule,
    resume: status.observedResume,
    handledUntil: fromRfc3339(status.lastHandledTime),
    lastScheduledAt: fromRfc3339(status.lastScheduleTime),
    lastZone,
    lastSucceededAt: fromRfc3339(status.lastSuccessfulTime),
    active: active && {
      name: active.name,
      zone: active.zone,
      scheduledAt: Date.parse(active.scheduledTime),
      ...(active.uid === undefined ? {} : { uid: active.uid }),
    },
    failed: failed && {
      name: failed.name,
      zone: failed.zone,
      endedAt: Date.parse(failed.time),
      reason: failed.reason,
      message: failed.message,
      generation: failed.generation,
    },
    skipped: lastSkipped && {
      scheduledAt: Date.parse(lastSkipped.scheduledTime),
      reason: lastSkipped.reason,
      message: lastSkipped.message,
    },
  });
}

/** The part of the status that {@link stateOf} reads. */
export function stateToStatus(state: ScheduleState): DrillScheduleStatus {
  const { active, failed, skipped } = state;
  return defined({
    observedSchedule: state.schedule,
    observedResume: state.resume,
    lastHandledTime: written(state.handledUntil),
    lastScheduleTime: written(state.lastScheduledAt),
    lastZone: state.lastZone,
    lastSuccessfulTime: written(state.lastSucceededAt),
    active: active && {
      name: active.name,
      zone: active.zone,
      scheduledTime: toRfc3339(active.scheduledAt),
      ...(active.uid === undefined ? {} : { uid: active.uid }),
    },
    failed: failed && {
      name: failed.name,
      zone: failed.zone,
      time: toRfc3339(failed.endedAt),
      reason: failed.reason,
      message: failed.message.slice(0, 4096),
      generation: failed.generation,
    },
    lastSkipped: skipped && {
      scheduledTime: toRfc3339(skipped.scheduledAt),
      reason: skipped.reason,
      message: skipped.message.slice(0, 4096),
    },
  });
}

function written(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : toRfc3339(ms);
}
