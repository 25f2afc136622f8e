/** What the checkpoint says about how to go on. */
import type { HomeRecord, ReplicationCheckpoint } from '@causeway/crds';
import { coversPrefixes } from '../etcd/index.ts';
import type { SourceHead } from '../etcd/index.ts';

/** Why a snapshot is needed; a label of the metric. */
export type SnapshotReason =
  | 'first-start'
  | 'interrupted'
  | 'home-moved'
  | 'source-changed'
  | 'source-went-back'
  | 'prefixes-added'
  | 'compacted';

/** The source, and whose history it is. */
export interface Source extends SourceHead {
  zone: string;
  /** Epoch that began when it became home. */
  epoch: number;
  /** The homes that it knows of. */
  homes: readonly HomeRecord[];
  /** Those that the target knows of. */
  known: readonly HomeRecord[];
  /** The target's zone. */
  follower: string;
}

/** What to do first, given what the target remembers and what the source is: `undefined` is to follow on. */
export function snapshotNeeded(
  checkpoint: ReplicationCheckpoint | undefined,
  source: Source,
  prefixes: readonly string[],
): SnapshotReason | undefined {
  if (checkpoint === undefined) return 'first-start';
  // Before the cluster id: clusters that were made alike have the same, and revisions of different homes can't be compared.
  if (!isSameHome(checkpoint, source)) return 'home-moved';
  if (checkpoint.sourceClusterId !== source.clusterId || hasForgotten(source)) return 'source-changed';
  // The same cluster id with a lower revision: restored from a backup, or made again with the same names.
  const { snapshot, partial } = checkpoint;
  if (BigInt((snapshot ?? partial ?? checkpoint).revision) > source.revision) return 'source-went-back';
  if (snapshot !== undefined) return 'interrupted';
  if (!coversPrefixes(checkpoint.prefixes, prefixes)) return 'prefixes-added';
  // How many of a revision's changes are there was counted with those of a prefix that is no longer asked for.
  if (partial !== undefined && !coversPrefixes(prefixes, checkpoint.prefixes)) return 'interrupted';
  return undefined;
}

/** A home that doesn't know of its own promotion, while others do, has another volume than it had then. */
function hasForgotten({ zone, epoch, homes, known }: Source): boolean {
  const isPromotion = (home: HomeRecord): boolean => home.epoch === epoch && home.zone === zone;
  return known.some(isPromotion) && !homes.some(isPromotion);
}

/** Whether the checkpoint is of this source's own history: the same home, or one that was fenced and given back. */
function isSameHome(checkpoint: ReplicationCheckpoint, { zone, epoch, homes }: Source): boolean {
  const { epoch: last, homeZone } = checkpoint;
  if (last === epoch) return homeZone === undefined || homeZone === zone;
  if (homeZone !== zone) return false;
  const since = homes.filter((home) => home.epoch > last && home.epoch <= epoch);
  return since.at(-1)?.epoch === epoch && since.every((home) => home.zone === zone);
}

/** How far two zones had come with the home that was before, decimal. */
export interface Ahead {
  oldHome: string;
  /** Last revision of it that this zone has. */
  revision: string;
  /** And the last one that the new home had when it took over. */
  promotedAt: string;
}

/**
 * Whether the target has more of the old home than the new home had. A snapshot of the new home takes that back, and only
 * the old home has it then, which keeps it aside when it is back.
 */
export function aheadOfHome(
  { homeZone, epoch, revision }: ReplicationCheckpoint,
  homes: readonly HomeRecord[],
): Ahead | undefined {
  for (const { from } of homes) {
    if (from === undefined || from.zone !== homeZone || from.epoch !== epoch) continue;
    if (BigInt(revision) > BigInt(from.revision))
      return { oldHome: from.zone, revision, promotedAt: from.revision };
  }
  return undefined;
}

/**
 * Whether the source's history goes on from the target's. Where it doesn't, a source without most of the target's
 * keys is more likely one that lost its data (or the wrong one) than one that means to empty its followers. A new home whose promotion is
 * on record had the old one's keys; so it had those of an old home, which has no checkpoint when it comes back, and has
 * kept aside by then what only it had.
 */
export function historyGoesOn(reason: SnapshotReason, { zone, epoch, homes, follower }: Source): boolean {
  const isOnRecord = homes.some((home) => home.epoch === epoch && home.zone === zone);
  if (reason === 'home-moved') return isOnRecord;
  if (reason === 'first-start') return isOnRecord && homes.some(({ from }) => from?.zone === follower);
  return reason === 'compacted' || reason === 'prefixes-added' || reason === 'interrupted';
}
