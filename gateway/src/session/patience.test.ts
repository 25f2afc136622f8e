import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { toldInterval } from './patience.ts';

describe('the ping interval that a client is told', () => {
  for (const [what, intervalMs, timeoutMs, told] of [
    ['the defaults: as it is', 25_000, 10_000, 25],
    [
      'shorter ones: less, so that ten seconds more are no longer than the gateway waits itself',
      10_000,
      5_000,
      5,
    ],
    ['very short ones: a second, since 0 says that there are no pings', 5_000, 3_000, 1],
    ['the shortest', 1_000, 999, 1],
    ['parts of a second: rounded up', 11_500, 2_100, 4],
    ['tests', 300, 300, 1],
  ] as const) {
    it(`is, with ${what}`, () => assert.equal(toldInterval({ intervalMs, timeoutMs }), told));
  }

  it('lets an SDK with its default wait for a ping and its lateness, at least', () => {
    for (let intervalMs = 1_000; intervalMs <= 60_000; intervalMs += 500)
      for (let timeoutMs = 100; timeoutMs < intervalMs && timeoutMs <= 10_000; timeoutMs += 700) {
        const waits = toldInterval({ intervalMs, timeoutMs }) * 1_000 + 10_000;
        assert.ok(waits >= intervalMs + timeoutMs, `${intervalMs} and ${timeoutMs}: ${waits}`);
      }
  });
});
