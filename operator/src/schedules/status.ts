/** A schedule's status, from what was decided. Pure. */
import { ANNOTATION, type DrillScheduleStatus } from '@causeway/crds';
import { setCondition, toRfc3339, type Condition, type ConditionInput } from '../controller/conditions.ts';
import type { Decision, Outlook } from './decide.ts';
import type { ScheduleObject } from './ports.ts';
import { stateToStatus, type FailedDrill, type ScheduleState } from './state.ts';

/** The whole status. `now`: milliseconds since the epoch. */
export function scheduleStatus(
  schedule: ScheduleObject,
  { state, outlook }: Pick<Decision, 'state' | 'outlook'>,
  now: number,
): DrillScheduleStatus {
  const observedGeneration = schedule.metadata.generation;
  const before = (schedule.status?.conditions ?? []) as readonly Condition[];
  const conditions = conditionsOf(schedule, state, outlook).reduce(
    (list, condition) => setCondition(list, { ...condition, observedGeneration }, now),
    before,
  );
  const { nextAt, nextZone } = outlook;
  return {
    observedGeneration,
    ...stateToStatus(state),
    ...(nextAt === undefined ? {} : { nextScheduleTime: toRfc3339(nextAt) }),
    ...(nextZone === undefined ? {} : { nextZone }),
    conditions: [...conditions],
  };
}

/** One line on where it stands. */
interface Verdict {
  is: 'Ready' | 'Reconciling' | 'Stalled';
  reason: string;
  message: string;
}

function conditionsOf(
  schedule: ScheduleObject,
  state: ScheduleState,
  outlook: Outlook,
): Omit<ConditionInput, 'observedGeneration'>[] {
  const { is, reason, message } = verdictOf(schedule, state, outlook);
  return (['Ready', 'Reconciling', 'Stalled'] as const).map((type) => ({
    type,
    status: type === is ? 'True' : 'False',
    reason,
    message,
  }));
}

function verdictOf(schedule: ScheduleObject, state: ScheduleState, outlook: Outlook): Verdict {
  const { problem, platformMissing } = outlook;
  if (state.failed !== undefined)
    return { is: 'Stalled', reason: 'DrillFailed', message: howToGoOn(schedule, state.failed) };
  if (problem !== undefined) return { is: 'Stalled', ...problem };
  if (platformMissing) {
    const { platform } = schedule.spec;
    const message = `There is no MessagePlatform ${platform} in namespace ${schedule.metadata.namespace}.`;
    return { is: 'Reconciling', reason: 'PlatformMissing', message };
  }
  return { is: 'Ready', ...present(schedule, state, outlook) };
}

function howToGoOn({ metadata }: ScheduleObject, { name, zone, reason, message }: FailedDrill): string {
  const command = `causeway drills resume ${metadata.name} -n ${metadata.namespace}`;
  return [
    `Drill ${name} of ${zone} ended with ${reason}: ${message}`.trim(),
    `No other one is started until somebody says that all is well: with "${command}"`,
    `(a new value of the annotation ${ANNOTATION.resume}), with a drill of ${zone} by hand that succeeds,`,
    'or with a change of the spec.',
  ].join(' ');
}

/** What a schedule that works does now. */
function present(
  { spec }: ScheduleObject,
  { active }: ScheduleState,
  { waiting, nextAt, nextZone }: Outlook,
): { reason: string; message: string } {
  if (active !== undefined)
    return { reason: 'DrillUnderWay', message: `Drill ${active.name} of ${active.zone} is under way.` };
  if (spec.suspend) return { reason: 'Suspended', message: 'spec.suspend is true: no drill is started.' };
  if (waiting !== undefined) {
    const { scheduledAt, deadline, obstacle } = waiting;
    const until = `waits until ${toRfc3339(deadline)} at the latest`;
    return {
      reason: obstacle.reason,
      message: `The drill due at ${toRfc3339(scheduledAt)} ${until}. ${obstacle.message}`,
    };
  }
  const time = nextAt === undefined ? 'never' : `at ${toRfc3339(nextAt)}`;
  return { reason: 'Scheduled', message: `The next drill is due ${time}, of ${nextZone}.` };
}
