import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { distributionOf, parseMeasurements, roundUp } from './measurements.ts';

function parse(value: unknown): unknown {
  return parseMeasurements(JSON.stringify(value), 'clients.json');
}

describe('a file of measurements', () => {
  it('is read, and what it has besides is left alone', () => {
    const all = { reconnectSeconds: [0.5, 2], blackoutSeconds: [], acknowledged: 10, lost: 0, duplicated: 0 };
    assert.deepEqual(parse({ ...all, byZone: { 'zone-a': 3 } }), all);
    assert.deepEqual(parse({ lost: 1 }), { lost: 1 });
  });

  it('is refused with the file, the field and what is wanted', () => {
    const refusals: [unknown, RegExp][] = [
      [[], /^clients\.json is to be a JSON object with fields such as reconnectSeconds\.$/],
      [null, /is to be a JSON object/],
      [{ seconds: [1] }, /has none of the fields reconnectSeconds, blackoutSeconds, acknowledged/],
      [
        { reconnectSeconds: 3 },
        /^reconnectSeconds in clients\.json is to be a list of numbers of at least 0, in seconds/,
      ],
      [{ blackoutSeconds: [1, '2'] }, /^blackoutSeconds in clients\.json/],
      [{ reconnectSeconds: [-1] }, /^reconnectSeconds/],
      [{ lost: 0.5 }, /^lost in clients\.json is to be a whole number of at least 0/],
      [{ duplicated: null }, /^duplicated/],
    ];
    for (const [value, message] of refusals) assert.throws(() => parse(value), { message });
    assert.throws(() => parseMeasurements('{', 'clients.json'), /^Error: clients\.json is not JSON: /);
  });
});

describe('a distribution', () => {
  it('has percentiles by the nearest rank', () => {
    const hundred = Array.from({ length: 100 }, (_, n) => 100 - n);
    const { count, min, p50, p99, max } = distributionOf(hundred) ?? assert.fail();
    assert.deepEqual([count, min, p50, p99, max], [100, 1, 50, 99, 100]);
    assert.equal(distributionOf([3])?.p99, 3);
    assert.equal(distributionOf([]), undefined);
    assert.equal(distributionOf(undefined), undefined);
  });

  it('counts each value once, in bars that hang together and are few', () => {
    const value = fc.oneof(fc.double({ min: 0, max: 100, noNaN: true }), fc.integer({ min: 0, max: 1e6 }));
    fc.assert(
      fc.property(fc.array(value, { minLength: 1 }), (values) => {
        const { bins, count, min, p50, p99, max } = distributionOf(values) ?? assert.fail();
        assert.ok(bins.length >= 1 && bins.length <= 24);
        assert.equal(
          bins.reduce((sum, bin) => sum + bin.count, 0),
          values.length,
        );
        assert.equal(bins[0]?.from, 0);
        for (const [index, { from }] of bins.slice(1).entries()) assert.equal(from, bins[index]?.to);
        assert.ok((bins.at(-1)?.to ?? 0) >= max * (1 - 1e-9));
        assert.equal(count, values.length);
        assert.ok(min <= p50 && p50 <= p99 && p99 <= max);
        for (const one of [min, p50, p99, max]) assert.ok(values.includes(one));
      }),
    );
  });

  it('of a million clients is no trouble', () => {
    const { max, bins } = distributionOf(Array.from({ length: 1_000_000 }, (_, n) => n % 7)) ?? assert.fail();
    assert.equal(max, 6);
    assert.equal(
      bins.reduce((sum, { count }) => sum + count, 0),
      1_000_000,
    );
  });
});

describe('a round number', () => {
  it('is the next one', () => {
    assert.deepEqual([0, 0.03, 1, 1.1, 2.1, 4, 6, 130].map(roundUp), [0.1, 0.05, 1, 2, 2.5, 5, 10, 200]);
  });
});
