import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RevisionedChange } from './changes.ts';
import { OrderError, RevisionMerger } from './merge.ts';

const put = (key: string, revision: number): RevisionedChange => ({
  key: Buffer.from(key),
  value: Buffer.from('v'),
  revision: BigInt(revision),
});
const shown = (merger: RevisionMerger): string[] =>
  merger
    .take()
    .map(({ revision, changes }) => `${revision}:${changes.map(({ key }) => key.toString()).join(',')}`);

describe('RevisionMerger', () => {
  it('one watch: what a response holds is whole', () => {
    const merger = new RevisionMerger(1, 4n);
    merger.deliver(0, [put('/a', 5), put('/b', 5), put('/a', 7)], false);
    assert.deepEqual(shown(merger), ['5:/a,/b', '7:/a']);
    assert.equal(merger.frontier, 7n);
  });

  it('a fragment: its last revision waits for the rest', () => {
    const merger = new RevisionMerger(1, 0n);
    merger.deliver(0, [put('/a', 1), put('/a', 2)], true);
    assert.deepEqual(shown(merger), ['1:/a']);
    merger.deliver(0, [put('/b', 2)], false);
    assert.deepEqual(shown(merger), ['2:/a,/b']);
  });

  it('two watches: one half of a transaction waits until the other watch has passed it', () => {
    const merger = new RevisionMerger(2, 0n);
    merger.deliver(1, [put('/b', 3)], false);
    assert.deepEqual(shown(merger), []);
    assert.equal(merger.highestWaiting, 3n);
    assert.deepEqual(merger.behind(3n), [0]);
    merger.deliver(0, [put('/a', 3)], false);
    assert.deepEqual(shown(merger), ['3:/a,/b']);
  });

  it('two watches: a progress notification of the silent one frees what waits', () => {
    const merger = new RevisionMerger(2, 0n);
    merger.deliver(0, [put('/a', 1), put('/a', 4)], false);
    merger.progress(1, 3n);
    assert.deepEqual(shown(merger), ['1:/a']);
    merger.progress(1, 9n);
    assert.deepEqual(shown(merger), ['4:/a']);
    assert.equal(merger.frontier, 4n);
  });

  it('changes of one revision are in one order, whichever watch was first', () => {
    const orders = [
      [0, 1],
      [1, 0],
    ].map((order) => {
      const merger = new RevisionMerger(2, 0n);
      for (const watch of order) merger.deliver(watch, [put(watch === 0 ? '/z' : '/a', 1)], false);
      return shown(merger);
    });
    assert.deepEqual(orders[0], ['1:/a,/z']);
    assert.deepEqual(orders[1], orders[0]);
  });

  it('what is already written is left out', () => {
    const merger = new RevisionMerger(1, 5n);
    merger.deliver(0, [put('/a', 5), put('/a', 6)], false);
    assert.deepEqual(shown(merger), ['6:/a']);
  });

  it('a revision that comes after the watch has passed it is refused, not lost', () => {
    const merger = new RevisionMerger(1, 0n);
    merger.progress(0, 8n);
    assert.throws(() => merger.deliver(0, [put('/a', 7)], false), OrderError);
    const other = new RevisionMerger(1, 0n);
    assert.throws(() => other.deliver(0, [put('/a', 7), put('/a', 6)], false), OrderError);
  });

  it('counts what waits, watch by watch', () => {
    const merger = new RevisionMerger(2, 0n);
    merger.deliver(0, [put('/a', 1)], false);
    assert.ok(merger.waitingBytes(0) > 0);
    assert.equal(merger.waitingBytes(1), 0);
    merger.progress(1, 1n);
    merger.take();
    assert.equal(merger.waitingBytes(0), 0);
  });
});
