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

/** A rate that may change, shared by all buckets that it is the rate of. */
interface Shared {
  rate: Rate;
}

interface Entry {
  bucket: Bucket;
  of: Shared;
}

/**
 * One bucket for each user and tier, and one for each tenant, that has sent lately, shared by all connections to this
 * gateway. A bucket that must be full again is forgotten, so what is kept is bounded by what was sent.
 */
export class SendLimits {
  readonly #base: Shared;
  readonly #tiers = new Map<string, Shared>();
  #tenant: Shared | undefined;
  readonly #buckets = new Map<string, Entry>();

  constructor(table: RateTable) {
    this.#base = { rate: table };
    this.#set(table);
  }

  /**
   * From now on other rates apply. Who is in the middle of a burst keeps the tokens that are left, as many as the new
   * burst allows, and gets further ones at the new rate.
   */
  change(table: RateTable, now: number): void {
    for (const entry of this.#buckets.values()) settle(entry, now);
    this.#set(table);
  }

  /**
   * Whether a message may be sent now; then it is counted, for the user and for the tenant. One that may not is counted
   * for neither, so a user over its rate takes nothing from its tenant. An unknown tier has everyone's rate.
   */
  allow({ user, tier, tenant }: Sender, now: number): boolean {
    const of = (tier !== undefined && this.#tiers.get(tier)) || this.#base;
    // A token with another tier is another bucket: changing tiers back and forth must not refill one.
    const buckets = [this.#bucket(of === this.#base ? `u ${user}` : `t${tier} ${user}`, of, now)];
    if (tenant !== undefined && this.#tenant) buckets.push(this.#bucket(`n${tenant}`, this.#tenant, now));
    if (!buckets.every((entry) => settle(entry, now))) return false;
    for (const { bucket } of buckets) bucket.tokens -= 1;
    return true;
  }

  /** Forgets buckets that are full again. */
  sweep(now: number): void {
    for (const [key, { bucket, of }] of this.#buckets) {
      if (now - bucket.refilledAt >= refillTime(of.rate)) this.#buckets.delete(key);
    }
  }

  /** Buckets that are kept. */
  get size(): number {
    return this.#buckets.size;
  }

  #set({ tiers, tenant, messagesPerSecond, burst }: RateTable): void {
    this.#base.rate = { messagesPerSecond, burst };
    const names = new Set(tiers.map(({ name }) => name));
    for (const name of this.#tiers.keys()) if (!names.has(name)) this.#tiers.delete(name);
    for (const tier of tiers) this.#tiers.set(tier.name, shared(this.#tiers.get(tier.name), tier));
    this.#tenant = tenant && shared(this.#tenant, tenant);
  }

  #bucket(key: string, of: Shared, now: number): Entry {
    let entry = this.#buckets.get(key);
    if (!entry) {
      entry = { bucket: fullBucket(of.rate, now), of };
      this.#buckets.set(key, entry);
    } else if (entry.of !== of) {
      // A tier, or the rate of tenants, that was taken away and is there again.
      settle(entry, now);
      entry.of = of;
    }
    return entry;
  }
}

/** Fills a bucket up to now, and says whether there is a token. */
function settle({ bucket, of }: Entry, now: number): boolean {
  return hasToken(bucket, of.rate, now);
}

/** Keeps the buckets that have `before` as their rate. */
function shared(before: Shared | undefined, rate: Rate): Shared {
  if (!before) return { rate };
  before.rate = rate;
  return before;
}
