import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { BeatFailedError, whileBeating } from './while-beating.ts';

describe('work that may take long', () => {
  it('is waited for with heartbeats, which end with it', async () => {
    let beats = 0;
    const work = Promise.withResolvers<string>();
    const beat = async (): Promise<void> => {
      beats += 1;
      if (beats === 3) work.resolve('done');
    };
    assert.equal(await whileBeating(work.promise, beat, 5), 'done');
    await delay(30);
    assert.equal(beats, 3);
  });

  it('fails as it does', async () => {
    const failed = Promise.reject(new Error('away'));
    await assert.rejects(
      whileBeating(failed, async () => undefined, 5),
      /away/,
    );
  });

  it('is left to itself when a heartbeat fails, and may fail later', async () => {
    const work = Promise.withResolvers<never>();
    const refused = new Error('REBALANCE_IN_PROGRESS');
    const waiting = whileBeating(work.promise, () => Promise.reject(refused), 5);
    await assert.rejects(waiting, (error) => error instanceof BeatFailedError && error.cause === refused);
    work.reject(new Error('away'));
    await delay(5);
  });
});
