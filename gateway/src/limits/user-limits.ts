import type { Bucket, Rate } from './token-bucket.ts';
import { fullBucket, refillTime, take } from './token-bucket.ts';

/** The rates of a platform: everyone's, and those of tiers by name. */
export interface RateTable extends Rate {
  tiers: (Rate & { name: string })[];
}

/**
 * One bucket for each user and tier that has sent lately, shared by all connections of that user to this gateway. A
 * bucket that must be full again is forgotten, so what is kept is bounded by what was sent.
 */
export class UserLimits {
  readonly #base: Rate;
  readonly #tiers: Map<string, Rate>;
  readonly #buckets = new Map<string, { bucket: Bucket; rate: Rate }>();

  constructor(table: RateTable) {
    this.#base = table;
    this.#tiers = new Map(table.tiers.map((tier) => [tier.name, tier]));
  }

  /** Whether `user` may send a message now. `tier` is a claim; an unknown one has everyone's rate. */
  allow(user: string, tier: string | undefined, now: number): boolean {
    const rate = (tier !== undefined && this.#tiers.get(tier)) || this.#base;
    // A token with another tier is another bucket: changing tiers back and forth must not refill one.
    const key = rate === this.#base ? ` ${user}` : `${tier} ${user}`;
    let entry = this.#buckets.get(key);
    if (!entry) {
      entry = { bucket: fullBucket(rate, now), rate };
      this.#buckets.set(key, entry);
    }
    return take(entry.bucket, rate, now);
  }

  /** Forgets users whose bucket is full again. */
  sweep(now: number): void {
    for (const [key, { bucket, rate }] of this.#buckets) {
      if (now - bucket.refilledAt >= refillTime(rate)) this.#buckets.delete(key);
    }
  }

  /** Buckets that are kept. */
  get size(): number {
    return this.#buckets.size;
  }
}
