import { NOT_A_DURATION, spec } from './invalid-platforms.ts';
import type { Change, InvalidEdit, InvalidPlatform } from './invalid-platforms.ts';

/** A ZoneFailover that is accepted. */
export const validFailover = {
  apiVersion: 'causeway.dev/v1alpha1',
  kind: 'ZoneFailover',
  metadata: { name: 'drill-2026-11', namespace: 'default' },
  spec: { platform: 'orders', fromZone: 'zone-a', mode: 'Drill' },
};

const limits = (change: Change): Change => spec({ limits: change });
const ONE_ACT = 'a ZoneFailover is one act. Make another one';

/** What both a ZoneFailover and a DrillSchedule say of the failover, and must not be. */
export const invalidTerms: readonly InvalidPlatform[] = [
  {
    name: 'a time-out that is no duration',
    change: limits({ timeout: '5 minutes' }),
    field: 'spec.limits.timeout',
    message: NOT_A_DURATION,
  },
  {
    name: 'a time-out that no pod can meet',
    change: limits({ timeout: '2s' }),
    field: 'spec.limits.timeout',
    message: 'limits.timeout must be from 10s to 24h',
  },
  {
    name: 'a drill that is held by feeling',
    change: spec({ drill: { holdFor: 'a while' } }),
    field: 'spec.drill.holdFor',
    message: NOT_A_DURATION,
  },
  {
    name: 'a drill that is held for ever',
    change: spec({ drill: { holdFor: '25h' } }),
    field: 'spec.drill.holdFor',
    message: 'drill.holdFor must be at most 24h',
  },
  {
    name: "a mirror's lag below none",
    change: limits({ maxMirrorLag: -1 }),
    field: 'spec.limits.maxMirrorLag',
    message: 'greater than or equal to 0',
  },
];

/** ZoneFailovers that must be refused, as small changes to {@link validFailover}. */
export const invalidFailovers: readonly InvalidPlatform[] = [
  ...invalidTerms,
  {
    name: 'no platform',
    change: spec({ platform: null }),
    field: 'spec.platform',
    message: 'Required value',
  },
  {
    name: 'another mode',
    change: spec({ mode: 'Maybe' }),
    field: 'spec.mode',
    message: 'Unsupported value',
  },
  {
    name: 'a home that is the zone that is left',
    change: spec({ toHome: 'zone-a' }),
    field: 'spec.toHome',
    message: 'toHome must be another zone than fromZone',
  },
  {
    name: 'how a drill is held, in another mode',
    change: spec({ mode: 'Planned', drill: { holdFor: '30s' } }),
    field: 'spec.drill',
    message: 'drill is for mode Drill only',
  },
  {
    name: 'a lag below none',
    change: limits({ maxReplicationLag: -1 }),
    field: 'spec.limits.maxReplicationLag',
    message: 'greater than or equal to 0',
  },
  {
    name: 'zones without a gateway',
    change: limits({ minReadyPerZone: 0 }),
    field: 'spec.limits.minReadyPerZone',
    message: 'greater than or equal to 1',
  },
  {
    name: 'a time in which it must begin, of an Emergency',
    change: spec({ mode: 'Emergency', startingDeadlineSeconds: 60 }),
    field: 'spec.startingDeadlineSeconds',
    message: 'startingDeadlineSeconds is not for an Emergency',
  },
  {
    name: 'no time to begin',
    change: spec({ startingDeadlineSeconds: 0 }),
    field: 'spec.startingDeadlineSeconds',
    message: 'greater than or equal to 1',
  },
  {
    name: 'a deletion before the end',
    change: spec({ ttlSecondsAfterFinished: -1 }),
    field: 'spec.ttlSecondsAfterFinished',
    message: 'greater than or equal to 0',
  },
];

/** Edits that must be refused. */
export const invalidFailoverEdits: readonly InvalidEdit[] = [
  {
    name: 'of the time in which it must begin',
    change: spec({ startingDeadlineSeconds: 60 }),
    field: 'spec.startingDeadlineSeconds',
    message: `startingDeadlineSeconds cannot change: ${ONE_ACT}`,
  },
  {
    name: 'of the platform',
    change: spec({ platform: 'payments' }),
    field: 'spec.platform',
    message: `platform cannot change: ${ONE_ACT}`,
  },
  {
    name: 'of the zone',
    change: spec({ fromZone: 'zone-b' }),
    field: 'spec.fromZone',
    message: `fromZone cannot change: ${ONE_ACT}`,
  },
  {
    name: 'of the mode',
    change: spec({ mode: 'Emergency' }),
    field: 'spec.mode',
    message: `mode cannot change: ${ONE_ACT}`,
  },
  {
    name: 'of the next home',
    before: spec({ toHome: 'zone-b' }),
    change: spec({ toHome: 'zone-c' }),
    field: 'spec.toHome',
    message: `toHome cannot change: ${ONE_ACT}`,
  },
  {
    name: 'that adds a next home',
    change: spec({ toHome: 'zone-c' }),
    field: 'spec.toHome',
    message: `toHome cannot change: ${ONE_ACT}`,
  },
  {
    name: 'of the limits',
    change: limits({ timeout: '10m' }),
    field: 'spec.limits',
    message: `limits cannot change: ${ONE_ACT}`,
  },
  {
    name: 'of how the drill is held',
    before: spec({ drill: { holdFor: '30s' } }),
    change: spec({ drill: { holdFor: '40s' } }),
    field: 'spec.drill',
    message: `drill cannot change: ${ONE_ACT}`,
  },
  {
    name: 'that takes an abort back',
    before: spec({ abort: true }),
    change: spec({ abort: false }),
    field: 'spec.abort',
    message: 'abort cannot be taken back',
  },
];
