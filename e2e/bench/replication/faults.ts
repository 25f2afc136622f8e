/** Counts what replication did to transactions, from what a watcher of the target saw. Pure. */

/** How many keys each transaction of the source writes. */
export const KEYS_EACH = 3;

/** A key that the watcher saw. */
export interface Seen {
  /** Number of the source's transaction that wrote it. */
  transaction: number;
  key: string;
  /** Revision of the target. */
  revision: string;
}

/** Numbers of transactions, but for the last. */
export interface Faults {
  /** Something of them never came. */
  skipped: number;
  /** Something of them came more than once. */
  repeated: number;
  /** They came in parts: in several revisions of the target, or not all. */
  halfSeen: number;
  /** Keys that came after those of a later transaction. */
  wentBack: number;
}

/** Of transactions 0 to `transactions` − 1. */
export function countFaults(transactions: number, seen: readonly Seen[]): Faults {
  const byTransaction = Map.groupBy(seen, ({ transaction }) => transaction);
  const faults: Faults = { skipped: 0, repeated: 0, halfSeen: 0, wentBack: 0 };
  let newest = -1;
  for (const { transaction } of seen) {
    if (transaction < newest) faults.wentBack += 1;
    newest = Math.max(newest, transaction);
  }
  for (let transaction = 0; transaction < transactions; transaction++) {
    const sights = byTransaction.get(transaction) ?? [];
    const keys = new Set(sights.map(({ key }) => key));
    const first = [...keys].map((key) => sights.find((sight) => sight.key === key)?.revision);
    if (keys.size < KEYS_EACH) faults.skipped += 1;
    if (sights.length > keys.size) faults.repeated += 1;
    const isPart = keys.size > 0 && keys.size < KEYS_EACH;
    if (isPart || new Set(first).size > 1) faults.halfSeen += 1;
  }
  return faults;
}
