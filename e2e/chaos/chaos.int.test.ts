import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { after, before, describe, it } from 'node:test';
import { buildBundle } from '../../gateway/src/testing/index.ts';
import type { Runtime } from '../../gateway/src/testing/index.ts';
import { FAULTS, LOSING } from './plan.ts';
import type { FaultKind } from './plan.ts';
import { report, run } from './run.ts';
import { startServers } from './world.ts';
import type { Servers } from './world.ts';

const HARMLESS = FAULTS.filter((kind) => !LOSING.includes(kind));
/** Another seed for each run would find more, and make a failure of one commit the next one's. */
const RUNS: [seed: number, faults: readonly FaultKind[], runtimes: Runtime[]][] = [
  [1, FAULTS, ['bun', 'bun']],
  [2, FAULTS, ['node', 'node']],
  [3, HARMLESS, ['bun', 'node', 'bun']],
];

describe('a platform that suffers every fault', { timeout: 480_000 }, () => {
  let servers: Servers;

  before(async () => {
    await buildBundle();
    servers = await startServers(1);
  });
  after(() => servers.stop());

  for (const [seed, faults, runtimes] of RUNS) {
    it(
      `delivers once and in order, on ${runtimes.join(', ')}${faults === HARMLESS ? ', and all recover' : ''}`,
      { timeout: 180_000 },
      async (test) => {
        const outcome = await run(servers, { seed, rounds: 1, runtimes, faults });
        test.diagnostic(outcome.figures);
        if (outcome.wrong !== '') assert.fail(report(outcome, tmpdir()));
      },
    );
  }
});
