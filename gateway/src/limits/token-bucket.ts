/** How fast somebody may send. */
export interface Rate {
  messagesPerSecond: number;
  /** Messages that may come at once after a pause. */
  burst: number;
}

/** A token bucket: `burst` at first, refilled at `messagesPerSecond`, each message takes one. */
export interface Bucket {
  tokens: number;
  /** Milliseconds on the caller's monotonic clock. */
  refilledAt: number;
}

export function fullBucket(rate: Rate, now: number): Bucket {
  return { tokens: rate.burst, refilledAt: now };
}

/** Whether there is a token. Refills `bucket`. */
export function hasToken(bucket: Bucket, rate: Rate, now: number): boolean {
  const elapsed = Math.max(0, now - bucket.refilledAt);
  bucket.tokens = Math.min(rate.burst, bucket.tokens + (elapsed / 1000) * rate.messagesPerSecond);
  bucket.refilledAt = Math.max(now, bucket.refilledAt);
  return bucket.tokens >= 1;
}

/** Takes one token, and says whether there was one. Changes `bucket`. */
export function take(bucket: Bucket, rate: Rate, now: number): boolean {
  if (!hasToken(bucket, rate, now)) return false;
  bucket.tokens -= 1;
  return true;
}

/** Milliseconds after which a bucket that nothing is taken from is full, whatever was in it. */
export function refillTime(rate: Rate): number {
  return (rate.burst / rate.messagesPerSecond) * 1000;
}
