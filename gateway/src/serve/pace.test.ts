import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { beginPace, clientsDue, rateInTime, shuffle } from './pace.ts';

/** Far enough from 1 that it is not rounded up to it when a slot is added. */
const random = fc.double({ min: 0, max: 0.999_999, noNaN: true });
/** Looks at the pace: so much time later, at this rate. */
const look = fc.record({
  afterMs: fc.integer({ min: 0, max: 400 }),
  perSecond: fc.double({ min: 0.01, max: 5_000, noNaN: true }),
});

describe('the pace of a drain', () => {
  it('is never over the rate, in whatever part of it, however the rate changes', () => {
    fc.assert(
      fc.property(fc.array(look, { maxLength: 60 }), fc.infiniteStream(random), (looks, numbers) => {
        const next = (): number => numbers.next().value;
        let pace = beginPace(0, next);
        let now = 0;
        const seen = [{ slots: 0, sent: 0 }];
        for (const { afterMs, perSecond } of looks) {
          now += afterMs;
          const step = clientsDue(pace, { perSecond, left: 1_000_000 }, now, next);
          pace = step.pace;
          const before = seen.at(-1) ?? { slots: 0, sent: 0 };
          const slots = before.slots + (Math.min(afterMs, 250) / 1000) * perSecond;
          seen.push({ slots, sent: before.sent + step.due });
        }
        for (const [i, from] of seen.entries()) {
          for (const to of seen.slice(i)) {
            // A part begins and ends in the middle of a client's slot.
            assert.ok(to.sent - from.sent <= to.slots - from.slots + 2 + 1e-6);
          }
        }
      }),
    );
  });

  it('reaches everybody in their number of slots, and goes on after a rest without making up for it', () => {
    fc.assert(
      fc.property(fc.nat({ max: 500 }), fc.infiniteStream(random), (clients, numbers) => {
        const next = (): number => numbers.next().value;
        let pace = beginPace(0, next);
        let left = clients;
        let now = 0;
        const go = (ms: number): number => {
          now += ms;
          const step = clientsDue(pace, { perSecond: 100, left }, now, next);
          pace = step.pace;
          left -= step.due;
          return step.due;
        };
        // 100 a second: a slot takes 10 ms. One more, since sums of fractions are not exact.
        for (let slot = 0; slot < clients + 1; slot++) go(10);
        assert.equal(left, 0);
        for (let rest = 0; rest < 50; rest++) go(200);
        left = 100;
        assert.ok(go(10) <= 2);
      }),
    );
  });

  it('is faster than asked only where the time would not do', () => {
    assert.equal(rateInTime(100, 50, 1_000), 100);
    assert.equal(rateInTime(100, 500, 1_000), 500);
    assert.equal(rateInTime(100, 500, Number.POSITIVE_INFINITY), 100);
    assert.equal(rateInTime(1, 5, 0), 5_000);
    assert.equal(rateInTime(1, 5, -10), 5_000);
  });

  it('goes through all in an order that is not theirs', () => {
    const all = Array.from({ length: 100 }, (_, i) => i);
    const shuffled = shuffle([...all], Math.random);
    assert.deepEqual(
      [...shuffled].sort((a, b) => a - b),
      all,
    );
    assert.notDeepEqual(shuffled, all);
    const firsts = new Set(Array.from({ length: 300 }, () => shuffle([1, 2, 3], Math.random).join('')));
    assert.equal(firsts.size, 6, 'every order comes up');
  });
});
