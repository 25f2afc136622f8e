/** What must hold of schedules whatever happens. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isCronProblem, parseCron } from './cron.ts';
import { Model, type Event } from './testing/model.ts';

const HOUR = 60;
const anySchedule = fc.record({
  schedule: fc.constantFrom('*/20 * * * *', '0 * * * *', '30 2 * * *', '0 10 * * TUE', '15 0 31 * *'),
  timeZone: fc.constantFrom('UTC', 'Europe/Berlin', 'America/Santiago', 'Australia/Lord_Howe'),
  window: fc.constantFrom('1m', '15m', '6h'),
  successfulDrillsHistoryLimit: fc.integer({ min: 0, max: 2 }),
  failedDrillsHistoryLimit: fc.integer({ min: 0, max: 2 }),
});
/** Days on which clocks change are among them. */
const anyStart = fc.oneof(
  fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2027, 0, 1) }),
  fc.constantFrom(
    Date.UTC(2026, 2, 28, 22, 40),
    Date.UTC(2026, 9, 24, 22, 40),
    Date.UTC(2026, 8, 5, 22, 40),
    Date.UTC(2026, 3, 4, 12),
  ),
);
const minutes = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 20 }) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 3 * HOUR }) },
  fc.integer({ min: 1, max: 30 * HOUR }),
);

const happens = (...events: Event['event'][]): fc.Arbitrary<Event> =>
  fc.constantFrom(...events).map((event) => ({ event }) as Event);
const anyEvent: fc.Arbitrary<Event> = fc.oneof(
  { weight: 5, arbitrary: minutes.map((n): Event => ({ event: 'pass', minutes: n })) },
  minutes.map((n): Event => ({ event: 'away', minutes: n })),
  happens('crashBeforeMake', 'crashAfterMake'),
  happens('block', 'unblock'),
  happens('suspend', 'unsuspend', 'resume'),
  fc.record({
    event: fc.constant('drills' as const),
    outcome: fc.constantFrom('Succeeded', 'Succeeded', 'Failed', 'Interrupted'),
    minutes: fc.integer({ min: 1, max: 40 }),
  }),
);

describe('whatever happens to a schedule', () => {
  it('no drill is started twice, early, late, beside another, after a failed one, or while it may not', () => {
    const property = fc.property(
      anySchedule,
      anyStart,
      fc.array(anyEvent, { minLength: 5, maxLength: 25 }),
      (spec, start, events) => {
        const model = new Model(spec, start);
        for (const event of events) model.happen(event);
        assert.deepEqual(model.violations, []);
      },
    );
    fc.assert(property, { numRuns: 25 });
  });

  it('a status that is lost, with drills that are kept, starts none twice', () => {
    const losing = fc.oneof({ weight: 3, arbitrary: anyEvent }, happens('loseStatus'));
    const property = fc.property(
      anySchedule,
      anyStart,
      fc.array(losing, { minLength: 5, maxLength: 30 }),
      (spec, start, events) => {
        const kept = { successfulDrillsHistoryLimit: 100, failedDrillsHistoryLimit: 100 };
        const model = new Model({ ...spec, ...kept }, start);
        for (const event of events) model.happen(event);
        assert.deepEqual(model.violations, []);
      },
    );
    fc.assert(property, { numRuns: 12 });
  });

  it('each drill that is due is started when nothing is in its way, one zone after another', () => {
    const property = fc.property(
      anySchedule,
      anyStart,
      fc.integer({ min: 1, max: 3 }),
      (spec, start, days) => {
        const model = new Model(spec, start);
        model.happen({ event: 'pass', minutes: days * 24 * HOUR });
        const times = parseCron(spec.schedule, spec.timeZone);
        assert.ok(!isCronProblem(times));
        const due: number[] = [];
        for (let at = times.next(start); at !== undefined && at < model.now; at = times.next(at))
          due.push(at);
        // One that is due at the last moment may have been started, or not been looked at.
        const started = model.drills.filter(({ scheduledAt }) => scheduledAt < model.now);
        assert.deepEqual(
          started.map(({ scheduledAt }) => scheduledAt),
          due,
        );
        assert.deepEqual(
          started.map(({ zone }) => zone),
          due.map((_, index) => ['zone-a', 'zone-b', 'zone-c'][index % 3]),
        );
        assert.deepEqual(model.violations, []);
      },
    );
    fc.assert(property, { numRuns: 8 });
  });

  it('after any trouble the next one comes, once the way is free and somebody said so', () => {
    const property = fc.property(
      anyStart,
      fc.array(anyEvent, { minLength: 1, maxLength: 20 }),
      (start, events) => {
        const model = new Model({ schedule: '0 * * * *', window: '15m' }, start);
        for (const event of events) model.happen(event);
        model.happen({ event: 'drills', outcome: 'Succeeded', minutes: 1 });
        for (const event of ['unblock', 'unsuspend'] as const) model.happen({ event });
        // The end of the one that is under way is to be seen before it is forgiven.
        model.happen({ event: 'pass', minutes: HOUR });
        model.happen({ event: 'resume' });
        const before = model.drills.length;
        model.happen({ event: 'pass', minutes: 2 * HOUR });
        assert.ok(model.drills.length > before, 'none came within two hours');
      },
    );
    fc.assert(property, { numRuns: 15 });
  });
});
