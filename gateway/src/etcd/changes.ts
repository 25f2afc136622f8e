/** What changes in etcd: keys as bytes, prefixes as ranges, revisions as a whole. */
import { ETCD_PREFIX } from '@causeway/crds';

/** One key's change in one revision. */
export interface Change {
  key: Buffer;
  /** `undefined`: the key was deleted. */
  value: Buffer | undefined;
  /** What it was before, where that was asked for and is known. */
  previous?: Buffer;
}

/** A key and its value, as a range read gives it. */
export interface KeyValue {
  key: Buffer;
  value: Buffer;
}

/** A change and the source revision that made it. */
export interface RevisionedChange extends Change {
  revision: bigint;
}

/** All changes under our prefixes that one revision of the source made. */
export interface SourceRevision {
  revision: bigint;
  changes: Change[];
}

/** The keys from `start` up to but without `end`. */
export interface KeyRange {
  start: Buffer;
  end: Buffer;
}

/** etcd's mark for "no upper bound" and "from the first key" (rpc.proto, RangeRequest). */
const ZERO = Buffer.from([0]);

/** The range of all keys that begin with `prefix`; an empty prefix is all keys. */
export function prefixRange(prefix: string): KeyRange {
  const start = Buffer.from(prefix);
  if (start.length === 0) return { start: ZERO, end: ZERO };
  for (let last = start.length - 1; last >= 0; last--) {
    const byte = start[last] ?? 0;
    if (byte < 0xff) {
      const end = Buffer.from(start.subarray(0, last + 1));
      end[last] = byte + 1;
      return { start, end };
    }
  }
  return { start, end: ZERO };
}

/** The same prefixes sorted, without those that another one covers: no key may come twice. */
export function normalizePrefixes(prefixes: readonly string[]): string[] {
  const kept: string[] = [];
  for (const prefix of [...new Set(prefixes)].sort()) {
    if (!kept.some((shorter) => prefix.startsWith(shorter))) kept.push(prefix);
  }
  return kept;
}

/** Whether every key under `inner` is under `outer`; both normalized. */
export function coversPrefixes(outer: readonly string[], inner: readonly string[]): boolean {
  return inner.every((prefix) => outer.some((other) => prefix.startsWith(other)));
}

const OWN = Buffer.from(ETCD_PREFIX);

/** Whether a key is Causeway's own bookkeeping, which is about one cluster and never copied to another. */
export function isOwnKey(key: Buffer): boolean {
  return key.length >= OWN.length && key.compare(OWN, 0, OWN.length, 0, OWN.length) === 0;
}

/** A key as a string that is the same for the same bytes, for maps and sets. */
export function keyId(key: Buffer): string {
  return key.toString('latin1');
}

/** Upper bound of what one operation adds to its key and value in a request: field tags, lengths, nesting. */
const OPERATION_OVERHEAD = 32;

/** Bytes that a change takes in a request, rounded up. */
export function changeBytes(change: Change): number {
  return change.key.length + (change.value?.length ?? 0) + OPERATION_OVERHEAD;
}

/** Bytes that several changes take in a request, rounded up. */
export function changesBytes(changes: readonly Change[]): number {
  let bytes = 0;
  for (const change of changes) bytes += changeBytes(change);
  return bytes;
}
