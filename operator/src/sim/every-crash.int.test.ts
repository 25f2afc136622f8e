/**
 * Every crash of every scenario (of the longest ones so many, spread over all their calls; `--soak` has them all), and more
 * seeds than the fast tests have time for. No server is needed.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compare, everyCrash, reference, report, type Failure } from './check.ts';
import type { Faults } from './run.ts';
import { scenarios, turned } from './scenarios.ts';

const SEEDS = 8;
/** As many as any scenario has, but for a drill, which has more. */
const MAX_CRASHES = 130;
/** Of these only the first calls, which are their own: what comes after them is a drill, or an emergency, which has its crashes already. */
const FIRST_CALLS: Readonly<Record<string, number>> = { 'drill-schedule': 9, outage: 14 };
/** Of failovers that something comes between: what comes before and after it is a drill's or a move's. `--soak` has them all. */
const OF_TURNED = { seeds: 1, crashes: 3 };
/** The fast tests have the seeds before. */
const FIRST_SEED = 100;

describe('an operator that dies before or after any call, or meets any misfortune, ends where it should', () => {
  for (const scenario of scenarios) {
    it(`when the user does "${scenario.name}"`, async () => {
      const expected = await reference(scenario);
      const { seeds: many, crashes: most } = turned.includes(scenario)
        ? OF_TURNED
        : { seeds: SEEDS, crashes: MAX_CRASHES };
      const seeds = Array.from({ length: many }, (_, n): Faults => ({
        kind: 'chaos',
        seed: FIRST_SEED + n,
      }));
      const failures: Failure[] = [];
      const first = FIRST_CALLS[scenario.name] ?? Infinity;
      const crashes = everyCrash(expected).filter((one) => one.kind === 'crash' && one.at <= first);
      const each = Math.ceil(crashes.length / most);
      for (const faults of [...crashes.filter((_, index) => index % each === 0), ...seeds]) {
        const failure = await compare(scenario, faults, expected);
        if (failure !== undefined) failures.push(failure);
      }
      assert.equal(report(failures), '');
    });
  }
});
