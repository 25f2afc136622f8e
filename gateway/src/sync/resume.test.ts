import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ReplicationCheckpoint } from '@causeway/crds';
import fc from 'fast-check';
import type { Mark, Position } from './position.ts';
import { findResume, isBehind } from './resume.ts';
import type { Resume } from './resume.ts';

const mark = (
  at: number,
  epoch: number,
  revision: number,
  more: Partial<ReplicationCheckpoint> = {},
): Mark => ({
  at: BigInt(at),
  checkpoint: {
    sourceClusterId: '1',
    revision: String(revision),
    epoch,
    prefixes: ['/config/'],
    since: '1',
    ...more,
  },
});
const position = (epoch: number, revision: number): Position => ({ epoch, revision: BigInt(revision) });

/** A zone's checkpoints, read as from etcd. Counts the reads. */
function history(marks: readonly Mark[], compactedBefore = 0n, recent = 0) {
  const reads = { count: 0 };
  const newest = marks.at(-1);
  assert.ok(newest);
  return {
    reads,
    newest,
    recent: recent === 0 ? [] : marks.slice(-recent),
    at: async (revision: bigint) => {
      reads.count += 1;
      if (revision < compactedBefore) return 'compacted' as const;
      return marks.findLast(({ at }) => at <= revision);
    },
  };
}
const find = (target: Position, ...args: Parameters<typeof history>): Promise<Resume> =>
  findResume(target, history(...args));

describe('where a position is in a replicated zone', () => {
  const marks = [mark(10, 1, 5), mark(11, 1, 8), mark(20, 1, 9), mark(31, 1, 20)];

  it('is after the checkpoint of it, or of the transactions before it', async () => {
    assert.deepEqual(await find(position(1, 9), marks), { after: 20n });
    assert.deepEqual(await find(position(1, 8), marks), { after: 11n });
    assert.deepEqual(await find(position(1, 7), marks), { after: 10n }, 'amid a batch: that comes again');
    assert.deepEqual(await find(position(1, 20), marks), { after: 31n });
    assert.deepEqual(await find(position(1, 19), marks), { after: 20n });
  });

  it('is nowhere when it is before the first one', async () => {
    assert.equal(await find(position(1, 4), marks), 'unknown');
    assert.equal(await find(position(1, 8), marks, 20n), 'compacted');
    assert.deepEqual(await find(position(1, 9), marks, 20n), { after: 20n });
  });

  it('is not between two checkpoints that a snapshot parts', async () => {
    const parted = [...marks, mark(40, 1, 50, { since: '50' }), mark(41, 1, 51, { since: '50' })];
    assert.equal(await find(position(1, 30), parted), 'unknown');
    assert.deepEqual(await find(position(1, 20), parted), { after: 31n }, 'the difference is to this one');
    assert.deepEqual(await find(position(1, 50), parted), { after: 40n });
  });

  it('is not between two of earlier versions, which do not say', async () => {
    const { since: _, ...without } = mark(2, 1, 9).checkpoint;
    const old = [mark(1, 1, 5), { at: 2n, checkpoint: without }].map(({ at, checkpoint }) => {
      const { since: _since, ...rest } = checkpoint as ReplicationCheckpoint;
      return { at, checkpoint: rest };
    });
    assert.equal(await find(position(1, 7), old), 'unknown');
    assert.deepEqual(await find(position(1, 5), old), { after: 1n });
  });

  it('is never where something was half written', async () => {
    const half = [
      ...marks,
      mark(32, 1, 20, { partial: { revision: '21', changes: 3 } }),
      mark(33, 1, 21),
      mark(34, 2, 0, { since: undefined as never, snapshot: { revision: '40' } }),
      mark(35, 2, 40, { since: '40' }),
    ];
    assert.deepEqual(await find(position(1, 20), half), { after: 31n });
    assert.deepEqual(await find(position(1, 21), half), { after: 33n });
    assert.deepEqual(await find(position(2, 40), half), { after: 35n });
    assert.equal(await find(position(2, 39), half), 'unknown');
  });

  it('has to be waited for while the zone is before it, or is being filled', () => {
    assert.equal(isBehind(mark(1, 1, 9), position(1, 10)), true);
    assert.equal(isBehind(mark(1, 1, 10), position(1, 10)), false);
    assert.equal(isBehind(mark(1, 2, 0, { snapshot: { revision: '8' } }), position(2, 9)), true);
    assert.equal(isBehind(mark(1, 2, 0, { snapshot: { revision: '8' } }), position(1, 9)), false);
  });

  it('for any history: as a search from the beginning finds it, with few reads', async () => {
    const step = fc.record({ at: fc.integer({ min: 1, max: 9 }), by: fc.integer({ min: 1, max: 9 }) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 60 }),
        fc.nat(600),
        fc.nat(100),
        fc.nat(10),
        async (steps, asked, compacted, recent) => {
          let at = 0;
          let revision = 0;
          const all = steps.map((next) => mark((at += next.at), 1, (revision += next.by)));
          const target = position(1, Math.min(asked, revision));
          const made = history(all, BigInt(compacted), recent);
          const found = await findResume(target, made);
          const wanted = all.findLast(({ checkpoint }) => BigInt(checkpoint.revision) <= target.revision);
          const readable = all.findLast(({ at: when }) => when <= Math.max(compacted, 1));
          const visible =
            wanted &&
            (wanted === all.at(-1) ||
              made.recent.includes(wanted) ||
              wanted.at >= BigInt(compacted) ||
              wanted === readable);
          if (visible) assert.deepEqual(found, { after: wanted.at });
          else assert.equal(typeof found, 'string');
          assert.ok(made.reads.count <= 12, `${made.reads.count} reads`);
        },
      ),
    );
  });
});
