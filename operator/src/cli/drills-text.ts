/** Schedules of drills, for people and for programs. Pure. */
import type { DrillScheduleStatus } from '@causeway/crds';
import type { ScheduleObject } from '../schedules/index.ts';
import type { Style } from './io.ts';
import { shortDuration, table, type Mood, type Row } from './table.ts';

/** One schedule as `-o json` has it. Times are RFC 3339. */
export interface DrillsView {
  namespace: string;
  name: string;
  platform: string;
  schedule: string;
  timeZone: string;
  suspended: boolean;
  /** `Unknown` while the operator has not looked at the latest change. */
  ready: 'True' | 'False' | 'Unknown';
  reason: string;
  message: string;
  /** A failed drill has stopped it. */
  stopped: boolean;
  active?: { name: string; zone: string };
  last?: { scheduledTime: string; zone: string };
  lastSuccessfulTime?: string;
  lastSkipped?: { scheduledTime: string; reason: string; message: string };
  next?: { scheduledTime: string; zone: string };
}

/** What there is to say of a schedule. */
export function drillsView({ metadata, spec, status }: ScheduleObject): DrillsView {
  const { namespace, name } = metadata;
  return {
    namespace,
    name,
    platform: spec.platform,
    schedule: spec.schedule,
    timeZone: spec.timeZone,
    suspended: spec.suspend,
    ...readiness(metadata.generation, status),
    ...past(status),
  };
}

function readiness(
  generation: number,
  status: DrillScheduleStatus | undefined,
): Pick<DrillsView, 'ready' | 'reason' | 'message' | 'stopped'> {
  const condition = status?.conditions?.find(({ type }) => type === 'Ready');
  const stopped = status?.failed !== undefined;
  if (condition === undefined || status?.observedGeneration !== generation) {
    const message = 'The operator has not looked at it as it is now.';
    return { ready: 'Unknown', reason: 'NotSeen', message, stopped };
  }
  return { ready: condition.status, reason: condition.reason, message: condition.message, stopped };
}

function past(status: DrillScheduleStatus = {}): Partial<DrillsView> {
  const { active, lastScheduleTime, lastZone, lastSuccessfulTime, lastSkipped } = status;
  const { nextScheduleTime, nextZone } = status;
  return {
    ...(active && { active: { name: active.name, zone: active.zone } }),
    ...(lastScheduleTime && lastZone && { last: { scheduledTime: lastScheduleTime, zone: lastZone } }),
    ...(lastSuccessfulTime && { lastSuccessfulTime }),
    ...(lastSkipped && { lastSkipped }),
    ...(nextScheduleTime && nextZone && { next: { scheduledTime: nextScheduleTime, zone: nextZone } }),
  };
}

export interface DrillsTextOptions {
  style: Style;
  /** Columns of the terminal; undefined: nothing is wrapped. */
  width?: number | undefined;
  /** Milliseconds since the epoch. */
  now: number;
  /** Whether they are of several namespaces. */
  namespaces: boolean;
}

const COLUMNS = [
  'NAME',
  'PLATFORM',
  'SCHEDULE',
  'READY',
  'LAST',
  'LAST-ZONE',
  'NEXT',
  'NEXT-ZONE',
  'MESSAGE',
];

/** All schedules, a line for each. */
export function drillsText(views: readonly DrillsView[], options: DrillsTextOptions): string {
  const { style, width, now, namespaces } = options;
  const rows = views.map((view): Row => {
    const { last, next } = view;
    const cells = [
      view.name,
      view.platform,
      view.timeZone === 'UTC' ? view.schedule : `${view.schedule} (${view.timeZone})`,
      view.ready,
      last === undefined ? '-' : `${shortDuration(now - Date.parse(last.scheduledTime))} ago`,
      last?.zone ?? '-',
      next === undefined ? '-' : `in ${shortDuration(Date.parse(next.scheduledTime) - now)}`,
      next?.zone ?? '-',
      view.message,
    ];
    return { cells: namespaces ? [view.namespace, ...cells] : cells, mood: moodOf(view) };
  });
  return `${table(namespaces ? ['NAMESPACE', ...COLUMNS] : COLUMNS, rows, { style, width })}\n`;
}

function moodOf({ ready, suspended }: DrillsView): Mood {
  if (ready === 'False') return 'bad';
  return ready === 'True' && !suspended ? 'good' : 'wait';
}
