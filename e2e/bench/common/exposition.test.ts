import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { difference, Exposition } from './exposition.ts';

const text = `# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{code="200",method="GET"} 12
requests_total{code="404",method="GET"} 3
requests_total{code="201",method="PATCH"} 5
up 1
odd{path="a\\"b}"} 2.5e-3
`;

describe('exposition', () => {
  it('sums what has all of the labels', () => {
    const seen = new Exposition(text);
    assert.equal(seen.sum('requests_total'), 20);
    assert.equal(seen.sum('requests_total', { method: 'GET' }), 15);
    assert.equal(seen.sum('requests_total', { method: 'GET', code: '404' }), 3);
    assert.equal(seen.sum('up'), 1);
    assert.equal(seen.sum('odd'), 0.0025);
    assert.equal(seen.sum('absent'), 0);
  });

  it('groups by a label, and tells what was added since', () => {
    const seen = new Exposition(text).by('requests_total', 'method');
    assert.deepEqual(seen, { GET: 15, PATCH: 5 });
    assert.deepEqual(difference(seen, { GET: 15, PATCH: 1 }), { PATCH: 4 });
  });
});
