import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openStage, type Stage } from './contestants.ts';
import { measureFlood } from './flood.ts';

const FLOOD = { run: 1, rates: [100], seconds: 4 };

/** How long it takes is for the benchmark to say: here it is that nobody is forgotten, and nobody is kept. */
describe('while newcomers storm in that say nothing, or garbage', () => {
  let stage: Stage;

  before(async () => {
    stage = await openStage({ brokers: 1, profile: undefined });
  });

  after(() => stage?.stop());

  for (const kind of ['node', 'bun'] as const) {
    it(`those who are in get every message, on ${kind}`, async () => {
      const [run] = await measureFlood(stage, kind, FLOOD);
      assert.ok(run);
      for (const { phase, expected, deliveries, failed } of run.phases) {
        assert.ok(expected > 0);
        assert.deepEqual([deliveries, failed], [expected, 0], phase);
      }
      assert.equal(run.lost, 0);
      const { silent, client, garbage, garbageInTLS } = run.kinds;
      const kinds = [silent, client, garbage, garbageInTLS].map(
        (one) => one ?? assert.fail('a kind is missing'),
      );
      // On a machine that is slow enough some are refused as too many; none fails for another reason.
      const refused = kinds.reduce((sum, { failed }) => sum + failed, 0);
      assert.ok(refused <= (run.handshakes['busy'] ?? 0), JSON.stringify(run.kinds));
      assert.equal(
        kinds.reduce((sum, { made }) => sum + made, refused),
        run.arrived,
      );
      assert.equal(run.arrived, 400);
      assert.ok((run.handshakes['failed'] ?? 0) > 0, 'garbage is no handshake');
    });
  }
});
