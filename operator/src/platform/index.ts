/**
 * operator/src/platform: the MessagePlatform reconciler, one file for each thing that it provisions.
 * May import `controller`, `certificates` and `@causeway/crds`.
 */
export { fencedKafka, fencedRedis } from './fence.ts';
export { platformCache, platformInformers, watchPlatforms } from './informers.ts';
export { KafkaJsAdmin, type KafkaAdmin } from './kafka.ts';
export { platformReconciler } from './reconcile.ts';
export { redisAdmin, type RedisAdmin } from './redis-admin.ts';
export type { Images } from './types.ts';
