/** All that the platform reconciler touches; the simulator brings its own of each. */
import type { CertificateIssuer, PodProbe } from '../certificates/index.ts';
import type { Applier } from '../controller/applier.ts';
import type { Clock } from '../controller/clock.ts';
import type { EventRecorder } from '../controller/events.ts';
import type { KubeApi, KubeObject, ObjectRef, ResourceKind } from '../controller/kube-api.ts';
import type { KeyedLock } from '../controller/keyed-lock.ts';
import type { EtcdAdmins } from './etcd-admin.ts';
import type { KafkaAdmin } from './kafka.ts';
import type { RedisAdmin } from './redis-admin.ts';
import type { ReplicationProbe } from './replication-look.ts';
import type { RotationMetrics } from './rotation-metrics.ts';
import type { Images } from './types.ts';

/** What was last seen of the cluster; may be behind it. */
export interface PlatformCache {
  get(kind: ResourceKind, ref: ObjectRef): KubeObject | undefined;
  /** Objects that carry the platform's label. */
  ofPlatform(kind: ResourceKind, ref: ObjectRef): KubeObject[];
  /** All that are followed. */
  all(kind: ResourceKind): KubeObject[];
  /** False while the cache shows the object as it was before our own last write of it. */
  hasSeenOurWrites(kind: ResourceKind, ref: ObjectRef): boolean;
}

export interface PlatformWorld {
  clock: Clock;
  kube: KubeApi;
  cache: PlatformCache;
  /** Applies over {@link kube}, where something differs. */
  applier: Pick<Applier, 'apply' | 'remove'>;
  events: EventRecorder;
  kafka: KafkaAdmin;
  redis: RedisAdmin;
  etcd: EtcdAdmins;
  /** Held, by platform, for as long as it is said who is home, or a Redis is told its role. */
  homes: KeyedLock;
  /** A failover moves the platform's home just now. */
  isMoving(ref: ObjectRef): boolean;
  issuer: CertificateIssuer;
  /** Looks at what pods serve and say, by address. */
  probe: PodProbe;
  /** Asks replicators how they are, by address. */
  replication: ReplicationProbe;
  rotations: Pick<RotationMetrics, 'stepped'>;
  images: Images;
  /** Time between looks at Kafka and Redis when nothing happens, milliseconds. */
  resyncMs: number;
}
