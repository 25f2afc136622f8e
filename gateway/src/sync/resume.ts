/**
 * Finds the revision of this zone's etcd that goes with a position in the home's history, in a zone that is, or was,
 * filled by a replicator: by a binary search over the checkpoint at older revisions, which grows with them. See
 * docs/adr/0053 for which of them can be trusted.
 */
import type { Mark, Position } from './position.ts';
import { comparePositions, isAfter, wholeAt } from './position.ts';

/** The revision of this zone's etcd after which to go on, or why there is none. */
export type Resume = { after: bigint } | 'compacted' | 'unknown';

/** What is searched. */
export interface CheckpointHistory {
  /** The last checkpoint. */
  newest: Mark;
  /** Later checkpoints that are known without asking, ascending, without gaps up to `newest`. */
  recent: readonly Mark[];
  /** The checkpoint at a revision of this zone's etcd; undefined: there was none. */
  at: (revision: bigint) => Promise<Mark | 'compacted' | undefined>;
}

/**
 * Where to go on from `target`, which must not be after the newest checkpoint. Up to about 60 reads, one after another.
 *
 * Since the last snapshot the zone has the home's transactions, each whole, some of them together: a client between two
 * checkpoints goes on after the earlier one, and may see a transaction again, which changes nothing. Before that only an
 * exact match will do: what a snapshot wrote is the difference to the checkpoint before it, not to one between.
 */
export async function findResume(target: Position, history: CheckpointHistory): Promise<Resume> {
  const { newest } = history;
  const known = latestNotAfter(target, history.recent);
  const found = known === undefined ? await search(target, history) : { mark: known, compacted: false };
  if (found.mark !== undefined && mayGoOn(found.mark, target, newest)) return { after: found.mark.at };
  return found.compacted ? 'compacted' : 'unknown';
}

function mayGoOn(mark: Mark, target: Position, newest: Mark): boolean {
  const position = wholeAt(mark);
  if (position === undefined || position.epoch !== target.epoch) return false;
  if (position.revision === target.revision) return true;
  const { epoch, since } = newest.checkpoint;
  return epoch === target.epoch && since !== undefined && since === mark.checkpoint.since;
}

function latestNotAfter(target: Position, marks: readonly Mark[]): Mark | undefined {
  return marks.findLast((mark) => !isAfter(mark, target));
}

async function search(
  target: Position,
  { newest, at }: CheckpointHistory,
): Promise<{ mark: Mark | undefined; compacted: boolean }> {
  if (!isAfter(newest, target)) return { mark: newest, compacted: false };
  let from = 1n;
  let before = newest.at;
  let mark: Mark | undefined;
  let compacted = false;
  // All before `from` is compacted, without a checkpoint, or not after the target; all from `before` on is after it.
  while (from < before) {
    const middle = (from + before) / 2n;
    const found = await at(middle);
    if (found === 'compacted') compacted = true;
    if (found !== undefined && found !== 'compacted' && isAfter(found, target)) {
      before = found.at;
    } else {
      if (found !== undefined && found !== 'compacted') mark = found;
      from = middle + 1n;
    }
  }
  return { mark, compacted: compacted && mark === undefined };
}

/** Whether a zone at this mark has to be waited for. */
export function isBehind(newest: Mark, target: Position): boolean {
  const position = wholeAt(newest);
  return position === undefined ? !isAfter(newest, target) : comparePositions(position, target) < 0;
}
