import type { Bucket, Rate } from './token-bucket.ts';
import { fullBucket, hasToken, refillTime } from './token-bucket.ts';

/** The rates of a platform: everyone's, those of tiers by name, and that of each tenant. */
export interface RateTable extends Rate {
  tiers: (Rate & { name: string })[];
  /** All users of one tenant together. Left out: only each user has a rate. */
  tenant?: Rate;
}

/** Whoever sends: claims of its token. */
export interface Sender {
  user: string;
  tier: string | undefined;
  tenant: string | undefined;
}

/**
 * One bucket for each user and tier, and one for each tenant, that has sent lately, shared by all connections to this
 * gateway. A bucket that must be full again is forgotten, so what is kept is bounded by what was sent.
 */
export class SendLimits {
  readonly #base: Rate;
  readonly #tenant: Rate | undefined;
  readonly #tiers: Map<string, Rate>;
  readonly #buckets = new Map<string, { bucket: Bucket; rate: Rate }>();

  constructor(table: RateTable) {
    this.#base = table;
    this.#tenant = table.tenant;
    this.#tiers = new Map(table.tiers.map((tier) => [tier.name, tier]));
  }

  /**
   * Whether a message may be sent now; then it is counted, for the user and for the tenant. One that may not is counted
   * for neither, so a user over its rate takes nothing from its tenant. An unknown tier has everyone's rate.
   */
  allow({ user, tier, tenant }: Sender, now: number): boolean {
    const rate = (tier !== undefined && this.#tiers.get(tier)) || this.#base;
    // A token with another tier is another bucket: changing tiers back and forth must not refill one.
    const buckets = [this.#bucket(rate === this.#base ? `u ${user}` : `t${tier} ${user}`, rate, now)];
    if (tenant !== undefined && this.#tenant) buckets.push(this.#bucket(`n${tenant}`, this.#tenant, now));
    if (!buckets.every((entry) => hasToken(entry.bucket, entry.rate, now))) return false;
    for (const { bucket } of buckets) bucket.tokens -= 1;
    return true;
  }

  /** Forgets buckets that are full again. */
  sweep(now: number): void {
    for (const [key, { bucket, rate }] of this.#buckets) {
      if (now - bucket.refilledAt >= refillTime(rate)) this.#buckets.delete(key);
    }
  }

  /** Buckets that are kept. */
  get size(): number {
    return this.#buckets.size;
  }

  #bucket(key: string, rate: Rate, now: number): { bucket: Bucket; rate: Rate } {
    let entry = this.#buckets.get(key);
    if (!entry) {
      entry = { bucket: fullBucket(rate, now), rate };
      this.#buckets.set(key, entry);
    }
    return entry;
  }
}
