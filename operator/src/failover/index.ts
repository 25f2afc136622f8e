/**
 * operator/src/failover: a zone's traffic moves to the others, as a rollout: the state machine, and the controller of
 * ZoneFailovers. May import `controller` and `@causeway/crds`.
 */
export { nextStep, type FailoverStep } from './machine.ts';
export type {
  Act,
  EtcdSight,
  FailoverWish,
  GatewaySight,
  KafkaSight,
  Observed,
  RedisSight,
  ZoneSight,
} from './observed.ts';
export { BEGIN, isOver, type FailoverState, type Phase } from './state.ts';
