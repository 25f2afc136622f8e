import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ZoneView } from '@causeway/crds';
import fc from 'fast-check';
import {
  ALARMED_MS,
  decideAutomatic,
  MOST_EMERGENCIES,
  SAME_ZONE_MS,
  SILENT_LOOK_MS,
  WINDOW_MS,
  type AutomaticDecision,
  type AutomaticState,
  type OutageSight,
  type ZoneKnown,
} from './automatic.ts';
import { automaticStateOf, automaticStatus } from './automatic-status.ts';
import { missedMs, NOTICE_MS, witnessZones, wordsOn } from './witnesses.ts';

const ZONES = ['zone-a', 'zone-b', 'zone-c'];
const WISH = { platform: 'orders', unhealthyAfterMs: 10_000 };

/** A gateway of `zone`, which misses those zones for so many milliseconds. */
function view(zone: string, missed: Record<string, number> = {}, zones: readonly string[] = ZONES): ZoneView {
  const seen = zones
    .filter((name) => name !== zone)
    .map((name) => {
      const unreachableMs = missed[name] ?? 0;
      return { zone: name, reachable: unreachableMs === 0 ? 2 : 0, total: 2, unreachableMs };
    });
  return { zone, seen };
}

const known = (name: string, change: Partial<ZoneKnown> = {}): ZoneKnown => ({
  name,
  ready: 2,
  away: false,
  answers: true,
  gatewaysDown: false,
  ...change,
});

/** zone-a has been gone for `ms`; the others see it. */
function outage(ms: number, change: Partial<OutageSight> = {}): OutageSight {
  return {
    now: 1_000_000_000,
    views: [view('zone-b', { 'zone-a': ms }), view('zone-c', { 'zone-a': ms })],
    zones: [known('zone-a', { answers: false }), known('zone-b'), known('zone-c')],
    home: 'zone-a',
    paused: false,
    failover: undefined,
    made: undefined,
    ...change,
  };
}

const NOTHING: AutomaticState = { zones: [], emergencies: [] };
const decide = (seen: OutageSight, before = NOTHING): AutomaticDecision =>
  decideAutomatic(WISH, before, seen);

describe('witnesses', () => {
  it('are gateways that reach somebody: one that is cut off alone says nothing', () => {
    const blind = view('zone-c', { 'zone-a': 60_000, 'zone-b': 60_000 });
    const views = [view('zone-b', { 'zone-a': 20_000 }), blind];
    assert.deepEqual([...witnessZones(views)], ['zone-b']);
    assert.deepEqual(wordsOn('zone-a', views), [{ by: 'zone-b', missedMs: 20_000 }]);
    assert.equal(missedMs(wordsOn('zone-a', views)), 0, 'one zone is not believed');
  });

  it('say for a zone what most of them say', () => {
    const views = [{ 'zone-a': 20_000 }, { 'zone-a': 15_000 }, {}].map((missed) => view('zone-b', missed));
    assert.deepEqual(wordsOn('zone-a', views), [{ by: 'zone-b', missedMs: 15_000 }]);
    assert.deepEqual(wordsOn('zone-a', views.slice(1)), [{ by: 'zone-b', missedMs: 0 }]);
  });

  it('that know no address of a zone say nothing of it', () => {
    const unknown = view('zone-b', { 'zone-a': 20_000 });
    for (const one of unknown.seen) if (one.zone === 'zone-a') one.total = 0;
    assert.deepEqual(wordsOn('zone-a', [unknown]), []);
  });

  it('must be most of the zones, and at least two', () => {
    const words = (...times: number[]): { by: string; missedMs: number }[] =>
      times.map((time, n) => ({ by: `zone-${n}`, missedMs: time }));
    assert.equal(missedMs(words(30, 20)), 20);
    assert.equal(missedMs(words(30, 20, 0)), 20);
    assert.equal(missedMs(words(30, 20, 0, 0)), 0);
    assert.equal(missedMs(words(30)), 0);
    assert.equal(missedMs([]), 0);
  });
});

describe('an automatic Emergency', () => {
  it('is made of a zone that two others, and the operator, have not reached for long enough', () => {
    const { reason, make, state } = decide(outage(10_000));
    assert.equal(reason, 'EmergencyMade');
    assert.deepEqual(make, { zone: 'zone-a', failover: 'orders-zone-a-auto-1000000', at: 1_000_000_000 });
    assert.deepEqual(state.emergencies, [make], 'the status names it before it is made');
    const [zone] = state.zones;
    assert.deepEqual(zone?.missedBy, ['zone-b', 'zone-c']);
    assert.equal(zone?.unreachableSince, 1_000_000_000 - 10_000);
  });

  const isNot = (what: string, seen: OutageSight, reason: string, before = NOTHING): void => {
    it(`is not made ${what}`, () => {
      const decision = decide(seen, before);
      assert.deepEqual([decision.make, decision.reason], [undefined, reason]);
      assert.notEqual(decision.message, '');
    });
  };
  const zones = (...changes: Partial<ZoneKnown>[]): ZoneKnown[] =>
    ZONES.map((name, n) => known(name, { ...(n === 0 ? { answers: false } : {}), ...changes[n] }));

  isNot('too early', outage(9_999), 'ZoneMissed');
  isNot('while nothing is wrong', outage(0, { views: ZONES.map((zone) => view(zone)) }), 'Watching');
  isNot('when the operator alone sees nothing of a zone', outage(0), 'WitnessesMissing');
  isNot(
    'when the operator cannot ask witnesses of two other zones',
    outage(60_000, { views: [view('zone-b', { 'zone-a': 60_000 })] }),
    'WitnessesMissing',
  );
  isNot('when it can ask nobody at all', outage(60_000, { views: [] }), 'WitnessesMissing');
  isNot(
    'when one of the two others still reaches it',
    outage(60_000, { views: [view('zone-b', { 'zone-a': 60_000 }), view('zone-c')] }),
    'WitnessesMissing',
  );
  isNot('when something in it answers', outage(60_000, { zones: zones({ answers: true }) }), 'ZoneAnswers');
  isNot('before it was asked', outage(60_000, { zones: zones({ answers: undefined }) }), 'ZoneMissed');
  isNot(
    'when only its gateways are down',
    outage(60_000, { zones: zones({ gatewaysDown: true }) }),
    'GatewaysDown',
  );
  isNot('beside another failover', outage(60_000, { failover: 'drill' }), 'OtherFailover');
  const move = { failover: 'drill', from: 'zone-b', to: 'zone-a' };
  const emptied = zones({}, { away: true, ready: 0 });
  isNot('while a drill brings the home there', outage(60_000, { move, home: 'zone-b' }), 'OtherFailover');
  isNot(
    'while a drill has the home in another zone',
    outage(60_000, { move: { ...move, to: 'zone-c' }, home: 'zone-c' }),
    'OtherFailover',
  );
  isNot(
    'beside another failover that waits for the drill',
    outage(60_000, { move, zones: emptied, failover: 'planned' }),
    'OtherFailover',
  );
  isNot(
    'of a home that a drill moved, when no third zone serves',
    outage(60_000, { move, zones: zones({}, { away: true, ready: 0 }, { ready: 0 }) }),
    'TooFewZones',
  );

  it('is made of a home that a drill moved: the zone that it left bears witness, and serves again', () => {
    const { make, reason } = decide(outage(60_000, { move, zones: emptied }));
    assert.deepEqual([reason, make?.zone], ['EmergencyMade', 'zone-a']);
  });

  isNot('in a platform that is paused', outage(60_000, { paused: true }), 'PlatformPaused');
  isNot(
    'when another zone has no ready gateway',
    outage(60_000, { zones: zones({}, { ready: 0 }) }),
    'TooFewZones',
  );
  isNot('when another zone is away', outage(60_000, { zones: zones({}, { away: true }) }), 'TooFewZones');
  isNot(
    'of a zone that is out already',
    outage(60_000, { zones: zones({ away: true }) }),
    'WitnessesMissing',
  );

  const made = (...ages: number[]): AutomaticState => ({
    zones: [],
    emergencies: ages.map((age, n) => ({
      zone: `zone-${n === 0 ? 'a' : 'c'}`,
      failover: `e${n}`,
      at: 1_000_000_000 - age,
      uid: `${n}`,
    })),
  });
  isNot('soon after another one of the same zone', outage(60_000), 'RecentEmergency', made(SAME_ZONE_MS - 1));
  isNot(
    'too often in an hour',
    outage(60_000),
    'TooManyEmergencies',
    made(WINDOW_MS - 1, SAME_ZONE_MS, SAME_ZONE_MS),
  );

  it('is made again later, and forgets what is older than an hour', () => {
    const { make, state } = decide(outage(60_000), made(WINDOW_MS, SAME_ZONE_MS, SAME_ZONE_MS));
    assert.ok(make);
    assert.equal(state.emergencies.length, MOST_EMERGENCIES);
  });

  it('is of the home first, when several zones are gone', () => {
    const five = ['zone-a', 'zone-b', 'zone-c', 'zone-d', 'zone-e'];
    const gone = { 'zone-a': 20_000, 'zone-b': 20_000 };
    const { make } = decide(
      outage(0, {
        home: 'zone-b',
        views: ['zone-c', 'zone-d', 'zone-e'].map((zone) => view(zone, gone, five)),
        zones: five.map((name) => known(name, name in gone ? { answers: false } : {})),
      }),
    );
    assert.equal(make?.zone, 'zone-b');
  });

  it('goes on watching with what it knew, while a witness does not answer', () => {
    const { state } = decide(outage(NOTICE_MS));
    const later = decide(outage(0, { views: [view('zone-b', { 'zone-a': 5_000 })] }), state);
    assert.deepEqual(later.state.zones[0]?.missedBy, ['zone-b', 'zone-c']);
    assert.equal(later.make, undefined);
    const back = decide(outage(0), state);
    assert.deepEqual(back.state.zones[0], { zone: 'zone-a', seenBy: ['zone-b', 'zone-c'], missedBy: [] });
  });

  describe('that was decided on when the operator died', () => {
    const { state, make } = decide(outage(10_000));

    it('is known by its name when it was made', () => {
      const next = decide(outage(12_000, { made: 'uid-1', failover: make?.failover }), state);
      assert.deepEqual([next.make, next.state.emergencies[0]?.uid], [undefined, 'uid-1']);
    });

    it('is made under the same name when it was not, and the zone is still gone', () => {
      const next = decide(outage(12_000, { now: 1_000_002_000 }), state);
      assert.deepEqual([next.make, next.state.emergencies], [make, state.emergencies]);
    });

    it('is forgotten when the zone is back, or somebody else acts', () => {
      assert.deepEqual(decide(outage(0), state).state.emergencies, []);
      assert.deepEqual(decide(outage(12_000, { failover: 'mine' }), state).state.emergencies, []);
    });
  });

  it('is decided on just when the zone has been missed for long enough, whenever it was seen first', () => {
    assert.equal(decide(outage(0)).lookAfterMs, undefined, 'all are there');
    const threshold = WISH.unhealthyAfterMs;
    const last = threshold - SILENT_LOOK_MS;
    for (let first = 1; first < threshold; first += 7) {
      let missed = first;
      while (missed < threshold) missed += (decide(outage(missed)).lookAfterMs ?? Infinity) + SILENT_LOOK_MS;
      const late = first <= last ? 50 : SILENT_LOOK_MS + ALARMED_MS;
      assert.ok(
        missed - threshold <= late,
        `seen after ${first} ms: decided on ${missed - threshold} ms late`,
      );
    }
  });

  it('is kept in the status as it was decided on', () => {
    const decision = decide(outage(10_000));
    const read = automaticStateOf({ automaticFailover: automaticStatus(decision) });
    assert.deepEqual(read, decision.state);
  });

  it('never happens without two witnesses, whatever they and the operator see', () => {
    const time = fc.constantFrom(0, 1_000, 5_000, 10_000, 60_000);
    const word = fc.record({ 'zone-a': time, 'zone-b': time, 'zone-c': time });
    const one = fc.record({ by: fc.constantFrom(...ZONES), missed: word });
    let happened = 0;
    fc.assert(
      fc.property(fc.array(one, { maxLength: 6 }), fc.boolean(), (said, answers) => {
        const views = said.map(({ by, missed }) => view(by, missed));
        const { make } = decide(outage(0, { views, zones: ZONES.map((name) => known(name, { answers })) }));
        if (make === undefined) return;
        happened += 1;
        const zone = make.zone as keyof (typeof said)[number]['missed'];
        const convinced = said.filter(({ by, missed }) => by !== zone && missed[zone] >= 10_000);
        assert.equal(answers, false);
        assert.equal(new Set(convinced.map(({ by }) => by)).size, 2);
      }),
      { numRuns: 2_000, seed: 1 },
    );
    assert.ok(happened > 0);
  });
});
