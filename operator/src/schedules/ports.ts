/** What the controller of schedules needs of the world. */
import type { DrillSchedule } from '@causeway/crds';
import type { KubeObject, ObjectRef } from '../controller/kube-api.ts';
import type { PlatformZones } from './rotation.ts';

/** A DrillSchedule as the engine handles objects. */
export type ScheduleObject = DrillSchedule & KubeObject;

/** A platform, as far as a drill's start depends on it. */
export interface PlatformSight extends PlatformZones {
  /** Why no drill may start now; undefined: one may. */
  blocked: Obstacle | undefined;
}

/** Why a drill waits, or was skipped. */
export interface Obstacle {
  /** CamelCase, for programs. */
  reason: string;
  /** For people, as a sentence. */
  message: string;
}

export interface SchedulePorts {
  /** The platform of that name; undefined: there is none. */
  platform(ref: ObjectRef): PlatformSight | undefined;
}
