import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { systemClock } from './clock.ts';
import { DelayLine } from './delay-line.ts';

const DAY = 24 * 60 * 60_000;

describe("the machine's clock", () => {
  it('sleeps for months, though no timer does', async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      const woken: string[] = [];
      const [early, late] = [30 * DAY, 90 * DAY];
      const stop = new AbortController();
      const stopped = systemClock.sleep(late, stop.signal).catch((error: Error) => woken.push(error.message));
      void systemClock.sleep(early).then(() => woken.push('early'));
      void systemClock.sleep(late).then(() => woken.push('late'));
      const at = async (ms: number): Promise<string> => {
        // The mock lets a timer that another one starts begin at the end of the step.
        for (let day = 0; day < ms; day += DAY) mock.timers.tick(DAY);
        await Promise.resolve();
        return woken.join(' ');
      };
      assert.equal(await at(early - DAY), '');
      assert.equal(await at(2 * DAY), 'early');
      assert.equal(await at(late - early - 2 * DAY), 'early');
      stop.abort(new Error('stopped'));
      await stopped;
      assert.equal(await at(4 * DAY), 'early stopped late');
    } finally {
      mock.timers.reset();
    }
  });

  it('does not let a line of keys spin that are due in months', async () => {
    let slept = 0;
    const counted = {
      ...systemClock,
      sleep: (ms: number, signal?: AbortSignal) => {
        slept += 1;
        return systemClock.sleep(ms, signal);
      },
    };
    const line = new DelayLine(counted, () => assert.fail('it is not due for months'));
    line.add('a drill that is kept for a quarter', 90 * DAY);
    await systemClock.sleep(20);
    line.stop();
    assert.equal(slept, 1);
  });
});
