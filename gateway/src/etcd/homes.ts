/** Records of homes and fences, as they are in etcd. */
import { HOMES_KEPT } from '@causeway/crds';
import type { EtcdFence, HomeRecord } from '@causeway/crds';

/** A record that can't be read: somebody else wrote it. */
export class RecordError extends Error {
  override name = 'RecordError';
}

/** Reads the list of homes; empty where there is none. Throws {@link RecordError}. */
export function decodeHomes(value: Buffer | undefined): HomeRecord[] {
  if (value === undefined) return [];
  const list = parse(value);
  if (!Array.isArray(list) || !list.every(isHome)) throw new RecordError('the list of homes is not ours');
  return list;
}

/** Reads a fence. Throws {@link RecordError}. */
export function decodeFence(value: Buffer): EtcdFence {
  const fence = parse(value);
  if (!isObject(fence) || !isCount(fence['epoch'])) throw new RecordError('the fence is not ours');
  return fence as unknown as EtcdFence;
}

/** What either list knows, ascending, the last ones of it. */
export function mergeHomes(one: readonly HomeRecord[], other: readonly HomeRecord[]): HomeRecord[] {
  const known = new Map([...one, ...other].map((home) => [home.epoch, home]));
  return [...known.values()].sort((a, b) => a.epoch - b.epoch).slice(-HOMES_KEPT);
}

/** What a zone wrote as home, and no other zone has. */
export interface Unreplicated {
  /** Epoch of its time as home. */
  epoch: number;
  /** Its last revision that went over to the next home. */
  since: bigint;
  /** Epoch of the next home, under which it is fenced. No two times as home have the same. */
  fencedAt: number;
}

/**
 * Whether a zone may hold what only it has: it was home, another one took over, and it has not followed anybody since
 * (`checkpoint`). The next home's record says how far that one had come. A checkpoint may have been deleted by hand, so
 * this alone does not say that it has not been kept aside yet.
 */
export function unreplicated(
  homes: readonly HomeRecord[],
  zone: string,
  checkpoint: { epoch: number } | undefined,
): Unreplicated | undefined {
  const next = homes.findLast(({ from, epoch }) => from?.zone === zone && epoch > (checkpoint?.epoch ?? 0));
  if (next?.from === undefined) return undefined;
  return { epoch: next.from.epoch, since: BigInt(next.from.revision), fencedAt: next.epoch };
}

function parse(value: Buffer): unknown {
  try {
    return JSON.parse(value.toString()) as unknown;
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;

function isHome(value: unknown): value is HomeRecord {
  if (!isObject(value) || !isCount(value['epoch']) || typeof value['zone'] !== 'string') return false;
  const { from } = value;
  if (from === undefined) return true;
  return (
    isObject(from) &&
    typeof from['zone'] === 'string' &&
    isCount(from['epoch']) &&
    typeof from['revision'] === 'string' &&
    /^[0-9]{1,20}$/.test(from['revision'])
  );
}
