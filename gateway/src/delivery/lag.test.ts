import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { lagOf } from './lag.ts';

describe('the lag of a topic', () => {
  it('is what its partitions have still to carry, without those of which it is not known yet', () => {
    const lag = lagOf([
      { topic: 'chat', next: 5, end: 12 },
      { topic: 'chat', next: 7, end: 7 },
      { topic: 'chat', next: undefined, end: 40 },
      // Kafka's end was heard of before the last record came.
      { topic: 'news', next: 4, end: 3 },
      { topic: 'logs', next: undefined, end: 0 },
      { topic: 'logs', next: 7, end: undefined },
    ]);
    assert.deepEqual(lag, { chat: 7, news: 0 });
  });
});
