/**
 * operator/src/schedules: drills at set times: what is due, whose turn it is, and the controller of DrillSchedules. May
 * import `failover`, `controller` and `@causeway/crds`.
 */
export { scheduleReconciler } from './controller.ts';
export { isDrillName } from './decide.ts';
export { SCHEDULE_KIND } from './kind.ts';
export { scheduleMetrics } from './metrics.ts';
export type { Obstacle, PlatformSight, ScheduleObject, SchedulePorts } from './ports.ts';
