/** What separates sorted key spaces: a merge join, one key in memory from each side. */
import type { Change, KeyValue } from '../etcd/index.ts';

/** What each side has of one key; `undefined` where it has none. */
export interface Joined<L, R> {
  key: Buffer;
  left: L | undefined;
  right: R | undefined;
}

/** Where one side is. */
class Cursor<T extends { key: Buffer }> {
  readonly #items: AsyncIterator<T>;
  /** `undefined` at the end. */
  head: T | undefined;

  constructor(items: AsyncIterable<T>) {
    this.#items = items[Symbol.asyncIterator]();
  }

  async next(): Promise<void> {
    const result = await this.#items.next();
    this.head = result.done === true ? undefined : result.value;
  }

  async close(): Promise<void> {
    await this.#items.return?.();
  }
}

/** Negative, 0 or positive as the left side's next key comes before, with or after the right one's. */
function order(left: { key: Buffer } | undefined, right: { key: Buffer } | undefined): number {
  if (left === undefined) return 1;
  return right === undefined ? -1 : left.key.compare(right.key);
}

/** Both sides side by side, key by key. Both ascend by key. */
export async function* join<L extends { key: Buffer }, R extends { key: Buffer }>(
  left: AsyncIterable<L>,
  right: AsyncIterable<R>,
): AsyncGenerator<Joined<L, R>> {
  const [mine, other] = [new Cursor(left), new Cursor(right)];
  try {
    await mine.next();
    await other.next();
    for (let first = mine.head ?? other.head; first !== undefined; first = mine.head ?? other.head) {
      const which = order(mine.head, other.head);
      const [l, r] = [which <= 0 ? mine.head : undefined, which >= 0 ? other.head : undefined];
      yield { key: (l ?? r ?? first).key, left: l, right: r };
      if (which <= 0) await mine.next();
      if (which >= 0) await other.next();
    }
  } finally {
    await Promise.all([mine.close(), other.close()]);
  }
}

/** A key and its value in the target, with the lease that ends it. */
export interface Leased extends KeyValue {
  /** Decimal; "0" or absent: none. */
  lease?: string;
}

/**
 * The changes that make `target` equal to `source`. Both ascend by key. Equal keys with equal values give nothing, unless
 * the target's has a lease: when that ends, etcd would delete a key that the source still has.
 */
export async function* difference(
  source: AsyncIterable<KeyValue>,
  target: AsyncIterable<Leased>,
): AsyncGenerator<Change> {
  for await (const { key, left, right } of join(source, target)) {
    if (left === undefined) yield { key, value: undefined };
    else if (!right?.value.equals(left.value) || hasLease(right)) yield left;
  }
}

function hasLease({ lease = '0' }: Leased): boolean {
  return lease !== '0';
}

/** A key and its value in the zone that was home, with the revision of that zone that wrote it. */
export interface Dated extends KeyValue {
  /** Decimal. */
  mod_revision: string;
}

/** What an old home changed and nobody else has. */
export interface Orphan {
  key: Buffer;
  /** `undefined`: it was deleted. */
  value: Buffer | undefined;
  /** Revision of the old home, decimal; of a deletion it isn't known. */
  modRevision: string | undefined;
}

/**
 * What the old home (`ours`) changed after its revision `since`, and the present home (`theirs`) has otherwise. `before`:
 * the keys that the old home had at `since`; without it deletions aren't found. All ascend by key.
 */
export async function* orphans(
  {
    ours,
    theirs,
    before,
  }: {
    ours: AsyncIterable<Dated>;
    theirs: AsyncIterable<KeyValue>;
    before: AsyncIterable<{ key: Buffer }> | undefined;
  },
  since: bigint,
): AsyncGenerator<Orphan> {
  const now = join(ours, theirs);
  for await (const { key, left: both, right: had } of join(now, before ?? nothing())) {
    const mine = both?.left;
    const other = both?.right;
    if (mine !== undefined) {
      const later = BigInt(mine.mod_revision) > since;
      if (later && !other?.value.equals(mine.value))
        yield { key, value: mine.value, modRevision: mine.mod_revision };
    } else if (had !== undefined && other !== undefined) {
      yield { key, value: undefined, modRevision: undefined };
    }
  }
}

async function* nothing(): AsyncGenerator<{ key: Buffer }> {
  // No keys.
}
