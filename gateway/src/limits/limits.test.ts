import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { fullBucket, take, SendLimits } from './index.ts';

const rate = fc.record({
  messagesPerSecond: fc.double({ min: 0.1, max: 1_000, noNaN: true }),
  burst: fc.integer({ min: 1, max: 100 }),
});

describe('a token bucket', () => {
  it('never lets more through than burst and rate allow, in any stretch of time', () => {
    fc.assert(
      fc.property(rate, fc.array(fc.integer({ min: 0, max: 500 }), { maxLength: 300 }), (limit, pauses) => {
        const bucket = fullBucket(limit, 0);
        const taken: number[] = [];
        let now = 0;
        for (const pause of pauses) {
          now += pause;
          if (take(bucket, limit, now)) taken.push(now);
        }
        for (const [from, begin] of taken.entries()) {
          for (const [to, end] of taken.entries()) {
            if (to < from) continue;
            const allowed = limit.burst + ((end - begin) / 1000) * limit.messagesPerSecond;
            assert.ok(
              to - from + 1 <= allowed + 1e-6,
              `${to - from + 1} in ${end - begin} ms, allowed ${allowed}`,
            );
          }
        }
      }),
    );
  });

  it('lets a burst through at once, and the rate after it', () => {
    const limit = { messagesPerSecond: 10, burst: 3 };
    const bucket = fullBucket(limit, 0);
    assert.deepEqual(
      [0, 0, 0, 0, 99, 100, 150, 200].map((now) => take(bucket, limit, now)),
      [true, true, true, false, false, true, false, true],
    );
  });

  it('gains nothing from a clock that goes back', () => {
    const limit = { messagesPerSecond: 1_000, burst: 1 };
    const bucket = fullBucket(limit, 1_000);
    assert.equal(take(bucket, limit, 1_000), true);
    assert.equal(take(bucket, limit, 0), false);
    assert.equal(take(bucket, limit, 1_000), false);
  });
});

const sender = (user: string, tier?: string, tenant?: string) => ({ user, tier, tenant });

describe('limits of tenants', () => {
  const table = { messagesPerSecond: 1, burst: 3, tiers: [], tenant: { messagesPerSecond: 1, burst: 4 } };

  it('are shared by the users of one', () => {
    const limits = new SendLimits(table);
    const sent = (user: string, tenant?: string): boolean => limits.allow(sender(user, undefined, tenant), 0);
    assert.deepEqual(
      [sent('ann', 'a'), sent('ann', 'a'), sent('bob', 'a'), sent('bob', 'a')],
      Array(4).fill(true),
    );
    assert.equal(sent('bob', 'a'), false);
    assert.equal(sent('bob', 'b'), true, 'not counted for the user when the tenant was over its rate');
    assert.equal(sent('cleo'), true);
  });

  it('are not used up by a user over its own rate', () => {
    const limits = new SendLimits(table);
    for (let i = 0; i < 100; i++) limits.allow(sender('ann', undefined, 'a'), 0);
    assert.equal(limits.allow(sender('bob', undefined, 'a'), 0), true);
  });

  it('do not mix with those of users and tiers of that name', () => {
    const limits = new SendLimits({ ...table, burst: 1, tenant: { messagesPerSecond: 1, burst: 1 } });
    assert.equal(limits.allow(sender('x', undefined, ' x'), 0), true);
    assert.equal(limits.allow(sender('y', undefined, 'x'), 0), true);
    assert.equal(limits.size, 4);
  });
});

describe('limits of users', () => {
  const table = {
    messagesPerSecond: 1,
    burst: 1,
    tiers: [{ name: 'vip', messagesPerSecond: 100, burst: 5 }],
  };

  it('are one for each user, and by tier', () => {
    const limits = new SendLimits(table);
    assert.equal(limits.allow(sender('ann', undefined), 0), true);
    assert.equal(limits.allow(sender('ann', undefined), 0), false);
    assert.equal(limits.allow(sender('bob', 'no such tier'), 0), true);
    const vip = Array.from({ length: 6 }, () => limits.allow(sender('cleo', 'vip'), 0));
    assert.deepEqual(vip, [true, true, true, true, true, false]);
  });

  it('are not refilled by a token with another tier', () => {
    const limits = new SendLimits(table);
    for (let i = 0; i < 10; i++) {
      limits.allow(sender('ann', 'vip'), 0);
      limits.allow(sender('ann', undefined), 0);
    }
    assert.equal(limits.allow(sender('ann', 'vip'), 0), false);
    assert.equal(limits.allow(sender('ann', undefined), 0), false);
  });

  it('are forgotten when they are full again', () => {
    const limits = new SendLimits(table);
    for (let i = 0; i < 1_000; i++) limits.allow(sender(`user ${i}`, i % 2 ? 'vip' : undefined), 0);
    assert.equal(limits.size, 1_000);
    limits.sweep(60);
    assert.equal(limits.size, 500, 'vip buckets are full after 50 ms');
    limits.sweep(1_000);
    assert.equal(limits.size, 0);
  });
});

describe('limits that change', () => {
  const table = (messagesPerSecond: number, burst: number, more: object = {}) => ({
    messagesPerSecond,
    burst,
    tiers: [],
    ...more,
  });
  const sent = (limits: SendLimits, now: number, who = sender('ann')): number => {
    let count = 0;
    while (count < 1_000 && limits.allow(who, now)) count += 1;
    return count;
  };

  it('keep the tokens that a bucket has, at most the new burst', () => {
    const limits = new SendLimits(table(1, 10));
    for (let n = 0; n < 4; n++) limits.allow(sender('ann'), 0);
    limits.change(table(1, 100), 0);
    assert.equal(sent(limits, 0), 6, 'a larger burst gives nothing at once');
    limits.change(table(1_000, 1_000), 0);
    assert.equal(sent(limits, 100), 100, 'but the new rate does');
    limits.allow(sender('bob'), 100);
    limits.change(table(1, 2), 100);
    assert.equal(sent(limits, 100, sender('bob')), 2, 'what is over the new burst is gone');
    assert.equal(sent(limits, 1_100), 1, 'at the new rate');
  });

  it('count the time before the change at the rate of before', () => {
    const limits = new SendLimits(table(10, 10));
    sent(limits, 0);
    limits.change(table(0.001, 10), 500);
    assert.equal(sent(limits, 1_000), 5);
  });

  it('never refill a bucket by being changed back and forth', () => {
    const tier = {
      tiers: [{ name: 'vip', messagesPerSecond: 1, burst: 5 }],
      tenant: { messagesPerSecond: 1, burst: 5 },
    };
    const limits = new SendLimits(table(1, 5, tier));
    const ann = sender('ann', 'vip', 'a');
    assert.equal(sent(limits, 0, ann), 5);
    for (let n = 0; n < 10; n++) {
      limits.change(table(1, 5), 0);
      limits.change(table(1, 5, tier), 0);
    }
    assert.equal(sent(limits, 0, ann), 0);
  });

  it('hold for tiers and tenants that there were, come and go', () => {
    const limits = new SendLimits(table(1, 1, { tenant: { messagesPerSecond: 1, burst: 3 } }));
    assert.equal(sent(limits, 0, sender('ann', 'vip', 'a')), 1);
    limits.change(table(1, 1, { tiers: [{ name: 'vip', messagesPerSecond: 1, burst: 7 }] }), 0);
    assert.equal(sent(limits, 0, sender('bob', 'vip', 'a')), 7);
    limits.change(table(1, 1), 0);
    assert.equal(sent(limits, 0, sender('cleo', 'vip', 'a')), 1);
  });

  it('decide at the new rate which buckets are full again', () => {
    const limits = new SendLimits(table(1_000, 10));
    sent(limits, 0);
    limits.change(table(0.001, 10), 0);
    limits.sweep(60_000);
    assert.equal(sent(limits, 60_000), 0);
  });
});
