/** What the checkpoint says about how to go on. */
import type { ReplicationCheckpoint } from '@causeway/crds';
import { coversPrefixes } from '../etcd/index.ts';
import type { SourceHead } from '../etcd/index.ts';

/** Why a snapshot is needed; a label of the metric. */
export type SnapshotReason =
  'first-start' | 'interrupted' | 'source-changed' | 'source-went-back' | 'prefixes-added' | 'compacted';

/** What to do first, given what the target remembers and what the source is: `undefined` is to follow on. */
export function snapshotNeeded(
  checkpoint: ReplicationCheckpoint | undefined,
  head: SourceHead,
  prefixes: readonly string[],
): SnapshotReason | undefined {
  if (checkpoint === undefined) return 'first-start';
  if (checkpoint.sourceClusterId !== head.clusterId) return 'source-changed';
  // The same cluster id with a lower revision: restored from a backup, or made again with the same names.
  if (BigInt(checkpoint.snapshot?.revision ?? checkpoint.revision) > head.revision) return 'source-went-back';
  if (checkpoint.snapshot !== undefined) return 'interrupted';
  if (!coversPrefixes(checkpoint.prefixes, prefixes)) return 'prefixes-added';
  return undefined;
}

/**
 * Whether the source's history goes on from the checkpoint. Where it doesn't, a source without any key is more likely
 * one that lost its data (or the wrong one) than one that means to empty its followers.
 */
export function historyGoesOn(reason: SnapshotReason): boolean {
  return reason === 'compacted' || reason === 'prefixes-added' || reason === 'interrupted';
}
