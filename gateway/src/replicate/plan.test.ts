import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ReplicationCheckpoint } from '@causeway/crds';
import fc from 'fast-check';
import type { Change, SourceRevision } from '../etcd/index.ts';
import { forgetOthers, lastChange } from './last-change.ts';
import type { Limits, Nested } from './plan.ts';
import { TooLargeError, defaultLimits, maxChanges, narrow, nest, planNext } from './plan.ts';

const at = (revision: string): ReplicationCheckpoint => ({
  sourceClusterId: '1',
  revision,
  epoch: 2,
  prefixes: ['/a/'],
  since: '2',
});
const put = (key: string, bytes = 1): Change => ({ key: Buffer.from(key), value: Buffer.alloc(bytes) });
const revision = (number: number, ...changes: Change[]): SourceRevision => ({
  revision: BigInt(number),
  changes,
});
const many = (count: number, bytes = 1): Change[] =>
  Array.from({ length: count }, (_, index) => put(`/a/${index}`, bytes));

/** As etcd counts (checkTxnRequest): a nested transaction may use what the ones around it left over. */
function accepted(nested: readonly Nested[], limit: number, extra: number): boolean {
  const count = nested.length + extra;
  if (count > limit) return false;
  return nested.every((item) => !Array.isArray(item) || accepted(item, limit - count, 0));
}
const flat = (nested: readonly Nested[]): Change[] =>
  nested.flatMap((item) => (Array.isArray(item) ? flat(item) : [item]));

describe('planNext', () => {
  it('nothing waits: nothing to do', () => {
    assert.equal(planNext([], at('3'), defaultLimits), undefined);
  });

  it('several revisions go together', () => {
    const next = planNext([revision(4, put('/a/1')), revision(9, put('/a/2'))], at('3'), defaultLimits);
    assert.equal(next?.revisions, 2);
    assert.deepEqual(next.checkpoint, { ...at('9'), ...lastChange(revision(9, put('/a/2'))) });
    assert.equal(next.split, false);
  });

  it('a key that comes again begins another transaction, so that a watcher of the target sees both values', () => {
    const next = planNext([revision(4, put('/a/1')), revision(5, put('/a/1'))], at('3'), defaultLimits);
    assert.equal(next?.revisions, 1);
    assert.equal(next.checkpoint.revision, '4');
  });

  it('a batch stays within the operations and bytes of a transaction', () => {
    const queue = many(500).map((change, index) => revision(index + 1, change));
    assert.equal(planNext(queue, at('0'), defaultLimits)?.changes.length, 127);
    assert.equal(planNext(queue, at('0'), { ...defaultLimits, batchBytes: 200 })?.changes.length, 5);
  });

  it('a large revision is still one transaction, by nesting', () => {
    const next = planNext([revision(1, ...many(4000))], at('0'), defaultLimits);
    assert.equal(next?.revisions, 1);
    assert.equal(next.split, false);
    assert.equal(next.changes.length, 4000);
  });

  it('a revision over the limits goes in parts, and the checkpoint says how far', () => {
    const limits: Limits = { ops: 128, batchBytes: 10_000, requestBytes: 10_000 };
    const queue = [revision(5, ...many(6, 4000)), revision(6, put('/a/z'))];
    const before = { ...at('3'), ...lastChange(revision(2, put('/a/y'))) };
    const first = planNext(queue, before, limits);
    assert.deepEqual(first?.checkpoint, { ...before, partial: { revision: '5', changes: 2 } });
    assert.equal(first.revisions, 0);
    const second = planNext(queue, first.checkpoint, limits);
    assert.equal(second?.checkpoint.partial?.changes, 4);
    const third = planNext(queue, second.checkpoint, limits);
    assert.deepEqual(third?.checkpoint, { ...at('5'), ...lastChange(revision(5, ...many(6, 4000))) });
    assert.equal(third.revisions, 1);
  });

  it('a part that was written is gone on from, also when the limits have grown since', () => {
    const next = planNext(
      [revision(5, ...many(6))],
      { ...at('3'), partial: { revision: '5', changes: 4 } },
      defaultLimits,
    );
    assert.deepEqual(
      next?.changes.map(({ key }) => key.toString()),
      ['/a/4', '/a/5'],
    );
    assert.deepEqual(next.checkpoint, { ...at('5'), ...lastChange(revision(5, ...many(6))) });
  });

  it('a part of another revision than the next is a contradiction, not a guess', () => {
    const checkpoint = { ...at('3'), partial: { revision: '5', changes: 4 } };
    assert.throws(
      () => planNext([revision(6, put('/a/1'))], checkpoint, defaultLimits),
      /5 is in the target in part/,
    );
  });

  it('a revision that the target has is never planned again', () => {
    assert.throws(() => planNext([revision(3, put('/a/1'))], at('3'), defaultLimits), /already/);
  });
});

describe('the last change', () => {
  const key = (name: string): string => Buffer.from(name).toString('base64');
  const gone = (name: string): Change => ({ key: Buffer.from(name), value: undefined });
  const long = `/a/${'k'.repeat(1022)}`;

  it('is a put where there is one, since a key that is not there tells little', () => {
    const { last } = lastChange(revision(7, gone('/a/1'), put('/a/2'), gone('/a/3')));
    assert.deepEqual([last?.key, last?.revision, last?.sha256?.length], [key('/a/2'), '7', 16]);
    assert.deepEqual(lastChange(revision(7, gone('/a/1'))).last, { key: key('/a/1'), revision: '7' });
  });

  it('is never of a key that would make the checkpoint large', () => {
    assert.deepEqual(lastChange(revision(7, put(long))), {});
    assert.equal(lastChange(revision(7, gone('/a/1'), put(long))).last?.key, key('/a/1'));
    const before = { ...at('3'), ...lastChange(revision(3, put('/a/1'))) };
    const next = planNext([revision(7, put(long))], before, defaultLimits);
    assert.deepEqual(next?.checkpoint, at('7'), 'that of the revision before says nothing of this one');
  });

  it('is forgotten with its prefix: there nobody looks any more', () => {
    const checkpoint = { ...at('3'), ...lastChange(revision(3, put('/a/1'))) };
    assert.deepEqual(forgetOthers(checkpoint, ['/a/']), checkpoint);
    assert.deepEqual(forgetOthers(checkpoint, ['/b/']), at('3'));
    assert.deepEqual(forgetOthers(at('3'), ['/b/']), at('3'));
  });
});

describe('nest', () => {
  it('given any number of changes and any limit, etcd takes it, and nothing is lost or moved', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 140 }), fc.nat(6000), (ops, count) => {
        const limits = { ...defaultLimits, ops };
        const changes = many(Math.min(count, maxChanges(limits)));
        const nested = nest(changes, limits);
        assert.ok(accepted(nested, ops, 1), `${changes.length} changes, limit ${ops}`);
        assert.deepEqual(flat(nested), changes);
      }),
      { numRuns: 150 },
    );
  });

  it('75,852 changes fit with the default limit', () => {
    assert.equal(maxChanges(defaultLimits), 75_852);
    assert.ok(accepted(nest(many(75_852), defaultLimits), 128, 1));
  });
});

describe('narrow', () => {
  const transaction = { changes: many(10, 1000), checkpoint: at('1'), revisions: 10, split: false };

  it('halves what the target refused', () => {
    const bytes = narrow(defaultLimits, transaction, 'bytes');
    assert.ok(bytes.requestBytes < 6000 && bytes.requestBytes === bytes.batchBytes);
    assert.equal(narrow(defaultLimits, transaction, 'ops').ops, 64);
  });

  it('one change that is too large is said, with its key and size and what to do', () => {
    const single = { ...transaction, changes: [put('/a/huge', 2_000_000)] };
    assert.throws(
      () => narrow(defaultLimits, single, 'bytes'),
      (error) =>
        error instanceof TooLargeError &&
        /"\/a\/huge" \(20000\d\d bytes\).*--max-request-bytes/.test(error.message),
    );
  });
});
