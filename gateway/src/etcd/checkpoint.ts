/** The checkpoint's form in etcd. */
import type { LastChange, ReplicationCheckpoint } from '@causeway/crds';

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
  const { sourceClusterId, homeZone, revision, epoch, prefixes, since, last, snapshot, partial } = parsed;
  if (!isDecimal(sourceClusterId)) throw new CheckpointError('sourceClusterId is not a decimal string');
  if (!isDecimal(revision)) throw new CheckpointError('revision is not a decimal string');
  if (!isCount(epoch)) throw new CheckpointError('epoch is not a whole number');
  if (!Array.isArray(prefixes) || !prefixes.every((prefix) => typeof prefix === 'string')) {
    throw new CheckpointError('prefixes is not a list of strings');
  }
  if (homeZone !== undefined && typeof homeZone !== 'string') {
    throw new CheckpointError('homeZone is not a string');
  }
  return {
    sourceClusterId,
    ...(homeZone !== undefined && { homeZone }),
    revision,
    epoch,
    prefixes,
    ...decodeSince(since),
    ...decodeLast(last),
    ...decodeSnapshot(snapshot),
    ...decodePartial(partial),
  };
}

function decodeSince(since: unknown): Pick<ReplicationCheckpoint, 'since'> {
  if (since === undefined) return {};
  if (!isDecimal(since)) throw new CheckpointError('since is not a decimal string');
  return { since };
}

function decodeLast(last: unknown): Pick<ReplicationCheckpoint, 'last'> {
  if (last === undefined) return {};
  const isOurs =
    isObject(last) &&
    typeof last['key'] === 'string' &&
    isDecimal(last['revision']) &&
    (last['sha256'] === undefined || typeof last['sha256'] === 'string');
  if (!isOurs) throw new CheckpointError('last is not { key, revision, sha256 }');
  return { last: last as unknown as LastChange };
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
