import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { NO_SIGHT, podsToAsk, seenZone, unreachableMs, withAddresses, withAnswers } from './sight.ts';
import type { Sight } from './sight.ts';

const pods = (count: number): string[] => Array.from({ length: count }, (_, n) => `10.0.0.${n}`);
const round = (sight: Sight, answers: Record<string, boolean>, now: number, reliable = true): Sight =>
  withAnswers(sight, new Map(Object.entries(answers)), { now, reliable });

describe('what is seen of a zone', () => {
  it('says nothing while no address is known', () => {
    assert.deepEqual(seenZone('zone-b', NO_SIGHT, 1_000_000, 0), {
      zone: 'zone-b',
      reachable: 0,
      total: 0,
      unreachableMs: 0,
    });
    assert.deepEqual(podsToAsk(NO_SIGHT, 3, Math.random), []);
    assert.equal(unreachableMs(round(NO_SIGHT, {}, 5), 1_000), 0);
  });

  it('is unreachable from the last answer on, until the next', () => {
    let sight = withAddresses(NO_SIGHT, pods(2), 1_000);
    sight = round(sight, { '10.0.0.0': true, '10.0.0.1': false }, 2_000);
    assert.deepEqual(seenZone('zone-b', sight, 2_500, 1_000_002_500), {
      zone: 'zone-b',
      reachable: 1,
      total: 2,
      lastReachable: new Date(1_000_002_000).toISOString(),
      unreachableMs: 0,
    });
    sight = round(sight, { '10.0.0.0': false, '10.0.0.1': false }, 4_000);
    assert.equal(unreachableMs(sight, 4_000), 2_000);
    assert.equal(unreachableMs(sight, 9_000), 7_000);
    sight = round(sight, { '10.0.0.1': true }, 9_000);
    assert.equal(unreachableMs(sight, 9_500), 0);
  });

  it('that never answered is unreachable since it is known', () => {
    let sight = withAddresses(NO_SIGHT, pods(1), 1_000);
    assert.equal(unreachableMs(sight, 1_500), 0, 'it was not asked yet');
    sight = round(sight, { '10.0.0.0': false }, 2_000);
    assert.equal(unreachableMs(sight, 3_000), 2_000);
    assert.equal(seenZone('zone-b', sight, 3_000, 0).lastReachable, undefined);
  });

  it('does not change by a round in which we stood still, but for those who answered', () => {
    let sight = round(withAddresses(NO_SIGHT, pods(2), 0), { '10.0.0.0': true }, 1_000);
    sight = round(sight, { '10.0.0.0': false, '10.0.0.1': false }, 9_000, false);
    assert.deepEqual([unreachableMs(sight, 9_000), seenZone('z', sight, 9_000, 0).reachable], [0, 1]);
    sight = round(sight, { '10.0.0.0': false }, 10_000);
    assert.equal(unreachableMs(sight, 10_000), 9_000);
    sight = round(sight, { '10.0.0.1': true, '10.0.0.0': false }, 11_000, false);
    assert.equal(unreachableMs(sight, 11_000), 0);
  });

  it('keeps what it knows of pods that stay, and forgets those that go', () => {
    let sight = round(withAddresses(NO_SIGHT, pods(3), 0), { '10.0.0.0': true, '10.0.0.1': true }, 1_000);
    sight = withAddresses(sight, ['10.0.0.1', '10.0.0.9'], 2_000);
    const { reachable, total } = seenZone('z', sight, 2_000, 0);
    assert.deepEqual([reachable, total], [1, 2]);
    sight = round(sight, { '10.0.0.0': true }, 3_000);
    assert.equal(seenZone('z', sight, 3_000, 0).total, 2, 'one that left while it was asked stays away');
    assert.equal(withAddresses(sight, pods(5_000), 4_000).pods.size, 1_000);
  });

  it('forgets addresses only after three lookups without any, and then starts over', () => {
    let sight = round(withAddresses(NO_SIGHT, pods(2), 0), { '10.0.0.0': true }, 1_000);
    sight = round(sight, { '10.0.0.0': false }, 2_000);
    for (let times = 0; times < 2; times++) sight = withAddresses(sight, [], 3_000);
    assert.equal(sight.pods.size, 2);
    sight = withAddresses(sight, pods(2), 3_500);
    for (let times = 0; times < 3; times++) {
      assert.equal(unreachableMs(sight, 4_000), 3_000);
      sight = withAddresses(sight, [], 4_000);
    }
    assert.deepEqual([sight.pods.size, unreachableMs(sight, 5_000)], [0, 0], 'the zone has no gateways');
    sight = withAddresses(sight, pods(1), 90_000);
    sight = round(sight, { '10.0.0.0': false }, 91_000);
    assert.equal(unreachableMs(sight, 91_000), 1_000, 'not since it went');
    assert.ok(seenZone('z', sight, 91_000, 91_000).lastReachable);
  });

  it('with one good pod is never missed, once that has answered', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.nat(), (count, which) => {
        let sight = withAddresses(NO_SIGHT, pods(count), 0);
        const good = pods(count)[which % count];
        let found = false;
        for (let n = 1; n < 60; n++) {
          const some = podsToAsk(sight, 3, Math.random);
          const answers = new Map(some.map((pod) => [pod, pod === good]));
          sight = withAnswers(sight, answers, { now: n, reliable: true });
          found ||= some.includes(good ?? '');
          assert.equal(sight.silent, !found);
        }
        assert.ok(found);
      }),
    );
  });

  it('is gone round: in as many rounds as it takes, everybody is asked', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 2, max: 5 }), (count, most) => {
        let sight = withAddresses(NO_SIGHT, pods(count), 0);
        const asked: string[] = [];
        for (let n = 0; n < Math.ceil(count / (most - 1)); n++) {
          const some = podsToAsk(sight, most, Math.random);
          assert.equal(new Set(some).size, Math.min(most, count));
          asked.push(...some);
          sight = withAnswers(sight, new Map(some.map((pod) => [pod, true])), { now: n + 1, reliable: true });
        }
        assert.deepEqual(new Set(asked), new Set(pods(count)));
      }),
    );
    const first = new Set(
      Array.from({ length: 200 }, () => podsToAsk(withAddresses(NO_SIGHT, pods(5), 0), 1, Math.random)[0]),
    );
    assert.equal(first.size, 5, 'where it begins is chance');
  });
});
