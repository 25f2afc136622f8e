import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { heapPerVisit, isNothing, measureChurn } from './churn.ts';
import { openStage, type Stage } from './contestants.ts';

/** Of each 200 visitors one reads slowly, which costs seconds and megabytes: enough for ten of them. */
const VISITS = 2_000;
/** Of heap for each visit. What a session keeps is several times as much; a look differs from the next by less, also on a busy machine. */
const MOST_BYTES = 3_000;
/** Objects of one kind for each visit. */
const MOST_OBJECTS = 0.2;
/** A connection to Kafka or Redis may come or go. */
const SPARE_FILES = 5;

describe('when clients have come and gone', () => {
  let stage: Stage;

  before(async () => {
    stage = await openStage({ brokers: 1, profile: undefined });
  });

  after(() => stage?.stop());

  for (const kind of ['node', 'bun'] as const) {
    it(`nothing of them is left on ${kind}`, async (test) => {
      const run = await measureChurn(stage, kind, { run: 1, visits: VISITS });
      for (const [name, { made, failed, errors }] of Object.entries(run.kinds)) {
        assert.ok(made > 0, name);
        assert.deepEqual([failed, errors], [0, {}], name);
      }
      assert.equal(run.slowReaders, run.kinds['slow']?.made);
      assert.ok(isNothing(run.after), JSON.stringify(run.after));
      assert.ok('user_buckets' in run.after.kept && 'sockets' in run.after.kept, 'they are counted');
      const { before: first, after: last } = run;
      assert.ok(last.files <= first.files + SPARE_FILES, `${first.files} files, then ${last.files}`);
      test.diagnostic(`${Math.round(heapPerVisit(run))} bytes of heap for each visit`);
      assert.ok(heapPerVisit(run) < MOST_BYTES, `${heapPerVisit(run)} bytes for each visit`);
      for (const [type, count] of Object.entries(last.heap.objects)) {
        const grown = count - (first.heap.objects[type] ?? 0);
        assert.ok(grown < VISITS * MOST_OBJECTS, `${grown} more objects of type ${type}`);
      }
    });
  }
});
