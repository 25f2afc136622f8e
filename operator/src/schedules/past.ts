/** What became of a schedule's drills since it was looked at last. Pure. */
import { ANNOTATION } from '@causeway/crds';
import { CRON_STEP_MS } from './cron.ts';
import type { DrillSight, Observed } from './observed.ts';
import type { ScheduleObject } from './ports.ts';
import { stateOf, type ActiveDrill, type FailedDrill, type ScheduleState } from './state.ts';
import type { Story } from './story.ts';

/** A state, and what led to it. */
export interface Told {
  state: ScheduleState;
  stories: readonly Story[];
}

/** The state to decide on. `now`: milliseconds since the epoch. */
export function catchUp(schedule: ScheduleObject, observed: Observed, now: number): Told {
  const go = resume(schedule, recall(schedule, observed), observed);
  const settled = settle(schedule, go.state, observed.drills);
  return { state: follow(schedule, settled.state, now), stories: [...go.stories, ...settled.stories] };
}

/** What the status says. Where it was lost (a restore without it), what the drills show. */
function recall({ metadata, status }: ScheduleObject, { drills }: Observed): ScheduleState {
  const state = stateOf(status);
  if (state.handledUntil !== undefined) return state;
  const created = Date.parse(metadata.creationTimestamp);
  const [latest] = drills.toSorted(byTime);
  if (latest === undefined) return { ...state, handledUntil: created };
  const { name, zone, scheduledAt } = latest;
  return { ...state, handledUntil: Math.max(created, scheduledAt), active: { name, zone, scheduledAt } };
}

/** The newest first. */
function byTime(a: DrillSight, b: DrillSight): number {
  return b.scheduledAt - a.scheduledAt;
}

/** A drill that failed stops the schedule until somebody says that it may go on, or shows it. */
function resume({ metadata }: ScheduleObject, before: ScheduleState, { others }: Observed): Told {
  const asked = metadata.annotations?.[ANNOTATION.resume];
  const isNew = asked !== undefined && asked !== before.resume;
  const state = isNew ? { ...before, resume: asked } : before;
  const { failed, ...rest } = state;
  if (failed === undefined) return { state, stories: [] };
  const why = isNew
    ? `the annotation ${ANNOTATION.resume} says so`
    : metadata.generation > failed.generation
      ? 'its spec was changed'
      : cureOf(failed, others);
  if (why === undefined) return { state, stories: [] };
  return { state: rest, stories: [{ what: 'Resumed', note: `Drills go on: ${why}.` }] };
}

/** A drill of the same zone by hand that ended well since. */
function cureOf({ zone, endedAt }: FailedDrill, others: readonly DrillSight[]): string | undefined {
  const cure = others.find(
    (one) =>
      one.mode === 'Drill' && one.zone === zone && one.end?.outcome === 'Succeeded' && one.end.at > endedAt,
  );
  return cure === undefined ? undefined : `drill ${cure.name} of ${zone} succeeded`;
}

/** What became of the drill that was under way. */
function settle({ metadata }: ScheduleObject, state: ScheduleState, drills: readonly DrillSight[]): Told {
  const { active, ...rest } = state;
  if (active === undefined) return { state, stories: [] };
  const drill = drills.find(({ name }) => name === active.name);
  // It was about to be made, and was not: it is due as before.
  if (drill === undefined && active.uid === undefined)
    return { state: { ...rest, handledUntil: active.scheduledAt - CRON_STEP_MS }, stories: [] };
  const { name, scheduledAt } = active;
  const zone = drill?.zone ?? active.zone;
  const made = { ...rest, lastScheduledAt: scheduledAt, lastZone: zone };
  const started: Story[] =
    active.uid === undefined ? [{ what: 'Started', note: `Drill ${name} of ${zone} was started.` }] : [];
  if (drill !== undefined && drill.end === undefined)
    return { state: { ...made, active: { name, uid: drill.uid, zone, scheduledAt } }, stories: started };
  const end = drill?.end ?? goneAt(scheduledAt);
  const stories = [...started, endOf(name, zone, end)];
  const { outcome, at, reason, message } = end;
  if (outcome === 'Succeeded') return { state: { ...made, lastSucceededAt: at }, stories };
  if (outcome === 'Interrupted') return { state: made, stories };
  const failed = { name, zone, endedAt: at, reason, message, generation: metadata.generation };
  return { state: { ...made, failed }, stories };
}

type End = NonNullable<DrillSight['end']>;

/** Somebody who deletes a drill that is under way takes it back: whether all is well only they know. */
function goneAt(scheduledAt: number): End {
  const message = 'It was deleted before its end was seen.';
  return { outcome: 'Failed', at: scheduledAt, reason: 'Deleted', message };
}

function endOf(name: string, zone: string, { outcome, reason, message }: End): Story {
  const how = outcome === 'Succeeded' ? 'succeeded.' : `ended with ${reason}:`;
  return { what: outcome, note: `Drill ${name} of ${zone} ${how} ${message}`.trim() };
}

/** Whoever edits a schedule at 10:05 does not mean the drill of 10:00 of the new one. */
function follow({ spec }: ScheduleObject, state: ScheduleState, now: number): ScheduleState {
  const schedule = `${spec.timeZone} ${spec.schedule}`;
  if (state.schedule === schedule) return state;
  const handledUntil = state.schedule === undefined ? state.handledUntil : Math.floor(now / 1000) * 1000;
  return { ...state, schedule, ...(handledUntil === undefined ? {} : { handledUntil }) };
}

/** Drills that ended so long ago that they are not kept. */
export function forgotten(
  { spec }: ScheduleObject,
  drills: readonly DrillSight[],
  active: ActiveDrill | undefined,
): DrillSight[] {
  const ended = drills.filter(({ name, end }) => end !== undefined && name !== active?.name).toSorted(byTime);
  const good = ended.filter(({ end }) => end?.outcome === 'Succeeded');
  const bad = ended.filter(({ end }) => end?.outcome !== 'Succeeded');
  return [
    ...good.slice(spec.successfulDrillsHistoryLimit),
    ...bad.slice(spec.failedDrillsHistoryLimit),
  ].filter(({ deleting }) => !deleting);
}
