/** What one revision of this zone's etcd changed, as clients are to see it. */
import { ETCD_KEY } from '@causeway/crds';
import { CheckpointError, changesBytes, decodeCheckpoint, isOwnKey } from '../etcd/index.ts';
import type { Change, SourceRevision } from '../etcd/index.ts';
import { revisionOf, wholeAt } from './position.ts';
import type { Mark, Position } from './position.ts';

/** The zone's place in the platform. */
export interface Role {
  /** True: revisions are this etcd's own. False: they are those in the checkpoint. */
  home: boolean;
  /** Epoch of the present home. */
  epoch: number;
}

/** One revision of this zone's etcd, whole. */
export interface Transaction {
  /** Of this zone's etcd. */
  at: bigint;
  /** Without Causeway's own keys, by key. */
  changes: readonly Change[];
  /** Of the home, for the events. 0: nobody but a person wrote this in a zone that isn't home. */
  modRevision: bigint;
  /** Where a client is that has it; undefined while the home's transaction goes on in the next one. */
  position: Position | undefined;
  /** The checkpoint that it wrote. */
  mark: Mark | undefined;
  bytes: number;
}

const CHECKPOINT = Buffer.from(ETCD_KEY.checkpoint);
const EPOCH = Buffer.from(ETCD_KEY.epoch);

/** `position`: where the zone was before. Throws CheckpointError. */
export function toTransaction(
  { revision: at, changes }: SourceRevision,
  { home, epoch }: Role,
  position: Position | undefined,
): Transaction {
  const written = changes.find(({ key }) => key.equals(CHECKPOINT))?.value;
  const mark = written === undefined ? undefined : { checkpoint: decodeCheckpoint(written), at };
  const ours = changes.filter(({ key }) => !isOwnKey(key));
  const rest = { at, changes: ours, mark, bytes: sizeOf(ours) };
  if (mark) return { ...rest, modRevision: revisionOf(mark.checkpoint), position: wholeAt(mark) };
  if (home) return { ...rest, modRevision: at, position: { epoch, revision: at } };
  return { ...rest, modRevision: 0n, position };
}

/** What keeping one costs, whatever is in it, about. */
const OVERHEAD = 256;

function sizeOf(changes: readonly Change[]): number {
  let bytes = OVERHEAD + changesBytes(changes);
  for (const { previous } of changes) bytes += previous?.length ?? 0;
  return bytes;
}

/** The epoch that is written in a revision. Throws CheckpointError when it isn't one. */
export function epochIn(changes: readonly Change[]): number | undefined {
  const value = changes.find(({ key }) => key.equals(EPOCH))?.value;
  return value === undefined ? undefined : parseEpoch(value);
}

/** Throws CheckpointError when it isn't a decimal number. */
export function parseEpoch(value: Buffer): number {
  const text = value.toString();
  if (!/^[0-9]{1,15}$/.test(text)) throw new CheckpointError(`${ETCD_KEY.epoch} is not a decimal number`);
  return Number(text);
}
