/**
 * operator/src/failover: a zone's traffic moves to the others, as a rollout: the state machine, and the controller of
 * ZoneFailovers. May import `controller` and `@causeway/crds`.
 */
export type { ZoneKnown } from './automatic.ts';
export { SILENT_LOOK_MS, WORKING_REASONS } from './automatic.ts';
export { automaticReconciler, type AutomaticLook, type AutomaticPorts } from './automatic-controller.ts';
export { automaticMetrics } from './automatic-metrics.ts';
export { failoverReconciler, type FailoverWorld } from './controller.ts';
export { homelessTimes, type Homeless } from './homeless.ts';
export { FAILOVER_KIND } from './kind.ts';
export { failoverMetrics } from './metrics.ts';
export type { Needs } from './needs.ts';
export type {
  Act,
  EtcdSight,
  GatewaySight,
  KafkaSight,
  MirrorSight,
  Observed,
  PartitionName,
  PartitionOrder,
  PartitionSight,
  RedisSight,
  ZoneSight,
} from './observed.ts';
export type { FailoverObject, FailoverPorts, Queue } from './ports.ts';
export { HOMELESS, isMovingHome, isOver } from './state.ts';
export { stateOf } from './status.ts';
