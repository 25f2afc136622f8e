/** What Causeway keeps in a zone's etcd, as the operator reads it, and what a promotion asks of it. Pure. */
import { HOMES_KEPT, type EtcdFence, type HomeRecord, type ReplicationCheckpoint } from '@causeway/crds';

/** A zone's etcd knows better than the one that asks. Nothing was changed. */
export class EtcdEpochError extends Error {
  override name = 'EtcdEpochError';
}

/** Throws {@link EtcdEpochError} where an act under `epoch` comes too late. */
export function refuseEarlierEpoch(
  zone: string,
  epoch: number,
  { epoch: known = 0 }: Pick<EtcdRecords, 'epoch'>,
): void {
  if (known <= epoch) return;
  throw new EtcdEpochError(
    `the etcd of ${zone} is at epoch ${known}, and epoch ${epoch} was asked for: another move went before`,
  );
}

/** Throws {@link EtcdEpochError} where the zone is itself the home of `epoch`. */
export function refuseToEndItself(zone: string, epoch: number, { homes }: Pick<EtcdRecords, 'homes'>): void {
  if (!homes.some((home) => home.epoch === epoch && home.zone === zone)) return;
  throw new EtcdEpochError(`${zone} is the home of epoch ${epoch}: only a later one ends that`);
}

/** A zone's etcd can't become home. Nothing was promised to anybody; the message says why, and what would help. */
export class PromotionRefusedError extends Error {
  override name = 'PromotionRefusedError';
}

/** What is there under `/causeway.dev/`, all at one revision. */
export interface EtcdRecords {
  epoch: number | undefined;
  checkpoint: ReplicationCheckpoint | undefined;
  fence: EtcdFence | undefined;
  homes: HomeRecord[];
}

/** The values as they are in etcd. Throws for one that is not ours, with its key. */
export function parseRecords(values: {
  epoch: string | undefined;
  checkpoint: string | undefined;
  fence: string | undefined;
  homes: string | undefined;
}): EtcdRecords {
  const epoch = values.epoch === undefined ? undefined : Number(values.epoch);
  if (epoch !== undefined && !isCount(epoch)) throw broken('epoch');
  const checkpoint = parse(values.checkpoint);
  if (checkpoint !== undefined && !isCheckpoint(checkpoint)) throw broken('checkpoint');
  const fence = parse(values.fence);
  if (fence !== undefined && !isFence(fence)) throw broken('fence');
  const homes = parse(values.homes) ?? [];
  if (!Array.isArray(homes) || !homes.every(isHomeRecord)) throw broken('homes');
  return { epoch, checkpoint, fence, homes };
}

function broken(what: string): Error {
  return new Error(`the ${what} in it is not Causeway's: somebody else wrote it`);
}

function parse(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // Not undefined, which would be taken for a key that isn't there.
    return false;
  }
}

const DECIMAL = /^(0|[1-9][0-9]{0,19})$/;
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
const isDecimal = (value: unknown): value is string => typeof value === 'string' && DECIMAL.test(value);

function isCheckpoint(value: unknown): value is ReplicationCheckpoint {
  return (
    isObject(value) &&
    isDecimal(value['revision']) &&
    isDecimal(value['sourceClusterId']) &&
    isCount(value['epoch'])
  );
}

function isFence(value: unknown): value is EtcdFence {
  const known = ['Refused', 'Unmanaged'];
  return isObject(value) && isCount(value['epoch']) && known.includes(value['applications'] as string);
}

function isHomeRecord(value: unknown): value is HomeRecord {
  if (!isObject(value) || !isCount(value['epoch']) || typeof value['zone'] !== 'string') return false;
  const from = value['from'];
  return (
    from === undefined || (isObject(from) && typeof from['zone'] === 'string' && isDecimal(from['revision']))
  );
}

/** Who becomes home, and who was. */
export interface Promotion {
  zone: string;
  epoch: number;
  from: string;
  /** Revision of the old home (decimal) that must have arrived. */
  atLeast?: string | undefined;
  /** Epoch of the last move that came about, as the platform has it: a later record is of one that came to nothing. */
  settled?: number | undefined;
}

/** Where the home was, as far as one knows. */
export interface KnownHomes {
  /** Records of any etcds, in any order. */
  homes: readonly HomeRecord[];
  /** Epoch of the last move that came about: later records are not looked at. */
  settled: number;
}

/**
 * The record by which a checkpoint of `zone` is of the past: another zone was home since, or `zone` has become home anew. Its
 * revisions can't be compared with those of now, nor may what it holds go on as what is. Undefined: none is known. A home
 * that was fenced and given back is the same one, and whoever was to take over from it before that was never home.
 */
export function homeSince(
  zone: string,
  { epoch }: Pick<ReplicationCheckpoint, 'epoch'>,
  { homes, settled }: KnownHomes,
): HomeRecord | undefined {
  const since = homes.filter((home) => home.epoch > epoch && home.epoch <= settled);
  let givenBack = false;
  for (const home of since.toSorted((a, b) => b.epoch - a.epoch)) {
    const isOwn = home.zone === zone;
    if (isOwn ? home.from !== undefined : !givenBack) return home;
    givenBack = true;
  }
  return undefined;
}

/**
 * The record of a promotion, from what the zone's etcd holds. Throws {@link PromotionRefusedError} when its keys aren't
 * the old home's at some revision of its present time as home. A revision that is there in part is no reason: the home is gone, and what of it is
 * there, is there.
 */
export function homeRecord(
  { zone, epoch, from, atLeast, settled = epoch - 1 }: Promotion,
  { checkpoint, homes }: Pick<EtcdRecords, 'checkpoint' | 'homes'>,
  at: string,
): HomeRecord {
  if (from === zone) return { epoch, zone, at };
  const refuse = (why: string): never => {
    throw new PromotionRefusedError(`the etcd of ${zone} can't become home: ${why}`);
  };
  if (checkpoint === undefined)
    return refuse(`it never held all keys of ${from}. Wait for its first snapshot, or choose another zone`);
  if (checkpoint.snapshot !== undefined)
    return refuse(`a snapshot of ${from} is half written in it. Wait for its end, or choose another zone`);
  if (checkpoint.homeZone !== undefined && checkpoint.homeZone !== from)
    return refuse(`it holds the keys of ${checkpoint.homeZone}, not those of ${from}`);
  const later = homeSince(from, checkpoint, { homes, settled });
  if (later !== undefined)
    return refuse(
      `it holds the keys of ${from} as of epoch ${checkpoint.epoch}, and ${later.zone} became home in epoch ${later.epoch}. Wait for its next snapshot of ${from}, or choose another zone`,
    );
  const { revision } = checkpoint;
  if (atLeast !== undefined && BigInt(revision) < BigInt(atLeast))
    return refuse(`it has ${from} up to revision ${revision}, and ${atLeast} is asked for. Wait for it`);
  return { epoch, zone, at, from: { zone: from, revision, epoch: checkpoint.epoch } };
}

/** The list with a record more, bounded. */
export function withHome(homes: readonly HomeRecord[], record: HomeRecord): HomeRecord[] {
  return [...homes.filter(({ epoch }) => epoch < record.epoch), record].slice(-HOMES_KEPT);
}
