/** Every crash of every scenario, and more seeds than the fast tests have time for. No server is needed. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compare, everyCrash, reference, report, type Failure } from './check.ts';
import type { Faults } from './run.ts';
import { scenarios } from './scenarios.ts';

const SEEDS = 8;
/** The fast tests have the seeds before. */
const FIRST_SEED = 100;

describe('an operator that dies before or after any call, or meets any misfortune, ends where it should', () => {
  for (const scenario of scenarios) {
    it(`when the user does "${scenario.name}"`, async () => {
      const expected = await reference(scenario);
      const seeds = Array.from({ length: SEEDS }, (_, n): Faults => ({
        kind: 'chaos',
        seed: FIRST_SEED + n,
      }));
      const failures: Failure[] = [];
      for (const faults of [...everyCrash(expected), ...seeds]) {
        const failure = await compare(scenario, faults, expected);
        if (failure !== undefined) failures.push(failure);
      }
      assert.equal(report(failures), '');
    });
  }
});
