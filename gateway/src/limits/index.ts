/** gateway/src/limits: token buckets for users, tiers and tenants. Pure; imports nothing. */
export { SendLimits } from './send-limits.ts';
export type { RateTable, Sender } from './send-limits.ts';
export { fullBucket, refillTime, take } from './token-bucket.ts';
export type { Bucket, Rate } from './token-bucket.ts';
