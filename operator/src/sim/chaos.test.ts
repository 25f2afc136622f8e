import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compare, reference, report, type Failure } from './check.ts';
import { run } from './run.ts';
import { scenarioNamed, scenarios } from './scenarios.ts';

/** The integration tests have more, and a soak has as many as one likes. */
const SEEDS = 1;

describe('whatever goes wrong for a while, it ends as if nothing had', () => {
  for (const scenario of scenarios) {
    it(`when the user does "${scenario.name}"`, async () => {
      const expected = await reference(scenario);
      const failures: Failure[] = [];
      for (let seed = 1; seed <= SEEDS; seed += 1) {
        const failure = await compare(scenario, { kind: 'chaos', seed }, expected);
        if (failure !== undefined) failures.push(failure);
      }
      assert.equal(report(failures), '');
    });
  }
});

it('a seed gives the same run every time', async () => {
  const scenario = scenarioNamed('scale');
  const [first, second] = [
    await run(scenario, { kind: 'chaos', seed: 3 }, { trace: true }),
    await run(scenario, { kind: 'chaos', seed: 3 }, { trace: true }),
  ];
  assert.ok(first.trace.length > 50, 'a run with faults has much to tell');
  assert.deepEqual(second.trace, first.trace);
});
