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
