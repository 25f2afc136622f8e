import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isCronProblem, parseCron, type CronTimes } from './cron.ts';

function times(expression: string, timeZone = 'UTC'): CronTimes {
  const parsed = parseCron(expression, timeZone);
  if (isCronProblem(parsed)) throw new Error(parsed.message);
  return parsed;
}

/** The next `count` times after `after`. */
function series({ next }: CronTimes, after: string, count: number): string[] {
  const found: string[] = [];
  for (let at = next(Date.parse(after)); at !== undefined && found.length < count; at = next(at))
    found.push(new Date(at).toISOString().slice(0, 16));
  return found;
}

const table: { what: string; cron: string; zone?: string; after: string; due: string[] }[] = [
  {
    what: 'a day of the week',
    cron: '0 10 * * TUE',
    after: '2026-11-24T10:00:00Z',
    due: ['2026-12-01T10:00', '2026-12-08T10:00'],
  },
  {
    what: 'the 31st only in months that have one',
    cron: '0 0 31 * *',
    after: '2026-01-31T00:00:00Z',
    due: ['2026-03-31T00:00', '2026-05-31T00:00', '2026-07-31T00:00'],
  },
  {
    what: 'the 29th of February only in leap years',
    cron: '0 0 29 2 *',
    after: '2026-01-01T00:00:00Z',
    due: ['2028-02-29T00:00', '2032-02-29T00:00'],
  },
  {
    what: 'a day of the month or of the week, as cron does when both are given',
    cron: '0 10 13 * FRI',
    after: '2026-10-10T00:00:00Z',
    due: ['2026-10-13T10:00', '2026-10-16T10:00', '2026-10-23T10:00'],
  },
  {
    what: 'a time zone that is not whole hours away',
    cron: '0 10 * * *',
    zone: 'Asia/Kathmandu',
    after: '2026-11-24T00:00:00Z',
    due: ['2026-11-24T04:15', '2026-11-25T04:15'],
  },
  {
    what: 'a time that the clocks leave out right after the gap',
    cron: '30 2 * * *',
    zone: 'Europe/Berlin',
    after: '2026-03-27T12:00:00Z',
    due: ['2026-03-28T01:30', '2026-03-29T01:00', '2026-03-30T00:30'],
  },
  {
    what: 'a time that the clocks show twice the first time only',
    cron: '30 2 * * *',
    zone: 'Europe/Berlin',
    after: '2026-10-23T12:00:00Z',
    due: ['2026-10-24T00:30', '2026-10-25T00:30', '2026-10-26T01:30'],
  },
  {
    what: 'a midnight that there is not, where clocks change at midnight',
    cron: '0 0 * * *',
    zone: 'America/Santiago',
    after: '2026-09-04T12:00:00Z',
    due: ['2026-09-05T04:00', '2026-09-06T04:00', '2026-09-07T03:00'],
  },
  {
    what: 'each half hour, whatever the clocks do in spring',
    cron: '*/30 * * * *',
    zone: 'Europe/Berlin',
    after: '2026-03-29T00:00:00Z',
    due: ['2026-03-29T00:30', '2026-03-29T01:00', '2026-03-29T01:30'],
  },
  {
    what: 'each half hour, whatever the clocks do in autumn',
    cron: '*/30 * * * *',
    zone: 'Europe/Berlin',
    after: '2026-10-24T23:30:00Z',
    due: ['2026-10-25T00:00', '2026-10-25T00:30', '2026-10-25T01:00', '2026-10-25T01:30', '2026-10-25T02:00'],
  },
  { what: 'a nickname', cron: '@weekly', after: '2026-11-24T00:00:00Z', due: ['2026-11-29T00:00'] },
  { what: 'never', cron: '0 0 30 2 *', after: '2026-11-24T00:00:00Z', due: [] },
];

describe('a cron expression is due', () => {
  for (const { what, cron, zone, after, due } of table)
    it(what, () => assert.deepEqual(series(times(cron, zone), after, Math.max(1, due.length)), due));
});

describe('a schedule that is none', () => {
  const problem = (expression: string, zone = 'UTC'): string => {
    const parsed = parseCron(expression, zone);
    assert.ok(isCronProblem(parsed), `${expression} in ${zone} was read`);
    return `${parsed.reason}: ${parsed.message}`;
  };

  it('is told as what was written, and what is wrong with it', () => {
    assert.match(
      problem('61 * * * *'),
      /^InvalidSchedule: spec\.schedule "61 \* \* \* \*" cannot be read: .*61/,
    );
    assert.match(problem('0 22-2 * * *'), /InvalidSchedule: .*22-2/);
    assert.match(problem('* * * * * *'), /exactly 5 parts/);
  });

  it('is one in a time zone that there is not, or that has no name', () => {
    assert.match(problem('* * * * *', 'Mars/Olympus'), /^InvalidTimeZone: .*Mars\/Olympus/);
    assert.match(problem('* * * * *', '+01:00'), /^InvalidTimeZone/);
  });
});

const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Africa/Cairo',
  'Asia/Kathmandu',
];
const anyZone = fc.constantFrom(...ZONES);
const anyTime = fc.integer({ min: Date.UTC(2024, 0, 1), max: Date.UTC(2031, 0, 1) });

/** The wall clock of a zone, as `2026-03-29 02:30`. */
function wall(at: number, timeZone: string): string {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' });
  return format.format(new Date(at));
}

describe('whatever the time zone', () => {
  it('a daily time comes once for each day, at that time or in an hour after the clocks left it out', () => {
    const property = fc.property(
      fc.integer({ min: 0, max: 23 }),
      fc.integer({ min: 0, max: 59 }),
      anyZone,
      anyTime,
      (hour, minute, zone, start) => {
        const { next } = times(`${minute} ${hour} * * *`, zone);
        let before = next(start) ?? 0;
        for (let n = 0; n < 40; n += 1) {
          const at = next(before) ?? 0;
          const [day, time = ''] = wall(at, zone).split(' ');
          assert.notEqual(day, wall(before, zone).split(' ')[0], `twice on ${day} in ${zone}`);
          assert.ok(
            at - before <= 25.5 * 3_600_000,
            `no time between ${wall(before, zone)} and ${day} in ${zone}`,
          );
          const [h = 0, m = 0] = time.split(':').map(Number);
          const late = h * 60 + m - (hour * 60 + minute);
          assert.ok(late >= 0 && late <= 60, `${time} instead of ${hour}:${minute} on ${day} in ${zone}`);
          before = at;
        }
      },
    );
    fc.assert(property, { numRuns: 60 });
  });

  it('lastWithin is the last of those that next gives, and nothing outside the span', () => {
    const property = fc.property(
      fc.constantFrom('*/7 * * * *', '0 * * * *', '30 2 * * *', '0 0 1 * *'),
      anyZone,
      anyTime,
      fc.integer({ min: 0, max: 24 * 60 }),
      (cron, zone, from, minutes) => {
        const { next, lastWithin } = times(cron, zone);
        const until = from + minutes * 60_000;
        const last = lastWithin(from, until);
        const first = next(from) ?? Infinity;
        if (last === undefined) assert.ok(first > until);
        else {
          assert.ok(last > from && last <= until);
          assert.ok((next(last) ?? Infinity) > until);
        }
      },
    );
    fc.assert(property, { numRuns: 200 });
  });
});
