import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Ahead } from './ahead.ts';

const at = (offset: number, epoch = 'e') => ({ epoch, offset });
const claim = (from = at(6), user = 'ann') => ({ user, channel: 'chat:a', from });

describe('a client that has been further than the stream', () => {
  it('comes again until the stream is there', () => {
    const ahead = new Ahead();
    assert.equal(ahead.mustWait(claim(), at(3), 1_000), true);
    assert.equal(ahead.mustWait(claim(), at(5), 14_000), true);
    assert.equal(ahead.mustWait(claim(), at(6), 15_000), false);
    assert.equal(ahead.size, 0, 'nothing is kept of it');
  });

  it('is given up after 15 s, and may claim something else then', () => {
    const ahead = new Ahead();
    assert.equal(ahead.mustWait(claim(), at(3), 1_000), true);
    assert.equal(ahead.mustWait(claim(), at(3), 15_999), true);
    assert.equal(ahead.mustWait(claim(), at(3), 16_000), false);
    assert.equal(ahead.mustWait(claim(), at(3), 16_001), true);
  });

  it('is not taken for one that was there long before', () => {
    const ahead = new Ahead();
    assert.equal(ahead.mustWait(claim(), at(3), 1_000), true);
    assert.equal(ahead.mustWait(claim(), at(3), 61_000), true);
    assert.equal(ahead.mustWait(claim(), at(3), 75_000), true);
  });

  it('is not one whose stream is another, nor one that is behind, nor somebody else', () => {
    const ahead = new Ahead();
    assert.equal(ahead.mustWait(claim(at(6, 'x')), at(3), 0), false);
    assert.equal(ahead.mustWait(claim(at(2)), at(3), 0), false);
    assert.equal(ahead.mustWait(claim(), at(3), 0), true);
    assert.equal(ahead.mustWait(claim(at(9), 'bob'), at(3), 14_999), true);
    assert.equal(ahead.mustWait(claim(at(9), 'bob'), at(3), 20_000), true);
  });

  it('costs a bounded memory', () => {
    const ahead = new Ahead();
    for (let n = 0; n < 10_050; n += 1) ahead.mustWait(claim(at(6), `user ${n}`), at(3), n);
    assert.equal(ahead.size, 10_000);
  });
});
