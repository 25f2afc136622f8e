import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { planDrain } from './drain.ts';

describe('a drain', () => {
  it('keeps its rate, or goes faster to end in time, and forgets nobody', () => {
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    const inputs = [
      fc.nat({ max: 2_000 }),
      fc.integer({ min: 1, max: 5_000 }),
      fc.nat({ max: 20_000 }),
      random,
    ] as const;
    fc.assert(
      fc.property(...inputs, (clients, perSecond, timeoutMs, jitter) => {
        const { at } = planDrain(clients, perSecond, timeoutMs, () => jitter);
        assert.equal(at.length, clients);
        const wanted = (clients / perSecond) * 1000;
        assert.ok(
          at.every((time, i) => time >= (at[i - 1] ?? 0) && time <= Math.min(wanted, timeoutMs) + 1e-6),
        );
        if (clients > 1 && wanted <= timeoutMs) {
          const span = (at.at(-1) ?? 0) - (at[0] ?? 0);
          assert.ok((clients - 1) / (span / 1000) <= perSecond + 1e-6, 'not faster than asked');
        }
      }),
    );
  });
});
