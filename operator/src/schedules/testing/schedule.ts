/** Schedules and drills to decide on, for tests. */
import type { DrillScheduleSpec } from '@causeway/crds';
import type { DrillSight, Observed } from '../observed.ts';
import type { ScheduleObject } from '../ports.ts';

/** A time of 24 November 2026, a Tuesday, such as `10:05`; milliseconds since the epoch. */
export function at(time: string): number {
  return Date.parse(`2026-11-24T${time.length === 5 ? `${time}:00` : time}Z`);
}

/** Made at 09:00, due each day at 10:00, as the API server gives it. */
export function scheduleOf(
  change: {
    name?: string;
    spec?: Partial<DrillScheduleSpec>;
    status?: ScheduleObject['status'];
    generation?: number;
    annotations?: Record<string, string>;
  } = {},
): ScheduleObject {
  const { name = 'daily', spec = {}, status, generation = 1, annotations = {} } = change;
  return {
    apiVersion: 'causeway.dev/v1alpha1',
    kind: 'DrillSchedule',
    metadata: {
      name,
      namespace: 'messaging',
      uid: `uid-${name}`,
      resourceVersion: '1',
      generation,
      creationTimestamp: '2026-11-24T09:00:00Z',
      annotations,
    },
    spec: {
      platform: 'orders',
      schedule: '0 10 * * *',
      timeZone: 'UTC',
      window: '15m',
      includeHome: true,
      suspend: false,
      successfulDrillsHistoryLimit: 3,
      failedDrillsHistoryLimit: 1,
      limits: { timeout: '5m', maxReplicationLag: 100, minReadyPerZone: 1 },
      ...spec,
    },
    ...(status === undefined ? {} : { status }),
  };
}

/** A platform of three zones that is ready, and nothing else. */
export const QUIET: Observed = {
  platform: { zones: ['zone-a', 'zone-b', 'zone-c'], home: 'zone-a', blocked: undefined },
  drills: [],
  others: [],
  coming: undefined,
  nameTaken: false,
};

/** A drill of zone-a that is under way. */
export function drillOf(change: Partial<DrillSight> = {}): DrillSight {
  return {
    name: 'daily-29925240',
    uid: 'uid-drill',
    zone: 'zone-a',
    mode: 'Drill',
    scheduledAt: at('10:00'),
    deleting: false,
    end: undefined,
    ...change,
  };
}

/** How a drill ended. */
export function ended(outcome: 'Succeeded' | 'Failed' | 'Interrupted', time: string): DrillSight['end'] {
  return { outcome, at: at(time), reason: outcome === 'Failed' ? 'TimedOut' : outcome, message: 'Said so.' };
}
