import assert from 'node:assert/strict';
import { it } from 'node:test';
import { partsOf, verdictOf } from './autobahn.ts';

const one = (id: string, behavior: string, behaviorClose = 'OK') => ({ id, behavior, behaviorClose });

it('a case is as good as the worse of its two verdicts', () => {
  assert.equal(verdictOf(one('1.1.1', 'OK')), 'OK');
  assert.equal(verdictOf(one('1.1.1', 'OK', 'WRONG CODE')), 'WRONG CODE');
  assert.equal(verdictOf(one('1.1.1', 'UNIMPLEMENTED', 'INFORMATIONAL')), 'UNIMPLEMENTED');
  assert.equal(verdictOf(one('1.1.1', 'NON-STRICT', 'INFORMATIONAL')), 'NON-STRICT');
});

it('parts are counted by the first number of their cases', () => {
  assert.deepEqual(partsOf([one('10.1.1', 'OK'), one('1.1.1', 'OK'), one('1.2.1', 'FAILED')]), [
    { part: 1, cases: 2, verdicts: { OK: 1, FAILED: 1 } },
    { part: 10, cases: 1, verdicts: { OK: 1 } },
  ]);
});
