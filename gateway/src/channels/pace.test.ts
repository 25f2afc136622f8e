import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Pace } from './pace.ts';

/** Messages at a steady rate to so many: how many pieces they go out in, and the longest that one was held. */
function run(receivers: number, gapMs: number): { pieces: number; longestMs: number } {
  const pace = new Pace<number>();
  let takeAt: number | undefined;
  const seen = { pieces: 0, longestMs: 0 };
  const deliver = (messages: number[], now: number): void => {
    seen.pieces += 1;
    seen.longestMs = Math.max(seen.longestMs, ...messages.map((at) => now - at));
    pace.delivered(receivers, now);
  };
  for (let now = 0; now < 10_000; now += gapMs) {
    if (takeAt !== undefined && now >= takeAt) {
      deliver(pace.take(), takeAt);
      takeAt = undefined;
    }
    if (!pace.arrives(now)) {
      deliver([now], now);
      continue;
    }
    const waitMs = pace.hold(now, now);
    if (waitMs !== undefined) takeAt = now + waitMs;
  }
  return seen;
}

describe('the pace of a channel', () => {
  it('holds nothing when messages are further apart than half a pause', () => {
    assert.deepEqual(run(500, 11), { pieces: 910, longestMs: 0 });
    assert.deepEqual(run(100, 3).longestMs, 0);
  });

  it('sends several in one piece when they come faster, each within the pause', () => {
    const { pieces, longestMs } = run(500, 2);
    assert.ok(pieces > 440 && pieces < 520, `${pieces} pieces of 5,000 messages`);
    assert.ok(longestMs <= 20, `${longestMs} ms`);
  });

  it('never waits longer than 25 ms, however many there are', () => {
    const { longestMs } = run(50_000, 1);
    assert.ok(longestMs <= 25, `${longestMs} ms`);
  });

  it('is full before a piece gets too large', () => {
    const pace = new Pace<number>();
    pace.delivered(50_000, 0);
    let held = 0;
    for (let i = 0; !pace.isFull; i++)
      if (pace.arrives(0)) {
        pace.hold(i, 0);
        held += 1;
      }
    assert.equal(held, 32);
    assert.equal(pace.take().length, 32);
    assert.equal(pace.last, undefined);
  });
});
