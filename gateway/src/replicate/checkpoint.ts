/** The checkpoint: its form in etcd, and what it says about how to go on. */
import type { ReplicationCheckpoint } from '@causeway/crds';
import { coversPrefixes } from './changes.ts';

/** A checkpoint that can't be read. The message says what to do. */
export class CheckpointError extends Error {
  override name = 'CheckpointError';
}

/** The checkpoint as it is written: JSON, keys in a fixed order. */
export function encodeCheckpoint(checkpoint: ReplicationCheckpoint): Buffer {
  return Buffer.from(JSON.stringify(checkpoint));
}

const DECIMAL = /^(0|[1-9][0-9]{0,19})$/;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;
const isDecimal = (value: unknown): value is string => typeof value === 'string' && DECIMAL.test(value);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

/** Reads a checkpoint. Throws {@link CheckpointError} unless it is one of ours. */
export function decodeCheckpoint(value: Buffer): ReplicationCheckpoint {
  let parsed: unknown;
  try {
    parsed = JSON.parse(value.toString());
  } catch (cause) {
    throw new CheckpointError('it is not JSON', { cause });
  }
  if (!isObject(parsed)) throw new CheckpointError('it is not a JSON object');
  const { sourceClusterId, revision, epoch, prefixes, snapshot, partial } = parsed;
  if (!isDecimal(sourceClusterId)) throw new CheckpointError('sourceClusterId is not a decimal string');
  if (!isDecimal(revision)) throw new CheckpointError('revision is not a decimal string');
  if (!isCount(epoch)) throw new CheckpointError('epoch is not a whole number');
  if (!Array.isArray(prefixes) || !prefixes.every((prefix) => typeof prefix === 'string')) {
    throw new CheckpointError('prefixes is not a list of strings');
  }
  return {
    sourceClusterId,
    revision,
    epoch,
    prefixes,
    ...decodeSnapshot(snapshot),
    ...decodePartial(partial),
  };
}

function decodeSnapshot(snapshot: unknown): Pick<ReplicationCheckpoint, 'snapshot'> {
  if (snapshot === undefined) return {};
  if (!isObject(snapshot) || !isDecimal(snapshot['revision'])) {
    throw new CheckpointError('snapshot.revision is not a decimal string');
  }
  return { snapshot: { revision: snapshot['revision'] } };
}

function decodePartial(partial: unknown): Pick<ReplicationCheckpoint, 'partial'> {
  if (partial === undefined) return {};
  if (!isObject(partial) || !isDecimal(partial['revision']) || !isCount(partial['changes'])) {
    throw new CheckpointError('partial is not { revision, changes }');
  }
  return { partial: { revision: partial['revision'], changes: partial['changes'] } };
}

/** Why a snapshot is needed; a label of the metric. */
export type SnapshotReason =
  'first-start' | 'interrupted' | 'source-changed' | 'source-went-back' | 'prefixes-added' | 'compacted';

/** Where the source is: the cluster that answers, and its revision. */
export interface SourceHead {
  clusterId: string;
  revision: bigint;
}

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
