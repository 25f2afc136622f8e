import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { changesBytes, RevisionMerger } from '../etcd/index.ts';
import type { RevisionedChange, SourceRevision } from '../etcd/index.ts';
import { paused, waitingBytes } from './hold.ts';
import type { Lane } from './hold.ts';

const HIGH = 1000;
const lane = (bytes: number, isAhead: boolean, isPaused = false): Lane => ({
  bytes,
  isAhead,
  paused: isPaused,
});

describe('back-pressure', () => {
  const empty = { bytes: 0, isEmpty: true };
  const written = (bytes: number): { bytes: number; isEmpty: boolean } => ({ bytes, isEmpty: false });

  it('a watch that is ahead waits, and the one for which it waits is read as long as nothing can be written', () => {
    assert.deepEqual(paused([lane(1200, true), lane(0, false)], empty, HIGH), [true, false]);
    assert.deepEqual(paused([lane(1200, true), lane(0, false)], written(300), HIGH), [true, true]);
  });

  it('what all watches and the queue have together counts', () => {
    assert.deepEqual(paused([lane(400, true), lane(400, true), lane(0, false)], empty, HIGH), [
      false,
      false,
      false,
    ]);
    assert.deepEqual(paused([lane(400, true), lane(400, true), lane(0, false)], written(300), HIGH), [
      true,
      true,
      true,
    ]);
  });

  it('who waits goes on once half of it is written', () => {
    assert.deepEqual(paused([lane(0, false, true)], written(600), HIGH), [true]);
    assert.deepEqual(paused([lane(0, false, false)], written(600), HIGH), [false]);
    assert.deepEqual(paused([lane(0, false, true)], written(400), HIGH), [false]);
  });

  it('given any order in which watches deliver, what waits has the bound, and all of it is written in the end', () => {
    const revisions = fc.array(fc.record({ prefix: fc.nat(2), bytes: fc.integer({ min: 1, max: 300 }) }), {
      minLength: 60,
      maxLength: 120,
    });
    fc.assert(
      fc.property(revisions, fc.infiniteStream(fc.nat(1000)), (history, random) => {
        const source = new Source(history, (below) => Number(random.next().value) % below);
        while (!source.isDone) source.step();
        assert.deepEqual(
          source.written,
          history.map((_, index) => BigInt(index + 1)),
        );
      }),
      { numRuns: 300 },
    );
  });
});

const WATCHES = 3;
/** Upper bound of one revision of the property. */
const ANSWER = 350;

/** Three watches that deliver when they are let, one revision in each answer, and a target that writes now and then. */
class Source {
  readonly #merger = new RevisionMerger(WATCHES, 0n);
  readonly #pending: RevisionedChange[][];
  readonly #head: bigint;
  readonly #choose: (below: number) => number;
  readonly #queue: SourceRevision[] = [];
  #paused = Array.from({ length: WATCHES }, () => false);
  readonly written: bigint[] = [];

  constructor(history: readonly { prefix: number; bytes: number }[], choose: (below: number) => number) {
    this.#choose = choose;
    this.#head = BigInt(history.length);
    this.#pending = Array.from({ length: WATCHES }, (_, watch) =>
      history.flatMap(({ prefix, bytes }, index) =>
        prefix === watch
          ? [{ key: Buffer.from(`/${watch}`), value: Buffer.alloc(bytes), revision: BigInt(index + 1) }]
          : [],
      ),
    );
  }

  get isDone(): boolean {
    return BigInt(this.written.length) === this.#head;
  }

  /** One of the things that can happen next happens. */
  step(): void {
    const open = this.#paused.flatMap((isPaused, watch) => (isPaused ? [] : [watch]));
    const canWrite = this.#queue.length > 0;
    assert.ok(open.length > 0 || canWrite, 'all waits, and nothing can be written');
    // Mostly those that make much wait: the last watch is slow, and so is the target.
    const quick = open.filter((watch) => watch < WATCHES - 1);
    const among = quick.length > 0 && this.#choose(10) > 0 ? quick : open;
    const writes = canWrite && (among.length === 0 || this.#choose(10) === 0);
    const watch = among[this.#choose(Math.max(1, among.length))];
    if (writes || watch === undefined) this.written.push(this.#queue.shift()?.revision ?? 0n);
    else this.#answer(watch);
    this.#queue.push(...this.#merger.take());
    this.#hold();
  }

  #answer(watch: number): void {
    const change = this.#pending[watch]?.shift();
    if (change === undefined) this.#merger.progress(watch, this.#head);
    else this.#merger.deliver(watch, [change], false);
  }

  #hold(): void {
    const least = this.#merger.behind(this.#merger.frontier + 1n);
    const lanes = this.#paused.map((isPaused, watch) =>
      lane(this.#merger.waitingBytes(watch), !least.includes(watch), isPaused),
    );
    const bytes = this.#queue.reduce((sum, { changes }) => sum + changesBytes(changes), 0);
    const queue = { bytes, isEmpty: this.#queue.length === 0 };
    const total = waitingBytes(lanes, queue);
    assert.ok(total <= HIGH + WATCHES * ANSWER, `${total} bytes wait`);
    this.#paused = paused(lanes, queue, HIGH);
  }
}
