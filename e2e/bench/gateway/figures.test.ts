import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  bucketPercentile,
  busyTicks,
  establishedAt,
  fitLine,
  highestKept,
  isSettled,
  nextRate,
  timesOf,
  type Trial,
} from './figures.ts';

describe('percentiles of buckets', () => {
  it('are of the nearest rank', () => {
    const buckets = [
      [1, 50],
      [2, 48],
      [9, 2],
    ] as const;
    assert.equal(bucketPercentile(buckets, 50), 1);
    assert.equal(bucketPercentile(buckets, 51), 2);
    assert.equal(bucketPercentile(buckets, 98), 2);
    assert.deepEqual(timesOf(buckets), { p50: 1, p99: 9, max: 9 });
  });

  it('are not numbers when nothing was counted', () => {
    assert.deepEqual(timesOf([]), { p50: Number.NaN, p99: Number.NaN, max: Number.NaN });
  });
});

describe('the line through points', () => {
  it('finds slope and beginning of a straight one', () => {
    const { slope, intercept, residual } = fitLine([0, 1000, 5000].map((x) => ({ x, y: 60 + 0.011 * x })));
    assert.ok(Math.abs(slope - 0.011) < 1e-9);
    assert.ok(Math.abs(intercept - 60) < 1e-6);
    assert.ok(residual < 1e-9);
  });

  it('says by how much a bent one misses', () => {
    const bent = fitLine([
      { x: 0, y: 0 },
      { x: 1, y: 0 },
      { x: 2, y: 2 },
    ]);
    assert.equal(bent.slope, 1);
    assert.ok(Math.abs(bent.residual - 1 / 3) < 1e-9);
  });
});

describe('memory', () => {
  it('is settled when its last samples agree', () => {
    assert.equal(isSettled([100, 100]), false);
    assert.equal(isSettled([50, 90, ...Array.from({ length: 8 }, () => 100)]), true);
    assert.equal(isSettled([...Array.from({ length: 8 }, () => 100), 101]), false);
  });
});

describe('the search for the highest rate', () => {
  const search = (limit: number, most: number): Trial[] => {
    const trials: Trial[] = [];
    for (;;) {
      const perSecond = nextRate(trials, 250, most);
      if (perSecond === undefined) return trials;
      trials.push({ perSecond, keptUp: perSecond <= limit });
    }
  };

  it('doubles, then goes halfway', () => {
    assert.deepEqual(
      search(1_300, 100_000).map(({ perSecond }) => perSecond),
      [250, 500, 1000, 2000, 1500, 1250, 1375],
    );
  });

  it('ends close to any limit, in a bounded number of trials', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200_000 }), (limit) => {
        const trials = search(limit, 100_000);
        const found = highestKept(trials);
        assert.ok(trials.length <= 30);
        assert.ok(found <= limit);
        assert.ok(found * 1.11 + 1 >= Math.min(limit, 100_000), `${found} of ${limit}`);
      }),
    );
  });

  it('gives up when nothing is kept up with', () => {
    assert.equal(highestKept(search(0, 1000)), 0);
  });
});

describe('established connections', () => {
  it('are those of the server alone, in that state', () => {
    const table = `  sl  local_address rem_address   st tx_queue
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000
   1: 0100007F:1F90 0200007F:A3D2 01 00000000:00000000
   2: 0200007F:A3D2 0100007F:1F90 01 00000000:00000000
   3: 0100007F:1F90 0300007F:A3D3 06 00000000:00000000`;
    assert.equal(establishedAt(8080, [table, '']), 1);
    assert.equal(establishedAt(8081, [table]), 0);
  });
});

it('a machine is not busy while it is idle, waits for disks, or is not given time', () => {
  assert.equal(busyTicks('cpu  100 20 30 5000 600 7 8 900 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n'), 165);
});
