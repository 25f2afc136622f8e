import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ANNOTATION } from '@causeway/crds';
import { drillName, isDrillName, next, type Decision } from './decide.ts';
import type { Observed } from './observed.ts';
import type { ScheduleObject } from './ports.ts';
import { scheduleStatus } from './status.ts';
import { at, drillOf, ended, QUIET, scheduleOf } from './testing/schedule.ts';

const iso = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : new Date(ms).toISOString().slice(0, 19);

/** Decides, and stores what was decided, as the controller does. */
function look(
  schedule: ScheduleObject,
  time: string,
  observed: Partial<Observed> = {},
): Decision & { stored: ScheduleObject; ready: string } {
  const now = at(time);
  const decision = next(schedule, { ...QUIET, ...observed }, now);
  const status = scheduleStatus(schedule, decision, now);
  const [condition] = status.conditions?.filter(({ status: is }) => is === 'True') ?? [];
  return {
    ...decision,
    stored: { ...schedule, status },
    ready: `${condition?.type} ${condition?.reason}`,
  };
}

/** A change of what the user wrote. */
function edit(
  { metadata, spec, ...rest }: ScheduleObject,
  change: Partial<ScheduleObject['spec']>,
): ScheduleObject {
  return {
    ...rest,
    metadata: { ...metadata, generation: metadata.generation + 1 },
    spec: { ...spec, ...change },
  };
}

function annotate(schedule: ScheduleObject, value: string): ScheduleObject {
  const { metadata } = schedule;
  return { ...schedule, metadata: { ...metadata, annotations: { [ANNOTATION.resume]: value } } };
}

const blocked = (reason: string): Partial<Observed> => ({
  platform: { ...QUIET.platform!, blocked: { reason, message: `${reason}.` } },
});

/** A schedule whose drill of 10:00 is under way. */
function underWay(change: Parameters<typeof scheduleOf>[0] = {}): ScheduleObject {
  const { stored } = look(scheduleOf(change), '10:00');
  return look(stored, '10:00:01', { drills: [drillOf()] }).stored;
}

/** A schedule whose drill of 10:00 has failed at 10:02. */
function stopped(): ScheduleObject {
  return look(underWay(), '10:02', { drills: [drillOf({ end: ended('Failed', '10:02') })] }).stored;
}

describe('a drill', () => {
  it('is not started before its time, and is looked for then', () => {
    const { start, lookAt, ready, stored } = look(scheduleOf(), '09:59:59');
    assert.equal(start, undefined);
    assert.equal(iso(lookAt), '2026-11-24T10:00:00');
    assert.equal(ready, 'Ready Scheduled');
    assert.equal(stored.status?.nextScheduleTime, '2026-11-24T10:00:00Z');
    assert.equal(stored.status?.nextZone, 'zone-a');
  });

  it('is started at its time, with a name that its time makes', () => {
    const { start, stored } = look(scheduleOf(), '10:00');
    assert.deepEqual(start, { name: 'daily-29925240', zone: 'zone-a', scheduledAt: at('10:00') });
    assert.equal(stored.status?.active?.name, 'daily-29925240');
    assert.equal(stored.status?.active?.uid, undefined);
    assert.equal(stored.status?.lastScheduleTime, undefined, 'it is not there yet');
  });

  it('that was saved and not made is made by whoever looks next, under the same name', () => {
    const { stored, start } = look(scheduleOf(), '10:00');
    const again = look(stored, '10:03');
    assert.deepEqual(again.start, start);
    assert.deepEqual(again.stored.status, stored.status, 'nothing is written a second time');
  });

  it('that was saved and not made is due as before: it waits, and is skipped', () => {
    const { stored } = look(scheduleOf(), '10:00');
    const waits = look(stored, '10:03', blocked('PlatformNotReady'));
    assert.equal(waits.start, undefined);
    assert.equal(waits.ready, 'Ready PlatformNotReady');
    assert.equal(waits.stored.status?.active, undefined);
    assert.equal(look(waits.stored, '10:04').start?.name, 'daily-29925240');
    assert.equal(look(waits.stored, '10:15').start, undefined);
  });

  it('that is there is followed, and told once', () => {
    const { stored } = look(scheduleOf(), '10:00');
    const seen = look(stored, '10:00:01', { drills: [drillOf()] });
    assert.deepEqual(
      seen.stories.map(({ what }) => what),
      ['Started'],
    );
    assert.equal(seen.stored.status?.lastScheduleTime, '2026-11-24T10:00:00Z');
    assert.equal(seen.stored.status?.lastZone, 'zone-a');
    assert.equal(seen.ready, 'Ready DrillUnderWay');
    const again = look(seen.stored, '10:00:30', { drills: [drillOf()] });
    assert.deepEqual(again.stories, []);
    assert.deepEqual(again.stored.status, seen.stored.status);
  });

  it('that succeeds makes room for the next one, of the next zone', () => {
    const { stored, stories, start } = look(underWay(), '10:02', {
      drills: [drillOf({ end: ended('Succeeded', '10:02') })],
    });
    assert.equal(start, undefined);
    assert.deepEqual(
      stories.map(({ what }) => what),
      ['Succeeded'],
    );
    assert.equal(stored.status?.active, undefined);
    assert.equal(stored.status?.lastSuccessfulTime, '2026-11-24T10:02:00Z');
    assert.equal(stored.status?.nextScheduleTime, '2026-11-25T10:00:00Z');
    assert.equal(stored.status?.nextZone, 'zone-b');
  });

  it('that an Emergency interrupted stops nothing', () => {
    const drills = [drillOf({ end: ended('Interrupted', '10:02') })];
    const { stored, ready } = look(underWay(), '10:02', { drills });
    assert.equal(stored.status?.failed, undefined);
    assert.equal(ready, 'Ready Scheduled');
  });
});

describe('a drill that is due waits within its window', () => {
  const cases: { what: string; observed: Partial<Observed>; reason: string }[] = [
    {
      what: 'for a platform that is not Ready',
      observed: blocked('PlatformNotReady'),
      reason: 'PlatformNotReady',
    },
    {
      what: 'for another failover of the platform',
      observed: { others: [drillOf({ name: 'by-hand', mode: 'Planned' })] },
      reason: 'OtherFailover',
    },
    {
      what: 'for a drill of its own that its status does not name',
      observed: { drills: [drillOf({ name: 'daily-1' })] },
      reason: 'OtherFailover',
    },
    {
      what: 'for a drill that another schedule of the platform is about to make',
      observed: { coming: 'weekly-29925240' },
      reason: 'OtherFailover',
    },
    {
      what: "while somebody else's ZoneFailover has its name",
      observed: { nameTaken: true },
      reason: 'NameTaken',
    },
  ];
  for (const { what, observed, reason } of cases)
    it(what, () => {
      const { stored: before } = look(scheduleOf(), '09:30');
      const waits = look(before, '10:00', observed);
      assert.equal(waits.start, undefined);
      assert.equal(waits.ready, `Ready ${reason}`);
      assert.equal(iso(waits.lookAt), '2026-11-24T10:15:00');
      assert.equal(waits.stored.status?.nextScheduleTime, '2026-11-24T10:00:00Z');
      assert.equal(look(waits.stored, '10:14:59').start?.scheduledAt, at('10:00'));
      const over = look(waits.stored, '10:15', observed);
      assert.equal(over.start, undefined);
      assert.deepEqual(
        over.stories.map((story) => story.what),
        ['Skipped'],
      );
      assert.equal(over.stored.status?.lastSkipped?.reason, reason);
      assert.equal(over.stored.status?.lastSkipped?.scheduledTime, '2026-11-24T10:00:00Z');
      assert.deepEqual(look(over.stored, '10:16', observed).stories, [], 'it is told once');
    });

  it('for its platform, which may be applied after it', () => {
    const { stored, ready } = look(scheduleOf(), '10:00', { platform: undefined });
    assert.equal(ready, 'Reconciling PlatformMissing');
    assert.equal(look(stored, '10:01').start?.zone, 'zone-a');
  });

  it('for the one before, and is skipped when that takes too long', () => {
    const often = underWay({ spec: { schedule: '*/5 * * * *', window: '2m' } });
    const drills = [drillOf()];
    assert.equal(look(often, '10:05', { drills }).start, undefined);
    const over = look(often, '10:07', { drills });
    assert.equal(over.stored.status?.lastSkipped?.reason, 'DrillUnderWay');
    assert.equal(over.stored.status?.active?.name, 'daily-29925240');
  });
});

describe('what was due', () => {
  it('while nobody looked is started late, within its window', () => {
    assert.equal(look(scheduleOf(), '10:14:59').start?.scheduledAt, at('10:00'));
  });

  it('while nobody looked is missed after it, and told', () => {
    const { start, stored, stories } = look(scheduleOf(), '10:15');
    assert.equal(start, undefined);
    assert.equal(stored.status?.lastSkipped?.reason, 'Missed');
    assert.match(stories[0]?.note ?? '', /due at 2026-11-24T10:00:00Z is skipped.*within 15m/);
  });

  it('before the schedule was made is not due', () => {
    const early = scheduleOf({ spec: { schedule: '55 8 * * *' } });
    assert.equal(look(early, '09:05').start, undefined);
  });

  it('often in the window is started once, for the last time', () => {
    const often = scheduleOf({ spec: { schedule: '* * * * *', window: '24h' } });
    const { start, stored } = look(often, '11:30:20');
    assert.equal(start?.scheduledAt, at('11:30'));
    const drills = [
      drillOf({ name: start?.name ?? '', scheduledAt: at('11:30'), end: ended('Succeeded', '11:30:30') }),
    ];
    assert.equal(look(stored, '11:30:40', { drills }).start, undefined);
  });

  it('for a year while nobody looked is found at once', () => {
    const year = scheduleOf({ spec: { schedule: '* * * * *', window: '1m' } });
    year.metadata.creationTimestamp = '2025-11-24T10:00:00Z';
    const began = performance.now();
    assert.equal(look(year, '10:30').start?.scheduledAt, at('10:30'));
    assert.ok(performance.now() - began < 1_000);
  });

  it('while it was suspended is not made up for, and not told', () => {
    const { stored } = look(scheduleOf({ spec: { suspend: true } }), '10:00');
    assert.equal(stored.status?.nextScheduleTime, undefined);
    const on = look(edit(stored, { suspend: false }), '10:01');
    assert.equal(on.start, undefined);
    assert.deepEqual(on.stories, []);
    assert.equal(on.stored.status?.lastSkipped, undefined);
  });

  it('by a schedule that came after it is not due', () => {
    const { stored } = look(scheduleOf(), '09:30');
    const { start, lookAt } = look(edit(stored, { schedule: '0 9 * * *', window: '2h' }), '09:40');
    assert.equal(start, undefined);
    assert.equal(iso(lookAt), '2026-11-25T09:00:00');
  });
});

describe('a drill that failed', () => {
  it('stops the schedule, and says what to do', () => {
    const schedule = stopped();
    const [stalled] = schedule.status?.conditions?.filter(({ type }) => type === 'Stalled') ?? [];
    assert.equal(stalled?.status, 'True');
    assert.match(stalled?.message ?? '', /causeway drills resume daily -n messaging/);
    assert.equal(schedule.status?.nextScheduleTime, undefined);
    const due = look(schedule, '10:00');
    assert.equal(due.start, undefined);
  });

  it('is told of each time when one is due', () => {
    const often = look(underWay({ spec: { schedule: '*/5 * * * *' } }), '10:02', {
      drills: [drillOf({ end: ended('Failed', '10:02') })],
    }).stored;
    const skipped = look(often, '10:05');
    assert.equal(skipped.start, undefined);
    assert.deepEqual(
      skipped.stories.map(({ what }) => what),
      ['Skipped'],
    );
    assert.equal(skipped.stored.status?.lastSkipped?.reason, 'Stopped');
    assert.deepEqual(look(skipped.stored, '10:06').stories, []);
  });

  it('is one that was deleted before its end', () => {
    assert.equal(look(underWay(), '10:02').stored.status?.failed?.reason, 'Deleted');
  });

  const ways: { what: string; schedule: () => ScheduleObject; observed?: Partial<Observed> }[] = [
    { what: 'the annotation has a new value', schedule: () => annotate(stopped(), 'now') },
    { what: 'the spec was changed', schedule: () => edit(stopped(), { window: '20m' }) },
    {
      what: 'a drill of the zone by hand succeeded since',
      schedule: stopped,
      observed: { others: [drillOf({ name: 'by-hand', end: ended('Succeeded', '10:04') })] },
    },
  ];
  for (const { what, schedule, observed = {} } of ways)
    it(`stops nothing any more when ${what}`, () => {
      const { stories, stored, ready } = look(schedule(), '10:05', observed);
      assert.deepEqual(
        stories.map((story) => story.what),
        ['Resumed'],
      );
      assert.equal(ready, 'Ready Scheduled');
      assert.equal(stored.status?.nextZone, 'zone-b');
      assert.deepEqual(look(stored, '10:06', observed).stories, []);
    });

  const noWays: { what: string; others: Observed['others'] }[] = [
    { what: 'another zone', others: [drillOf({ zone: 'zone-b', end: ended('Succeeded', '10:04') })] },
    { what: 'the zone before', others: [drillOf({ end: ended('Succeeded', '10:01') })] },
    { what: 'the zone that failed', others: [drillOf({ end: ended('Failed', '10:04') })] },
  ];
  for (const { what, others } of noWays)
    it(`still stops it after a drill of ${what}`, () => {
      assert.equal(look(stopped(), '10:05', { others }).ready, 'Stalled DrillFailed');
    });

  it('is not forgiven by a value that the annotation had before', () => {
    const before = look(annotate(scheduleOf(), 'old'), '09:30').stored;
    const started = look(before, '10:00').stored;
    const drills = [drillOf({ end: ended('Failed', '10:02') })];
    const { stored } = look(started, '10:02', { drills });
    assert.equal(look(stored, '10:03', { drills }).ready, 'Stalled DrillFailed');
    assert.equal(look(annotate(stored, 'new'), '10:03', { drills }).ready, 'Ready Scheduled');
  });
});

describe('a status that was lost', () => {
  it('is made again from the drills: none is started twice, and a failed one stops it', () => {
    const running = look(scheduleOf(), '10:05', { drills: [drillOf()] });
    assert.equal(running.start, undefined);
    assert.equal(running.stored.status?.active?.uid, 'uid-drill');
    const failed = look(scheduleOf(), '10:05', { drills: [drillOf({ end: ended('Failed', '10:02') })] });
    assert.equal(failed.ready, 'Stalled DrillFailed');
  });
});

describe('the name of a drill', () => {
  it('is known by its schedule', () => {
    assert.equal(isDrillName('daily', drillName('daily', at('10:00'))), true);
    for (const other of ['daily', 'daily-', 'daily-x-1', 'dailies-29925240', 'my-daily-29925240'])
      assert.equal(isDrillName('daily', other), false, other);
  });
});

describe('the history', () => {
  const drill = (n: number, outcome: 'Succeeded' | 'Failed'): Observed['drills'][number] =>
    drillOf({ name: `daily-${n}`, scheduledAt: n * 60_000, end: ended(outcome, '09:00') });

  it('keeps the last of each kind, and what is under way', () => {
    const schedule = underWay({ spec: { successfulDrillsHistoryLimit: 1, failedDrillsHistoryLimit: 0 } });
    const drills = [drill(1, 'Succeeded'), drill(3, 'Succeeded'), drill(2, 'Failed'), drillOf()];
    const { remove } = look(schedule, '10:01', { drills });
    assert.deepEqual(
      remove.map(({ name }) => name),
      ['daily-1', 'daily-2'],
    );
  });

  it('lets a drill go only once its end is in the status', () => {
    const schedule = underWay({ spec: { successfulDrillsHistoryLimit: 0 } });
    const drills = [drillOf({ end: ended('Succeeded', '10:02') })];
    const { remove, stored } = look(schedule, '10:02', { drills });
    assert.deepEqual(
      remove.map(({ name }) => name),
      ['daily-29925240'],
    );
    assert.equal(stored.status?.lastSuccessfulTime, '2026-11-24T10:02:00Z');
  });
});

describe('a schedule that can never start one', () => {
  const cases: { what: string; spec: Partial<ScheduleObject['spec']>; reason: string }[] = [
    { what: 'has an hour that there is not', spec: { schedule: '0 25 * * *' }, reason: 'InvalidSchedule' },
    { what: 'has a day that there is not', spec: { schedule: '0 0 30 2 *' }, reason: 'InvalidSchedule' },
    {
      what: 'has a time zone that there is not',
      spec: { timeZone: 'Mars/Olympus' },
      reason: 'InvalidTimeZone',
    },
    { what: 'has zones that the platform has not', spec: { zones: ['zone-x'] }, reason: 'NoZone' },
    {
      what: 'has only the home, and must not leave it',
      spec: { zones: ['zone-a'], includeHome: false },
      reason: 'NoZone',
    },
  ];
  for (const { what, spec, reason } of cases)
    it(`says so when it ${what}`, () => {
      const { ready, start } = look(scheduleOf({ spec }), '10:00');
      assert.equal(ready, `Stalled ${reason}`);
      assert.equal(start, undefined);
    });

  it('says so when the platform has one zone', () => {
    const platform = { zones: ['zone-a'], home: 'zone-a', blocked: undefined };
    assert.equal(look(scheduleOf(), '10:00', { platform }).ready, 'Stalled NoZone');
  });
});
