import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { StreamEntry } from '../channels/index.ts';
import { Payload } from '../protocol/index.ts';
import { fitIntoReply, historyOf, recoveryOf } from './recovery.ts';

const entry = (offset: number, data: unknown = 1): StreamEntry => ({
  offset,
  data: Payload.ofJson(data),
  info: '',
  kafka: { partition: 0, offset },
  replayed: false,
  publishedAt: 0,
});
const snapshot = (offset: number, offsets: number[]) => ({
  epoch: 'e',
  offset,
  kafka: undefined,
  entries: offsets.map((n) => entry(n)),
});

describe('recovery', () => {
  it('gives exactly what was missed, and the position that it is from', () => {
    const { result, missed } = recoveryOf(snapshot(5, [4, 5]), { epoch: 'e', offset: 3 });
    assert.deepEqual(
      missed.map(({ offset }) => offset),
      [4, 5],
    );
    assert.equal(result.recovered, true);
    assert.equal(result.offset, 3);
  });

  it('takes any epoch for one that is not said, as for a first subscription', () => {
    assert.equal(recoveryOf(snapshot(1, [1]), { epoch: '', offset: 0 }).result.recovered, true);
  });

  for (const [what, found, from] of [
    ['another epoch', snapshot(5, [4, 5]), { epoch: 'x', offset: 3 }],
    ['a gap at the beginning', snapshot(5, [5]), { epoch: 'e', offset: 3 }],
    ['a gap inside', snapshot(6, [4, 6]), { epoch: 'e', offset: 3 }],
    ['an end that was not read', snapshot(9, [4, 5]), { epoch: 'e', offset: 3 }],
    ['a position that never was', snapshot(2, []), { epoch: 'e', offset: 3 }],
    ['a stream that is gone', snapshot(5, []), { epoch: 'e', offset: 3 }],
  ] as const) {
    it(`says that it cannot with ${what}`, () => {
      const { result, missed } = recoveryOf(found, from);
      assert.equal(result.recovered, undefined);
      assert.equal(result.was_recovering, true);
      assert.deepEqual(missed, []);
      assert.equal(result.offset, found.offset);
    });
  }

  it('says that it cannot where a reply would be too large', () => {
    const large = {
      ...snapshot(2, []),
      entries: [entry(1, 'x'.repeat(400_000)), entry(2, 'x'.repeat(400_000))],
    };
    assert.equal(recoveryOf(large, { epoch: 'e', offset: 0 }).result.recovered, undefined);
  });
});

describe('recoveries in one reply', () => {
  it('are given up where there is no more room, and say from where to go on', () => {
    const of = (size: number) => {
      const found = { ...snapshot(2, []), entries: [entry(1, 'x'.repeat(size)), entry(2)] };
      return recoveryOf(found, { epoch: 'e', offset: 0 });
    };
    const all = [of(400_000), of(300_000), of(100)];
    fitIntoReply(all);
    assert.deepEqual(
      all.map(({ result, missed }) => [
        result.recovered,
        result.was_recovering,
        result.offset,
        missed.length,
      ]),
      [
        [true, true, 0, 2],
        [undefined, true, 2, 0],
        [true, true, 0, 2],
      ],
    );
  });
});

describe('history', () => {
  const request = { channel: 'chat:a', limit: 10, since: undefined, reverse: false };

  it('says where it cannot go on from', () => {
    assert.equal(historyOf(snapshot(5, [5]), { ...request, since: { epoch: 'e', offset: 3 } }), undefined);
    assert.equal(historyOf(snapshot(5, [4, 5]), { ...request, since: { epoch: 'x', offset: 3 } }), undefined);
    assert.equal(historyOf(snapshot(5, []), { ...request, since: { epoch: 'e', offset: 3 } }), undefined);
  });

  it('has what there is', () => {
    assert.equal(historyOf(snapshot(5, [4, 5]), request)?.publications.length, 2);
    assert.equal(
      historyOf(snapshot(5, []), { ...request, since: { epoch: 'e', offset: 5 } })?.publications.length,
      0,
    );
    assert.equal(
      historyOf(snapshot(5, [4, 5]), { ...request, since: { epoch: 'e', offset: 3 } })?.publications.length,
      2,
    );
  });
});
