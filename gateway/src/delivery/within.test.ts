import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { within } from './within.ts';

describe('a call with a deadline', () => {
  it('ends as the call does', async () => {
    assert.equal(await within(1_000, 'call', Promise.resolve(1)), 1);
    await assert.rejects(within(1_000, 'call', Promise.reject(new Error('no'))), /^Error: no$/);
  });

  it('ends at its deadline, when the call does not', async () => {
    await assert.rejects(
      within(20, 'call', new Promise(() => undefined)),
      /^OverdueError: call: not within 20 ms$/,
    );
  });
});
