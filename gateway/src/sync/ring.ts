/** The last transactions, in a bounded number of bytes: streams read them from here, each at its own pace. */
import type { Mark } from './position.ts';
import type { Transaction } from './transaction.ts';

/** A transaction and the forms of it that were made already. */
export interface Kept {
  transaction: Transaction;
  /** By what was asked for; see `encodedFor`. */
  forms: Map<string, readonly Buffer[]>;
}

/** All transactions after {@link base}, in order, as many as fit. */
export class Ring {
  readonly #maxBytes: number;
  #kept: Kept[] = [];
  #bytes = 0;
  #base: bigint;

  /** Begins empty after revision `base`. */
  constructor(base: bigint, maxBytes: number) {
    this.#base = base;
    this.#maxBytes = maxBytes;
  }

  /** Everything after this revision is here. */
  get base(): bigint {
    return this.#base;
  }

  add(transaction: Transaction): void {
    this.#kept.push({ transaction, forms: new Map() });
    this.#bytes += transaction.bytes;
    // The last one stays whatever its size is: streams that have all before it are owed it.
    let gone = 0;
    while (this.#bytes > this.#maxBytes && gone < this.#kept.length - 1) {
      const oldest = this.#kept[gone];
      if (!oldest) break;
      this.#bytes -= oldest.transaction.bytes;
      this.#base = oldest.transaction.at;
      gone += 1;
    }
    if (gone > 0) this.#kept.splice(0, gone);
  }

  /** The first transaction after a revision, which must not be before {@link base}. */
  after(revision: bigint): Kept | undefined {
    let from = 0;
    let to = this.#kept.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      const at = this.#kept[middle]?.transaction.at ?? 0n;
      if (at <= revision) from = middle + 1;
      else to = middle;
    }
    return this.#kept[from];
  }

  /** The checkpoints among them, in order. */
  get marks(): Mark[] {
    return this.#kept.flatMap(({ transaction: { mark } }) => mark ?? []);
  }
}
