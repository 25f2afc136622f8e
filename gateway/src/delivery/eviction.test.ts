import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FRESH_MS, GIVE_UP_MS, lossOf, LOST_MS, membersOf, NOTE_MS, stepOf } from './eviction.ts';
import type { Loss, ZoneSight } from './eviction.ts';
import type { DescribedMember } from './kafkajs-cluster.ts';

const NOW = 1_000_000;
const pods = (...addresses: string[]): ZoneSight['pods'] => new Map(addresses.map((one) => [one, {}]));
const there = (zone: string, ...addresses: string[]): ZoneSight => ({
  zone,
  pods: pods(...addresses),
  unreachableMs: 0,
  answeredAt: NOW - 300,
});
const silent = (zone: string, unreachableMs: number, ...addresses: string[]): ZoneSight => ({
  zone,
  pods: pods(...addresses),
  unreachableMs,
  answeredAt: NOW - unreachableMs,
});
const never = (zone: string): ZoneSight => ({
  zone,
  pods: pods(),
  unreachableMs: 0,
  answeredAt: undefined,
});
const loss = (change: Partial<Loss> = {}): Loss => ({ since: 1, noted: undefined, isOver: false, ...change });
const C = there('zone-c', '10.0.3.1');
/** What is due for a zone that is silent for so long, of which these members were noted. */
const step = (ms: number, noted?: string[], others: ZoneSight[] = [C]): string => {
  const zone = silent('zone-b', ms, '10.0.2.1');
  return stepOf(zone, loss({ noted }), [zone, ...others], NOW);
};

describe('when members of a silent zone are taken out', () => {
  it('is after it was lost for long enough, and they were noted before', () => {
    assert.equal(step(0), 'rest');
    assert.equal(step(NOTE_MS - 1), 'rest');
    assert.equal(step(NOTE_MS), 'note');
    assert.equal(step(NOTE_MS, ['b-1']), 'rest');
    assert.equal(step(LOST_MS - 1, ['b-1']), 'rest');
    assert.equal(step(LOST_MS, ['b-1']), 'evict');
    assert.equal(step(LOST_MS + 8_000), 'note', 'nobody could say before');
    assert.equal(step(LOST_MS + 8_000, ['b-1']), 'evict');
  });

  it('is never, where none of them is in the group, and that is no failure', () => {
    for (const ms of [NOTE_MS, LOST_MS, GIVE_UP_MS]) assert.equal(step(ms, []), 'rest');
  });

  it('is given up in the end', () => {
    assert.equal(step(GIVE_UP_MS - 1, ['b-1']), 'evict');
    for (const noted of [undefined, ['b-1']]) assert.equal(step(GIVE_UP_MS, noted), 'giveUp');
    assert.equal(step(GIVE_UP_MS, undefined, []), 'giveUp');
  });

  it('is not while all others are silent or unknown: it is we who are cut off', () => {
    for (const noted of [undefined, ['b-1']]) {
      assert.equal(step(LOST_MS, noted, [silent('zone-c', 2_000)]), 'rest');
      assert.equal(step(LOST_MS, noted, [silent('zone-c', LOST_MS), silent('zone-d', LOST_MS)]), 'ours');
      assert.equal(step(NOTE_MS, noted, [silent('zone-c', NOTE_MS)]), 'ours');
      assert.equal(step(LOST_MS, noted, [never('zone-c')]), 'rest');
      assert.notEqual(step(LOST_MS, noted, [silent('zone-c', LOST_MS), there('zone-d')]), 'rest');
    }
  });

  it('is not while it is not known yet that the others are silent too', () => {
    const answered = (ago: number): ZoneSight => ({ ...C, answeredAt: NOW - ago });
    assert.equal(step(LOST_MS, ['b-1'], [answered(FRESH_MS + 1)]), 'rest');
    assert.equal(step(LOST_MS, ['b-1'], [answered(FRESH_MS)]), 'evict');
  });

  it('does not ask for a third zone where there is none', () => {
    assert.equal(step(NOTE_MS, undefined, []), 'note');
    assert.equal(step(LOST_MS, ['b-1'], []), 'evict');
  });

  it('is never in what follows from a cut of our own, whenever the last answers were', () => {
    // Answers come every 0.75 to 1.25 s, the last one of this zone up to a second late; the others are known to be silent a round later.
    const ages = fc.record({
      lost: fc.integer({ min: 0, max: 2_250 }),
      other: fc.integer({ min: 0, max: 1_250 }),
      after: fc.integer({ min: 0, max: 40_000 }),
    });
    fc.assert(
      fc.property(ages, ({ lost, other, after }) => {
        const zone = silent('zone-b', lost + after);
        const isKnown = after + other > 1_250 + 1_000;
        const third = isKnown ? silent('zone-c', other + after) : { ...C, answeredAt: NOW - other - after };
        const due = stepOf(zone, loss({ noted: ['b-1'] }), [zone, third], NOW);
        assert.ok(due !== 'evict', due);
      }),
    );
  });
});

describe('the loss of a zone', () => {
  it('is another one after each answer', () => {
    const over = loss({ since: NOW - 5_000, isOver: true, noted: ['b-1'] });
    assert.equal(lossOf(silent('zone-b', 5_000), over), over);
    const zone = silent('zone-b', 4_999);
    assert.deepEqual(lossOf(zone, over), { since: NOW - 4_999, noted: undefined, isOver: false });
    assert.deepEqual(lossOf(zone, undefined), { since: NOW - 4_999, noted: undefined, isOver: false });
  });

  it('is over after it was acted upon, also when its addresses were forgotten and found again', () => {
    const over = loss({ since: NOW - 60_000, isOver: true, noted: ['b-1'] });
    const forgotten: ZoneSight = { zone: 'zone-b', pods: pods(), unreachableMs: 0, answeredAt: NOW - 60_000 };
    const kept = lossOf(forgotten, over);
    assert.equal(kept, over);
    // Counted from when they were found.
    const found = { ...forgotten, pods: pods('10.0.2.9'), unreachableMs: LOST_MS };
    const still = lossOf(found, kept);
    assert.ok(still);
    assert.equal(stepOf(found, still, [found, C], NOW), 'rest');
  });

  it('is none where it never answered', () => {
    const zone = { ...silent('zone-b', LOST_MS), answeredAt: undefined };
    assert.equal(lossOf(zone, undefined), undefined);
  });
});

describe('members of a zone', () => {
  const member = (memberId: string, host: string): DescribedMember => ({
    memberId: `${memberId}-carry-1`,
    clientId: `${memberId}-carry`,
    clientHost: host,
  });
  const lost = silent('zone-b', LOST_MS, '10.0.2.1', '10.0.2.2', 'fd00::2:5');
  const of = (members: DescribedMember[], zones: ZoneSight[] = [lost, C], zone = lost): string[] =>
    membersOf(zone, members, { zones, ownClientId: 'a-1-carry' });

  it('are those that came from one of its addresses', () => {
    const members = [
      member('a-1', '/10.0.1.1'),
      member('b-1', '/10.0.2.1'),
      member('b-2', '/10.0.2.2'),
      member('c-1', '/10.0.3.1'),
      member('x', '/10.0.2.10'),
      member('y', ''),
    ];
    assert.deepEqual(of(members), ['b-1-carry-1', 'b-2-carry-1']);
    assert.deepEqual(of([]), []);
    const later = { ...lost, unreachableMs: lost.unreachableMs + 300 };
    assert.equal(of(members, [later, C]).length, 2, 'what is seen of it by now is the same zone');
    assert.deepEqual(of([member('b-1', 'b-1.pods/10.0.2.1'), member('b-2', '10.0.2.2')]).length, 2);
  });

  it('are known by IPv6 addresses in whatever form', () => {
    for (const host of ['/fd00:0:0:0:0:0:2:5', '/fd00::2:5', '/FD00::2:5', '/fd00:0000::0002:0005'])
      assert.deepEqual(of([member('b-1', host)]), ['b-1-carry-1'], host);
    for (const host of ['/fd00::2:6', '/fd00::2:5%eth0', '/fd00'])
      assert.deepEqual(of([member('b-1', host)]), []);
    const written = silent('zone-b', LOST_MS, 'FD00:0:0::2:5');
    assert.deepEqual(of([member('b-1', '/fd00:0:0:0:0:0:2:5')], [written, C], written), ['b-1-carry-1']);
  });

  it('are not those at an address that another zone has as well', () => {
    const zones = [lost, there('zone-c', '10.0.2.1'), silent('zone-d', LOST_MS, 'fd00:0::2:5')];
    const members = [member('b-1', '/10.0.2.1'), member('b-2', '/10.0.2.2'), member('b-3', '/fd00::2:5')];
    assert.deepEqual(of(members, zones), ['b-2-carry-1']);
  });

  it('are not those who came from where we are, as where all come from one translated address', () => {
    const members = [member('a-1', '/10.0.2.1'), member('b-1', '/10.0.2.1'), member('b-2', '/10.0.2.2')];
    assert.deepEqual(of(members), ['b-2-carry-1']);
  });
});
