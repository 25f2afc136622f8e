/** Makes a target equal to the source at one revision, writing only what differs, so that no key vanishes and returns. */
import { ETCD_PREFIX } from '@causeway/crds';
import type { ReplicationCheckpoint } from '@causeway/crds';
import { changeBytes, isOwnKey, prefixRange } from '../etcd/index.ts';
import type { Change, EtcdClient, KeyValue } from '../etcd/index.ts';
import { historyGoesOn } from './checkpoint.ts';
import type { SnapshotReason, Source } from './checkpoint.ts';
import { difference } from './diff.ts';
import { Newest } from './last-change.ts';
import type { PlannedTransaction } from './plan.ts';
import { BlockedError } from './target.ts';

/** What a snapshot is taken of, and how it is written. */
export interface SnapshotJob {
  source: EtcdClient;
  target: EtcdClient;
  /** The source and the revision that the target is made equal to. */
  head: Source;
  prefixes: readonly string[];
  reason: SnapshotReason;
  /** Most changes, and bytes of them, in one transaction. */
  limits: { changes: number; bytes: number };
  /** Writes one transaction, or throws. */
  commit(transaction: PlannedTransaction): Promise<void>;
}

/**
 * Takes and writes a snapshot. A difference that fits in one transaction is written in one step with the checkpoint; a
 * larger one begins with a mark in the checkpoint, so that after a crash it is taken again.
 *
 * Throws {@link BlockedError} when it would delete most keys of the target for a source that may have lost them, and CompactedError when the
 * source was compacted past the revision meanwhile.
 */
export async function writeSnapshot(job: SnapshotJob): Promise<void> {
  await refuseToLose(job);
  const revision = job.head.revision.toString();
  const newest = new Newest();
  const underWay: ReplicationCheckpoint = {
    ...checkpointAt(job, 0n),
    snapshot: { revision },
  };
  let changes: Change[] = [];
  let bytes = 0;
  const flush = async (checkpoint: ReplicationCheckpoint): Promise<void> => {
    const transaction = { changes, checkpoint, revisions: 0, split: false };
    changes = [];
    bytes = 0;
    await job.commit(transaction);
  };
  for (const prefix of job.prefixes) {
    const range = prefixRange(prefix);
    const wanted = newest.among(withoutOwn(job.source.entries(range, job.head.revision)));
    for await (const change of difference(wanted, withoutOwn(job.target.entries(range)))) {
      const size = changeBytes(change);
      const full = changes.length >= job.limits.changes || bytes + size > job.limits.bytes;
      if (changes.length > 0 && full) await flush(underWay);
      changes.push(change);
      bytes += size;
    }
  }
  await flush({ ...checkpointAt(job, job.head.revision), since: revision, ...newest.last });
}

function checkpointAt({ head, prefixes }: SnapshotJob, revision: bigint): ReplicationCheckpoint {
  return {
    sourceClusterId: head.clusterId,
    homeZone: head.zone,
    revision: revision.toString(),
    epoch: head.epoch,
    prefixes: [...prefixes],
  };
}

/**
 * A source with fewer than this part of the target's keys has more likely lost its data than meant to delete them. One that
 * was restored from a backup lacks some keys.
 */
const LEAST_PART = 0.5;

async function refuseToLose({ source, target, head, prefixes, reason }: SnapshotJob): Promise<void> {
  if (historyGoesOn(reason, head)) return;
  const held = await countKeys(target, prefixes);
  const found = await countKeys(source, prefixes, head.revision);
  if (found >= held * LEAST_PART) return;
  const few = ['no key', 'only 1 key'][found] ?? `only ${found} keys`;
  throw new BlockedError(
    `the source has ${few} under ${prefixes.join(' ')} while the target has ` +
      `${held}, and its history does not go on from the target's (${reason}): it may have lost its data. Nothing is ` +
      `deleted. Restore the source, or fail over to this zone; if the source is right, delete the keys in the target`,
  );
}

/** Keys under the prefixes, at `revision` or now, without Causeway's own. */
async function countKeys(
  client: EtcdClient,
  prefixes: readonly string[],
  revision?: bigint,
): Promise<number> {
  let keys = 0;
  for (const prefix of prefixes) {
    keys += await client.count(prefixRange(prefix), revision);
    if (ETCD_PREFIX.startsWith(prefix)) keys -= await client.count(prefixRange(ETCD_PREFIX), revision);
  }
  return keys;
}

async function* withoutOwn<K extends KeyValue>(keys: AsyncIterable<K>): AsyncGenerator<K> {
  for await (const kv of keys) if (!isOwnKey(kv.key)) yield kv;
}
