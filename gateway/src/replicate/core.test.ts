import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ReplicationCheckpoint } from '@causeway/crds';
import fc from 'fast-check';
import type { RevisionedChange, SourceRevision } from '../etcd/index.ts';
import { decodeCheckpoint, encodeCheckpoint, keyId, RevisionMerger } from '../etcd/index.ts';
import { planNext } from './plan.ts';
import type { Limits, PlannedTransaction } from './plan.ts';

/**
 * The whole of the pure core against a source and a target in memory: random revisions over several prefixes, delivered
 * in random pieces and order, with crashes before, during and after each transaction.
 */

const PREFIXES = 3;

interface Write {
  prefix: number;
  name: number;
  value: string | undefined;
}

/** A source revision: some keys, each at most once (etcd refuses more); maybe of no prefix of ours. */
const revisionOf: fc.Arbitrary<Write[]> = fc.uniqueArray(
  fc.record({
    prefix: fc.nat(PREFIXES - 1),
    name: fc.nat(5),
    value: fc.option(fc.string({ maxLength: 12 }), { nil: undefined }),
  }),
  { selector: ({ prefix, name }) => `${prefix}/${name}`, maxLength: 9 },
);

const key = (prefix: number, name: number): Buffer => Buffer.from(`/p${prefix}/${name}`);

function toRevisions(history: readonly Write[][]): SourceRevision[] {
  return history.map((writes, index) => ({
    revision: BigInt(index + 1),
    changes: writes.map(({ prefix, name, value }) => ({
      key: key(prefix, name),
      value: value === undefined ? undefined : Buffer.from(value),
    })),
  }));
}

/** What etcd's watch of one prefix would send after `from`, each entry one revision. */
function eventsOf(history: readonly Write[][], prefix: number, from: bigint): RevisionedChange[][] {
  return toRevisions(history)
    .filter(({ revision }) => revision > from)
    .map(({ revision, changes }) =>
      changes
        .filter((change) => change.key.toString().startsWith(`/p${prefix}/`))
        .map((change) => ({ ...change, revision })),
    )
    .filter((events) => events.length > 0);
}

/** A target in memory, with etcd's rules: guarded, all or nothing, no key twice in a transaction. */
class MemoryTarget {
  readonly keys = new Map<string, string>();
  readonly log: string[] = [];
  readonly states: string[] = [''];
  checkpoint: Buffer | undefined;
  modRevision = 0;

  commit({ changes, checkpoint }: PlannedTransaction, guard: number): boolean {
    if (guard !== this.modRevision) return false;
    const ids = changes.map((change) => keyId(change.key));
    assert.equal(new Set(ids).size, ids.length, 'no key twice in one transaction');
    for (const change of changes) {
      this.log.push(entry(change));
      if (change.value === undefined) this.keys.delete(keyId(change.key));
      else this.keys.set(keyId(change.key), change.value.toString('latin1'));
    }
    this.checkpoint = encodeCheckpoint(checkpoint);
    this.modRevision += 1;
    if (checkpoint.partial === undefined) this.states.push(stateOf(this.keys));
    return true;
  }
}

const entry = (change: { key: Buffer; value: Buffer | undefined }): string =>
  `${keyId(change.key)}=${change.value?.toString('latin1') ?? '<deleted>'}`;
const stateOf = (keys: ReadonlyMap<string, string>): string =>
  [...keys]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('|');

/** Every state that the source was ever in, and its changes in order. */
function replay(history: readonly Write[][]): { states: string[]; log: string[]; final: string } {
  const keys = new Map<string, string>();
  const states = [''];
  const log: string[] = [];
  for (const { changes } of toRevisions(history)) {
    for (const change of [...changes].sort((a, b) => a.key.compare(b.key))) {
      log.push(entry(change));
      if (change.value === undefined) keys.delete(keyId(change.key));
      else keys.set(keyId(change.key), change.value.toString('latin1'));
    }
    states.push(stateOf(keys));
  }
  return { states, log, final: stateOf(keys) };
}

const FIRST: ReplicationCheckpoint = { sourceClusterId: '7', revision: '0', epoch: 1, prefixes: ['/p'] };

/** One life of a replicator, from the checkpoint to a crash. `choose(n)`: a random number below n. */
function live(
  history: readonly Write[][],
  target: MemoryTarget,
  limits: Limits,
  choose: (below: number) => number,
): void {
  let checkpoint = target.checkpoint === undefined ? FIRST : decodeCheckpoint(target.checkpoint);
  let guard = target.modRevision;
  const from = BigInt(checkpoint.revision);
  const merger = new RevisionMerger(PREFIXES, from);
  const lanes = Array.from({ length: PREFIXES }, (_, prefix) => eventsOf(history, prefix, from));
  const queue: SourceRevision[] = [];
  const steps = choose(60);
  for (let step = 0; step < steps; step++) {
    const lane = choose(PREFIXES);
    const take = (): number => queue.push(...merger.take());
    deliverSome({ merger, lane, take }, lanes[lane] ?? [], choose, BigInt(history.length));
    take();
    if (choose(2) === 0) continue;
    const planned = planNext(queue, checkpoint, limits);
    if (planned === undefined) continue;
    const crash = choose(8);
    if (crash === 0) return; // before the transaction was sent
    assert.ok(target.commit(planned, guard));
    if (crash === 1) return; // the answer was lost
    guard = target.modRevision;
    checkpoint = planned.checkpoint;
    queue.splice(0, planned.revisions);
  }
}

/** Delivers a response of some revisions, maybe in fragments cut anywhere, or a progress notification at the end. */
function deliverSome(
  { merger, lane, take }: { merger: RevisionMerger; lane: number; take: () => void },
  pending: RevisionedChange[][],
  choose: (below: number) => number,
  head: bigint,
): void {
  if (pending.length === 0) {
    merger.progress(lane, head);
    return;
  }
  const response = pending.splice(0, 1 + choose(3)).flat();
  while (response.length > 0) {
    const fragment = response.splice(0, 1 + choose(response.length));
    merger.deliver(lane, fragment, response.length > 0);
    // What is taken between two fragments must be whole already.
    if (choose(2) === 0) take();
  }
}

describe('the core of replication', () => {
  const limitsArbitrary = fc.record({
    ops: fc.integer({ min: 2, max: 8 }),
    batchBytes: fc.integer({ min: 40, max: 400 }),
    requestBytes: fc.integer({ min: 60, max: 600 }),
  });

  it('given any history, delivery and crashes, the target gets every change once, in order, and revisions whole', () => {
    fc.assert(
      fc.property(
        fc.array(revisionOf, { maxLength: 25 }),
        limitsArbitrary,
        fc.infiniteStream(fc.nat(10_000)),
        (history, limits, random) => {
          const choose = (below: number): number => Number(random.next().value) % below;
          const target = new MemoryTarget();
          for (let lives = 0; lives < 12; lives++) live(history, target, limits, choose);
          // The last life goes undisturbed to the end.
          const steady = (below: number): number =>
            below === 60 ? 59 : below === 8 ? 7 : below === 2 ? 1 : 0;
          for (let lives = 0; lives < 20; lives++) {
            let turn = 0;
            live(history, target, limits, (below) =>
              below === PREFIXES ? turn++ % PREFIXES : steady(below),
            );
          }
          const source = replay(history);
          assert.deepEqual(target.log, source.log, 'each change once and in order');
          assert.equal(stateOf(target.keys), source.final);
          let at = 0;
          for (const state of target.states) {
            while (at < source.states.length && source.states[at] !== state) at += 1;
            assert.ok(
              at < source.states.length,
              `the target was in a state that the source never had: ${state}`,
            );
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  it('given a write of an earlier life that comes late, it is refused', () => {
    const target = new MemoryTarget();
    const [first, second] = toRevisions([
      [{ prefix: 0, name: 1, value: 'a' }],
      [{ prefix: 0, name: 1, value: 'b' }],
    ]);
    assert.ok(first && second);
    const limits = { ops: 128, batchBytes: 1000, requestBytes: 1000 };
    const late = planNext([first], FIRST, limits);
    const both = planNext([first], FIRST, limits);
    assert.ok(late && both);
    assert.equal(target.commit(both, 0), true);
    assert.equal(target.commit(late, 0), false);
    assert.deepEqual(target.log, ['/p0/1=a']);
  });
});
