/** What decisions about a schedule are made on. Times in milliseconds since the epoch. */
import type { ZoneFailover } from '@causeway/crds';
import { ANNOTATION } from '@causeway/crds';
import { isOver, stateOf, type FailoverObject } from '../failover/index.ts';
import type { PlatformSight, ScheduleObject } from './ports.ts';

/** How a failover ended. */
export type Outcome = 'Succeeded' | 'Failed' | 'Interrupted';

/** A ZoneFailover of the platform. */
export interface DrillSight {
  name: string;
  uid: string;
  zone: string;
  mode: ZoneFailover['spec']['mode'];
  /** Of a drill of this schedule, when it was due. */
  scheduledAt: number;
  deleting: boolean;
  /** Undefined: it has not ended. */
  end: { outcome: Outcome; at: number; reason: string; message: string } | undefined;
}

export interface Observed {
  /** Undefined: there is none. */
  platform: PlatformSight | undefined;
  /** This schedule's, those that have ended too. */
  drills: readonly DrillSight[];
  /** The platform's other failovers. */
  others: readonly DrillSight[];
  /** The drill that another schedule of the platform is about to make, or that is not seen yet. */
  coming: string | undefined;
  /** Somebody else's ZoneFailover has the name of the drill that is to be made. */
  nameTaken: boolean;
}

/** True when the schedule made that failover. */
export function isOwn(schedule: ScheduleObject, { metadata }: FailoverObject): boolean {
  return metadata.ownerReferences?.some(({ uid }) => uid === schedule.metadata.uid) ?? false;
}

/** A failover as it is decided on. */
export function sightOf(failover: FailoverObject): DrillSight {
  const { metadata, spec } = failover;
  const { phase, cause, message, finishedAt } = stateOf(failover);
  const created = Date.parse(metadata.creationTimestamp);
  const scheduledAt = Date.parse(metadata.annotations?.[ANNOTATION.scheduledAt] ?? '');
  const ended = isOver(phase);
  return {
    name: metadata.name,
    uid: metadata.uid,
    zone: spec.fromZone,
    mode: spec.mode,
    scheduledAt: Number.isNaN(scheduledAt) ? created : scheduledAt,
    deleting: metadata.deletionTimestamp !== undefined,
    end: ended
      ? { outcome: outcomeOf(phase, cause), at: finishedAt ?? created, reason: cause ?? phase, message }
      : undefined,
  };
}

function outcomeOf(phase: string, cause: string | undefined): Outcome {
  if (phase === 'Succeeded') return 'Succeeded';
  // A real outage went first, or others took all the time: the drill itself showed nothing that is wrong.
  const isInnocent = cause === 'Emergency' || cause === 'NotStartedInTime';
  return phase === 'RolledBack' && isInnocent ? 'Interrupted' : 'Failed';
}
