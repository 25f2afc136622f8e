/** A schedule, its drills and an operator that comes and goes, without a cluster: for properties. */
import { ANNOTATION, parseDuration, type DrillScheduleSpec } from '@causeway/crds';
import { isCronProblem, parseCron } from '../cron.ts';
import { next, type Decision } from '../decide.ts';
import type { DrillSight } from '../observed.ts';
import type { ScheduleObject } from '../ports.ts';
import { scheduleStatus } from '../status.ts';
import { QUIET, scheduleOf } from './schedule.ts';

const MINUTE = 60_000;

/** What happens. `minutes` pass with an operator that looks, or without one. */
export type Event =
  | { event: 'pass'; minutes: number }
  | { event: 'away'; minutes: number }
  /** The next drill that is to be made is saved, and the operator dies before it makes it. */
  | { event: 'crashBeforeMake' }
  /** It dies after it made it, before it saw it. */
  | { event: 'crashAfterMake' }
  | { event: 'block' }
  | { event: 'unblock' }
  | { event: 'suspend' }
  | { event: 'unsuspend' }
  | { event: 'resume' }
  | { event: 'loseStatus' }
  /** How the drills from now on end, and how long they take. */
  | { event: 'drills'; outcome: 'Succeeded' | 'Failed' | 'Interrupted'; minutes: number };

interface ModelDrill extends DrillSight {
  madeAt: number;
  endsAt: number;
}

export class Model {
  now: number;
  schedule: ScheduleObject;
  /** All that ever were, in the order in which they were made. */
  readonly drills: ModelDrill[] = [];
  /** What must not have happened, and did. */
  readonly violations: string[] = [];
  #blocked = false;
  #crash: 'before' | 'after' | undefined;
  #outcome: 'Succeeded' | 'Failed' | 'Interrupted' = 'Succeeded';
  #minutes = 2;
  #resumes = 0;
  readonly #kept = new Set<string>();

  constructor(spec: Partial<DrillScheduleSpec>, start: number) {
    this.now = start;
    this.schedule = scheduleOf({ spec });
    this.schedule.metadata.creationTimestamp = new Date(start).toISOString();
  }

  happen(event: Event): void {
    switch (event.event) {
      case 'pass':
        this.#pass(event.minutes * MINUTE);
        break;
      case 'away':
        this.now += event.minutes * MINUTE;
        break;
      case 'crashBeforeMake':
      case 'crashAfterMake':
        this.#crash = event.event === 'crashBeforeMake' ? 'before' : 'after';
        break;
      case 'block':
      case 'unblock':
        this.#blocked = event.event === 'block';
        break;
      case 'suspend':
      case 'unsuspend':
        this.#edit({ suspend: event.event === 'suspend' });
        break;
      case 'resume':
        this.#resumes += 1;
        this.schedule.metadata.annotations = { [ANNOTATION.resume]: String(this.#resumes) };
        break;
      case 'loseStatus':
        delete this.schedule.status;
        break;
      case 'drills':
        this.#outcome = event.outcome;
        this.#minutes = event.minutes;
    }
  }

  #edit(change: Partial<DrillScheduleSpec>): void {
    const { metadata, spec } = this.schedule;
    this.schedule = {
      ...this.schedule,
      metadata: { ...metadata, generation: metadata.generation + 1 },
      spec: { ...spec, ...change },
    };
  }

  /** Looks now, and whenever it said it would or a drill ends, until `ms` have passed. */
  #pass(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      const { start, lookAt } = this.#look();
      const ends = this.drills.map(({ endsAt }) => endsAt).filter((at) => at > this.now);
      const wakeAt = Math.min(start === undefined ? (lookAt ?? Infinity) : this.now + 50, ...ends);
      if (wakeAt > until) break;
      if (wakeAt <= this.now) {
        this.violations.push(`at ${iso(this.now)} it looks without end`);
        break;
      }
      this.now = wakeAt;
    }
    this.now = until;
  }

  #look(): Decision {
    const platform = {
      zones: ['zone-a', 'zone-b', 'zone-c'],
      home: 'zone-a',
      blocked: this.#blocked ? { reason: 'PlatformNotReady', message: 'It is not Ready.' } : undefined,
    };
    const drills = this.drills.filter(({ name }) => !this.#kept.has(name)).map((drill) => this.#sight(drill));
    const observed = { ...QUIET, platform, drills };
    const decision = next(this.schedule, observed, this.now);
    const status = scheduleStatus(this.schedule, decision, this.now);
    this.schedule = { ...this.schedule, status };
    if (decision.start !== undefined) this.#make(decision.start);
    else for (const { name } of decision.remove) this.#kept.add(name);
    if (decision.start === undefined) this.#checkRest(observed);
    return decision;
  }

  /** What was saved is where it rests: another look at the same world changes nothing and tells nothing. */
  #checkRest(observed: Parameters<typeof next>[1]): void {
    const again = next(this.schedule, observed, this.now);
    const status = scheduleStatus(this.schedule, again, this.now);
    if (JSON.stringify(status) !== JSON.stringify(this.schedule.status) || again.stories.length > 0)
      this.violations.push(`at ${iso(this.now)} it does not rest: ${JSON.stringify(again.stories)}`);
  }

  #sight({ endsAt, end, madeAt: _madeAt, ...drill }: ModelDrill): DrillSight {
    return { ...drill, end: endsAt <= this.now ? end : undefined };
  }

  #make({ name, zone, scheduledAt }: NonNullable<Decision['start']>): void {
    const crash = this.#crash;
    this.#crash = undefined;
    if (crash === 'before') return;
    // The API server refuses a second one of the same name.
    if (this.drills.some((drill) => drill.name === name && !this.#kept.has(name))) return;
    this.#checkStart({ name, scheduledAt });
    const endsAt = this.now + this.#minutes * MINUTE;
    const end = { outcome: this.#outcome, at: endsAt, reason: this.#outcome, message: '' };
    const uid = `uid-${this.drills.length}`;
    const drill = { name, uid, zone, mode: 'Drill' as const, scheduledAt, deleting: false, end };
    this.drills.push({ ...drill, madeAt: this.now, endsAt });
  }

  #checkStart({ name, scheduledAt }: { name: string; scheduledAt: number }): void {
    const { spec, status } = this.schedule;
    const say = (what: string): void => {
      this.violations.push(`at ${iso(this.now)} drill ${name} was made ${what}`);
    };
    if (this.drills.some((drill) => drill.name === name)) say('a second time');
    if (this.drills.some(({ endsAt }) => endsAt > this.now)) say('beside another one');
    if (this.#blocked) say('while the platform was not Ready');
    if (spec.suspend) say('while the schedule was suspended');
    if (status?.failed !== undefined) say('after one that failed');
    const late = this.now - scheduledAt;
    if (late < 0 || late >= parseDuration(spec.window)) say(`${late / MINUTE} minutes after its time`);
    const times = parseCron(spec.schedule, spec.timeZone);
    if (isCronProblem(times) || times.next(scheduledAt - MINUTE) !== scheduledAt)
      say('for a time that is not due');
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
