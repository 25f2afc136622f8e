/** A part of all crashes, in a few seconds; `every-crash.int.test.ts` runs them all. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compare, everyCrash, reference, report, type Failure } from './check.ts';
import { scenarios, turned } from './scenarios.ts';

/** Crashes of each scenario, spread over all its calls. */
const TRIED = 4;
/** The others are these, up to where something comes between. */
const whole = scenarios.filter((scenario) => !turned.includes(scenario));

describe('an operator that dies and is started again ends where one that never died ends', () => {
  for (const scenario of whole) {
    it(`when the user does "${scenario.name}"`, async () => {
      const expected = await reference(scenario);
      const crashes = everyCrash(expected);
      const chosen = crashes.filter(
        (_, index) => index % Math.max(1, Math.ceil(crashes.length / TRIED)) === 0,
      );
      const failures: Failure[] = [];
      for (const faults of chosen) {
        const failure = await compare(scenario, faults, expected);
        if (failure !== undefined) failures.push(failure);
      }
      assert.equal(report(failures), '');
    });
  }
});
