import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { check, numbersOf } from './books.ts';

describe('the books of a storm', () => {
  it('are read back as they were written', () => {
    assert.deepEqual(numbersOf('1-3,3,7'), [1, 2, 3, 3, 7]);
    assert.deepEqual(numbersOf(''), []);
  });

  it('are in order when all that was acknowledged came once', () => {
    const faults = check([{ channel: 'a', numbers: '1-4' }], { a: [1, 2, 3, 4] });
    assert.deepEqual(faults, { lost: 0, doubled: 0, outOfOrder: 0, received: 4, subscribers: 0 });
  });

  it('show what is lost, doubled and out of order, for each subscriber', () => {
    const acknowledged = { a: [1, 2, 3, 4], b: [1] };
    const books = [
      { channel: 'a', numbers: '1,3-4,4' },
      { channel: 'a', numbers: '1,3,2,4' },
      { channel: 'b', numbers: '' },
      { channel: 'b', numbers: '1' },
    ];
    assert.deepEqual(check(books, acknowledged), {
      lost: 2,
      doubled: 1,
      outOfOrder: 1,
      received: 9,
      subscribers: 3,
    });
  });

  it('do not miss what was never acknowledged', () => {
    assert.equal(check([{ channel: 'a', numbers: '1,3' }], { a: [1, 3] }).lost, 0);
  });
});
