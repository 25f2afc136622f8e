import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { fullBucket, take, UserLimits } from './index.ts';

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

describe('user limits', () => {
  const table = {
    messagesPerSecond: 1,
    burst: 1,
    tiers: [{ name: 'vip', messagesPerSecond: 100, burst: 5 }],
  };

  it('are one for each user, and by tier', () => {
    const limits = new UserLimits(table);
    assert.equal(limits.allow('ann', undefined, 0), true);
    assert.equal(limits.allow('ann', undefined, 0), false);
    assert.equal(limits.allow('bob', 'no such tier', 0), true);
    const vip = Array.from({ length: 6 }, () => limits.allow('cleo', 'vip', 0));
    assert.deepEqual(vip, [true, true, true, true, true, false]);
  });

  it('are not refilled by a token with another tier', () => {
    const limits = new UserLimits(table);
    for (let i = 0; i < 10; i++) {
      limits.allow('ann', 'vip', 0);
      limits.allow('ann', undefined, 0);
    }
    assert.equal(limits.allow('ann', 'vip', 0), false);
    assert.equal(limits.allow('ann', undefined, 0), false);
  });

  it('are forgotten when they are full again', () => {
    const limits = new UserLimits(table);
    for (let i = 0; i < 1_000; i++) limits.allow(`user ${i}`, i % 2 ? 'vip' : undefined, 0);
    assert.equal(limits.size, 1_000);
    limits.sweep(60);
    assert.equal(limits.size, 500, 'vip buckets are full after 50 ms');
    limits.sweep(1_000);
    assert.equal(limits.size, 0);
  });
});
