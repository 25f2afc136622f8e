/**
 * operator/src/platform: the MessagePlatform reconciler, one file for each thing that it provisions.
 * May import `controller`, `certificates` and `@causeway/crds`.
 */
export { SilenceMemory } from './failover-memory.ts';
export { failoverPorts } from './failover-ports.ts';
export { automaticPorts } from './outage-sight.ts';
export { gatewayProbe, type GatewayProbe } from './gateway-probe.ts';
export { foreignObject, isHeldBack, isOurs } from './children.ts';
export { desiredObjects, desiredSecrets } from './desired.ts';
export { etcdAdmins, keptEtcdAdmins, type EtcdAdmins } from './etcd-admin.ts';
export { fencedEtcd, fencedKafka, fencedRedis } from './fence.ts';
export { platformCache, platformInformers, watchPlatforms } from './informers.ts';
export { KafkaFailure, KafkaJsAdmin, type KafkaAccess, type KafkaAdmin } from './kafka.ts';
export { CHILD_KINDS, KIND } from './kinds.ts';
export { registerPlatformMetrics } from './metrics.ts';
export { mirrorReconciler, MirrorSights } from './mirror-watch.ts';
export { rotationMetrics } from './rotation-metrics.ts';
export { schedulePorts } from './drill-sight.ts';
export { WAITING_FOR_FAILOVER } from './rotation-status.ts';
export { claimedTopics, lookAtKafka, userSecrets } from './observe.ts';
export { certificatesOf, platformReconciler, type Certificates } from './reconcile.ts';
export { keptRedisAdmin, redisAdmin, type RedisAdmin } from './redis-admin.ts';
export { replicationProbe, type ReplicationProbe } from './replication-look.ts';
export { replicatedZones } from './replication.ts';
export {
  planTopics,
  type KafkaSnapshot,
  type KafkaTopic,
  type TopicPlan,
  type TopicQuestion,
  type TopicStatus,
} from './topics.ts';
export {
  epochOf,
  homeOf,
  isPaused,
  type Images,
  type MessagePlatform,
  type Part,
  type Problem,
} from './types.ts';
export { kafkaAccess, userSecretProblems, type UserSecrets } from './user-secrets.ts';
export { isServing, zoneProblems, type Pod } from './workloads.ts';
export type { PlatformCache } from './world.ts';
