/** What becomes of a schedule: `next(schedule, observed, now)`. Pure; docs/adr/0065 says why it is so. */
import { toRfc3339 } from '../controller/conditions.ts';
import { CRON_STEP_MS, isCronProblem, parseCron } from './cron.ts';
import { whatIsDue, type Due } from './due.ts';
import type { DrillSight, Observed } from './observed.ts';
import { catchUp, forgotten } from './past.ts';
import type { Obstacle, ScheduleObject } from './ports.ts';
import { nextZone } from './rotation.ts';
import type { ActiveDrill, ScheduleState } from './state.ts';
import type { Story } from './story.ts';

/** What is to be done, in this order: save the state, make the drill, remove those that are not kept. */
export interface Decision {
  state: ScheduleState;
  /** The drill that is to be made, if it is not there yet. */
  start: ActiveDrill | undefined;
  /** Drills that ended so long ago that they are not kept. */
  remove: readonly DrillSight[];
  stories: readonly Story[];
  outlook: Outlook;
  /** When to look again, if nothing changes before; milliseconds since the epoch. */
  lookAt: number | undefined;
}

/** Where the schedule stands, for people. Times in milliseconds since the epoch. */
export interface Outlook {
  /** Nobody but a person can solve it. */
  problem: Obstacle | undefined;
  /** The drill that is due and waits, until when, and for what. */
  waiting: { scheduledAt: number; deadline: number; obstacle: Obstacle } | undefined;
  /** When the next drill is due; undefined: none will be started. */
  nextAt: number | undefined;
  nextZone: string | undefined;
  /** Its platform may yet be applied. */
  platformMissing: boolean;
}

/** Decides. `now`: milliseconds since the epoch. */
export function next(schedule: ScheduleObject, observed: Observed, now: number): Decision {
  const { spec } = schedule;
  const past = catchUp(schedule, observed, now);
  const times = parseCron(spec.schedule, spec.timeZone);
  if (isCronProblem(times)) {
    const remove = forgotten(schedule, observed.drills, past.state.active);
    const outlook = outlookOf(schedule, past.state, { observed, problem: times });
    return { ...past, start: undefined, remove, outlook, lookAt: undefined };
  }
  const due = whatIsDue(times, spec, { handledUntil: past.state.handledUntil ?? now, now });
  const turn = takeTurn(schedule, past.state, { observed, due });
  const never =
    due.next === undefined && due.due === undefined
      ? { reason: 'InvalidSchedule', message: `spec.schedule "${spec.schedule}" is never due.` }
      : undefined;
  const { waiting, ...rest } = turn;
  return {
    ...rest,
    remove: forgotten(schedule, observed.drills, turn.state.active),
    stories: [...past.stories, ...turn.stories],
    outlook: outlookOf(schedule, turn.state, { observed, problem: never, waiting, nextAt: due.next }),
    lookAt: earliest(due.next, waiting?.deadline),
  };
}

type Turn = Pick<Decision, 'state' | 'start' | 'stories'> & Pick<Outlook, 'waiting'>;

/** What is due is started, waits, or is skipped. */
function takeTurn(
  schedule: ScheduleObject,
  past: ScheduleState,
  { observed, due: { handledUntil, missed, due, deadline } }: { observed: Observed; due: Due },
): Turn {
  const { suspend, window } = schedule.spec;
  const zone = turnOf(schedule, past, observed);
  const obstacle = obstacleTo(past, observed, zone);
  let state: ScheduleState = { ...past, handledUntil };
  const stories: Story[] = [];
  const skip = (scheduledAt: number, why: Obstacle): void => {
    // What is suspended is not missed by anybody.
    if (suspend) return;
    state = { ...state, skipped: { scheduledAt, ...why } };
    const note = `The drill that was due at ${toRfc3339(scheduledAt)} is skipped. ${why.message}`;
    stories.push({ what: 'Skipped', note });
  };
  if (missed !== undefined) {
    const { reason, message } = obstacle ?? { reason: 'Missed', message: 'Nobody looked in that time.' };
    skip(missed, { reason, message: `It was not started within ${window}. ${message}` });
  }
  const rest = { start: undefined, stories, waiting: undefined };
  if (due === undefined || deadline === undefined) return { ...rest, state };
  if (suspend || state.failed !== undefined) {
    skip(due, stoppedBy(state));
    return { ...rest, state: { ...state, handledUntil: due } };
  }
  if (obstacle !== undefined || zone === undefined)
    return { ...rest, state, waiting: { scheduledAt: due, deadline, obstacle: obstacle ?? NO_ZONE } };
  const start = { name: drillName(schedule.metadata.name, due), zone, scheduledAt: due };
  return { ...rest, state: { ...state, active: start, handledUntil: due }, start };
}

const NO_ZONE: Obstacle = {
  reason: 'NoZone',
  message:
    'No zone may be left: spec.zones must have one that the platform has, other than its home if includeHome is false, and the platform must have two.',
};

/** True for a name that a drill of the schedule may have. */
export function isDrillName(schedule: string, name: string): boolean {
  return name.startsWith(`${schedule}-`) && /^\d+$/.test(name.slice(schedule.length + 1));
}

/** The same name each time, so that no crash and no second operator can start a drill twice. */
export function drillName(schedule: string, scheduledAt: number): string {
  return `${schedule}-${Math.floor(scheduledAt / CRON_STEP_MS)}`;
}

function turnOf(schedule: ScheduleObject, state: ScheduleState, { platform }: Observed): string | undefined {
  return platform && nextZone(schedule.spec, platform, state.active?.zone ?? state.lastZone);
}

/** Why no drill may start now; undefined: one may. */
function obstacleTo(
  state: ScheduleState,
  { platform, others, coming, drills, nameTaken }: Observed,
  zone: string | undefined,
): Obstacle | undefined {
  if (state.failed !== undefined) return stoppedBy(state);
  if (state.active !== undefined)
    return { reason: 'DrillUnderWay', message: `Drill ${state.active.name} is under way.` };
  const other = [...others, ...drills].find(({ end }) => end === undefined);
  if (other !== undefined)
    return { reason: 'OtherFailover', message: `ZoneFailover ${other.name} has not ended.` };
  if (coming !== undefined)
    return {
      reason: 'OtherFailover',
      message: `ZoneFailover ${coming} of another schedule is about to begin.`,
    };
  if (platform === undefined) return { reason: 'PlatformMissing', message: 'There is no such platform.' };
  if (platform.blocked !== undefined) return platform.blocked;
  if (nameTaken)
    return {
      reason: 'NameTaken',
      message: 'A ZoneFailover of that name is not of this schedule: delete it.',
    };
  return zone === undefined ? NO_ZONE : undefined;
}

function stoppedBy({ failed }: ScheduleState): Obstacle {
  return { reason: 'Stopped', message: `Drill ${failed?.name} of ${failed?.zone} failed.` };
}

interface Ahead {
  observed: Observed;
  problem: Obstacle | undefined;
  waiting?: Outlook['waiting'];
  nextAt?: number | undefined;
}

function outlookOf(
  schedule: ScheduleObject,
  state: ScheduleState,
  { observed, problem, waiting, nextAt }: Ahead,
): Outlook {
  const zone = turnOf(schedule, state, observed);
  const hasNoZone = observed.platform !== undefined && zone === undefined ? NO_ZONE : undefined;
  const comes = !schedule.spec.suspend && state.failed === undefined;
  return {
    problem: problem ?? hasNoZone,
    waiting,
    nextAt: comes ? (waiting?.scheduledAt ?? nextAt) : undefined,
    nextZone: comes ? zone : undefined,
    platformMissing: observed.platform === undefined,
  };
}

function earliest(...times: (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
