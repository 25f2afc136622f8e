/** Which transaction comes next: a pure function of what the target has, what has come, and the limits. */
import type { ReplicationCheckpoint } from '@causeway/crds';
import type { Change, SourceRevision } from '../etcd/index.ts';
import { changeBytes, changesBytes, keyId } from '../etcd/index.ts';
import { lastChange } from './last-change.ts';

/** What fits in one transaction of the target. */
export interface Limits {
  /** The target's `--max-txn-ops`, 128 by default. */
  ops: number;
  /** Bytes of changes in a transaction that carries several revisions; smaller ones keep the target's latency low. */
  batchBytes: number;
  /** Bytes of changes that the target takes in one request: below its `--max-request-bytes`, 1.5 MiB by default. */
  requestBytes: number;
}

/** etcd's defaults, with room for the guard and the checkpoint. */
export const defaultLimits: Limits = {
  ops: 128,
  batchBytes: 512 * 1024,
  requestBytes: 1536 * 1024 - 16 * 1024,
};

/** One transaction: changes and the checkpoint that is true once they are there. */
export interface PlannedTransaction {
  changes: Change[];
  checkpoint: ReplicationCheckpoint;
  /** Source revisions that are whole with it; 0 for a part of one that isn't the last. */
  revisions: number;
  /** A part of a revision that is too large for one transaction. */
  split: boolean;
}

/** What a transaction can't be made of. The message says what to do. */
export class TooLargeError extends Error {
  override name = 'TooLargeError';
}

/** One operation in the list of a transaction, or a transaction in it. */
export type Nested = Change | Nested[];

/** The operations that are left for changes beside the checkpoint. */
function flatOps(limits: Limits): number {
  return Math.max(1, limits.ops - 1);
}

/** How many operations fit in `budget` operations when transactions are nested `depth` deep, see {@link nest}. */
function capacity(budget: number, depth: number): number {
  if (depth <= 1 || budget < 3) return budget;
  const groups = Math.floor(budget / depth);
  return groups * capacity(budget - groups, depth - 1);
}

const DEEPEST = 3;

/** The most changes that go into one transaction, nested. 75,852 with etcd's default of 128. */
export function maxChanges(limits: Limits): number {
  const budget = flatOps(limits);
  return Math.max(budget, capacity(budget, 2), capacity(budget, DEEPEST));
}

/**
 * Changes as the operations of one transaction. etcd counts `--max-txn-ops` for each transaction in a request, less what
 * the transaction around it has, so a transaction of 63 transactions of 64 operations is allowed where one of 4,032
 * isn't; it is still one revision and one step for readers (tried with etcd 3.6.6; `apply/…/checkTxnRequest`).
 */
export function nest(changes: readonly Change[], limits: Limits): Nested[] {
  return nestIn(changes, flatOps(limits));
}

function nestIn(changes: readonly Change[], budget: number): Nested[] {
  if (changes.length <= budget) return [...changes];
  for (let depth = 2; depth <= DEEPEST; depth++) {
    const groups = Math.floor(budget / depth);
    const inner = budget - groups;
    if (changes.length > groups * capacity(inner, depth - 1)) continue;
    const size = Math.ceil(changes.length / groups);
    const nested: Nested[] = [];
    for (let at = 0; at < changes.length; at += size)
      nested.push(nestIn(changes.slice(at, at + size), inner));
    return nested;
  }
  throw new RangeError(`${changes.length} changes do not fit in one transaction`);
}

/**
 * The next transaction, or `undefined` when nothing waits. `queue`: whole revisions past the checkpoint, in order.
 *
 * Several revisions go together while no key comes twice, so that a watcher of the target sees every change; a revision
 * is only divided when it can't be one transaction, and then the checkpoint says how much of it is there.
 */
export function planNext(
  queue: readonly SourceRevision[],
  checkpoint: ReplicationCheckpoint,
  limits: Limits,
): PlannedTransaction | undefined {
  const first = queue[0];
  if (first === undefined) return undefined;
  if (BigInt(checkpoint.revision) >= first.revision) {
    throw new RangeError(
      `revision ${first.revision} is already in the target, which is at ${checkpoint.revision}`,
    );
  }
  if (checkpoint.partial !== undefined || !fitsAlone(first, limits))
    return planPart(first, checkpoint, limits);
  return planWhole(queue, checkpoint, limits);
}

function fitsAlone({ changes }: SourceRevision, limits: Limits): boolean {
  return changes.length <= maxChanges(limits) && changesBytes(changes) <= limits.requestBytes;
}

function planWhole(
  queue: readonly SourceRevision[],
  checkpoint: ReplicationCheckpoint,
  limits: Limits,
): PlannedTransaction {
  const changes: Change[] = [];
  const keys = new Set<string>();
  let bytes = 0;
  let revisions = 0;
  let last: SourceRevision | undefined;
  for (const next of queue) {
    bytes += changesBytes(next.changes);
    const full = changes.length + next.changes.length > flatOps(limits) || bytes > limits.batchBytes;
    if (revisions > 0 && (full || next.changes.some(({ key }) => keys.has(keyId(key))))) break;
    for (const change of next.changes) {
      changes.push(change);
      keys.add(keyId(change.key));
    }
    revisions += 1;
    last = next;
  }
  return { changes, checkpoint: last ? wholeAt(checkpoint, last) : checkpoint, revisions, split: false };
}

function planPart(
  first: SourceRevision,
  checkpoint: ReplicationCheckpoint,
  limits: Limits,
): PlannedTransaction {
  const revision = first.revision.toString();
  const done = checkpoint.partial?.changes ?? 0;
  if (checkpoint.partial !== undefined && checkpoint.partial.revision !== revision) {
    throw new RangeError(
      `revision ${checkpoint.partial.revision} is in the target in part, but ${revision} comes next`,
    );
  }
  const changes: Change[] = [];
  let bytes = 0;
  for (const change of first.changes.slice(done, done + maxChanges(limits))) {
    bytes += changeBytes(change);
    if (changes.length > 0 && bytes > limits.requestBytes) break;
    changes.push(change);
  }
  if (done + changes.length >= first.changes.length) {
    return { changes, checkpoint: wholeAt(checkpoint, first), revisions: 1, split: true };
  }
  const partial = { revision, changes: done + changes.length };
  return { changes, checkpoint: { ...whole(checkpoint), partial }, revisions: 0, split: true };
}

/** The checkpoint once a revision is there. */
function wholeAt(checkpoint: ReplicationCheckpoint, last: SourceRevision): ReplicationCheckpoint {
  const { last: _, ...rest } = whole(checkpoint);
  return { ...rest, revision: last.revision.toString(), ...lastChange(last) };
}

/** The checkpoint without the marks of unfinished work. */
function whole(checkpoint: ReplicationCheckpoint): ReplicationCheckpoint {
  const { snapshot: _, partial: __, ...rest } = checkpoint;
  return rest;
}

/**
 * Narrower limits after the target refused a transaction as too large: half of what was sent. Throws
 * {@link TooLargeError} when it was a single change, which nothing can divide.
 */
export function narrow(limits: Limits, refused: PlannedTransaction, why: 'bytes' | 'ops'): Limits {
  const [only] = refused.changes;
  if (refused.changes.length <= 1) {
    const key = only === undefined ? 'the checkpoint' : JSON.stringify(only.key.toString());
    const bytes = only === undefined ? 0 : changeBytes(only);
    throw new TooLargeError(
      `the target refuses ${key} (${bytes} bytes) as too large: give it a --max-request-bytes at least 16 KiB above the source's`,
    );
  }
  if (why === 'ops') return { ...limits, ops: Math.max(3, Math.floor(limits.ops / 2)) };
  const bytes = Math.max(1024, Math.floor(changesBytes(refused.changes) / 2));
  return {
    ...limits,
    batchBytes: Math.min(limits.batchBytes, bytes),
    requestBytes: Math.min(limits.requestBytes, bytes),
  };
}
