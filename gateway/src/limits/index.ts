/** gateway/src/limits: token buckets for users and tiers. Pure; imports nothing. */
export { fullBucket, refillTime, take } from './token-bucket.ts';
export type { Bucket, Rate } from './token-bucket.ts';
export { UserLimits } from './user-limits.ts';
export type { RateTable } from './user-limits.ts';
