/** What a failover sees of its platform, and what it can do about it. */
import type { DrainState, ZoneFailoverSpec } from '@causeway/crds';

/** A gateway pod that is not on its way out. */
export interface GatewaySight {
  name: string;
  uid: string;
  ready: boolean;
  /** The failover that took it out of service. */
  outBy: string | undefined;
  /** Clients that it is told to send away per second; undefined: it is to serve. */
  told: number | undefined;
  /** When a failover said that last, milliseconds since the epoch; undefined: none did. */
  toldAt: number | undefined;
  /** What it says of its clients; undefined: it does not answer. */
  drain: DrainState | undefined;
}

/** The etcd of a zone, as it says itself. */
export interface EtcdSight {
  epoch: number;
  /** It takes no writes of applications. */
  fenced: boolean;
  /** Source revisions that it lacks, as a follower of the present home; undefined: unknown, or it is the home. */
  behind: number | undefined;
  /** How far it holds a home's keys, and of which epoch that home was. */
  holds: { epoch: number; revision: number } | undefined;
}

/** The Redis of a zone. Offsets in bytes of the replication stream. */
export interface RedisSight {
  role: 'primary' | 'replica';
  /** A primary that takes no writes. */
  fenced: boolean;
  /** A primary that hears a replica, and would take writes alone: it is to be guarded. */
  unguarded: boolean;
  /** Of a replica: connected to the zone that it should follow, and not in its first synchronization. */
  inSync: boolean;
  /** Of a replica: the zone that it follows; undefined: of none of ours. */
  follows: string | undefined;
  offset: number | undefined;
}

/** One zone of the platform. */
export interface ZoneSight {
  name: string;
  /** Ready nodes. */
  nodes: number;
  ready: number;
  desired: number;
  pods: readonly GatewaySight[];
  /** Undefined: it does not answer. */
  etcd: EtcdSight | undefined;
  redis: RedisSight | undefined;
  /** Kubernetes says that its etcd is ready: it may take writes, whether or not it answers us. */
  etcdRuns: boolean;
}

/** A partition of one of the platform's topics. Brokers by node id. */
export interface PartitionSight {
  topic: string;
  partition: number;
  /** -1: none. */
  leader: number;
  /** The first is the preferred leader. */
  replicas: readonly number[];
  isr: readonly number[];
  /** Kafka says that no reassignment of it is under way. */
  settled: boolean;
}

/** Kafka, as far as the loss of the zone goes. */
export interface KafkaSight {
  /** Zone of each broker that is there; undefined: it does not say. */
  racks: ReadonlyMap<number, string | undefined>;
  partitions: readonly PartitionSight[];
  /** Partitions that would take no more publications without the zone's brokers; undefined: the brokers do not say where they are. */
  atRisk: readonly string[] | undefined;
  /** Partitions that are led from the zone; undefined likewise. */
  led: number | undefined;
}

/** MirrorMaker's copy of the platform's topics in another Kafka. */
export interface MirrorSight {
  /** Offsets of the source that are not copied yet, over all partitions; undefined: unknown. */
  lag: number | undefined;
  /** What makes it so, as a sentence without its end; undefined: a cluster cannot be asked. */
  unknown?: string;
}

export interface Observed {
  now: number;
  /** Gateways were asked for their clients. */
  counted: boolean;
  zones: readonly ZoneSight[];
  /** The zone that is home, and its epoch. */
  home: string;
  epoch: number;
  /** The failover that has the platform, by name. */
  claim: string | undefined;
  /** Zones that are out of service, and the failover that took them out. */
  away: readonly { zone: string; failover: string; replicas?: number | undefined }[];
  /** A failover of the same platform that goes first. */
  ahead: string | undefined;
  /** An Emergency that waits for this one, or that a drill would wait for. */
  emergency: string | undefined;
  /** The zones that Emergencies which wait are to leave. */
  emergencyZones: readonly string[];
  rotation: boolean;
  /** The annotation causeway.dev/paused. */
  platformPaused: boolean;
  replicasPerZone: number | undefined;
  /** Clients that a zone sends away each second. */
  drainPerSecond: number;
  connectionsPerReplica: number;
  /** Causeway moves the Redis and the etcd; false: they are external, or nothing is replicated. */
  moves: { redis: boolean; etcd: boolean };
  /** Zone that the Service of each points at; undefined: there is none. */
  services: { redis: string | undefined; etcd: string | undefined };
  /** Undefined: it cannot be asked. */
  kafka: KafkaSight | undefined;
  /** Undefined: nothing mirrors the topics, or it was not asked. */
  mirror?: MirrorSight | undefined;
}

/** What a failover does. Each may be done again. */
export type Act =
  /** The platform is this failover's: rotations and other failovers wait. `over`: a claim that nobody holds any more. */
  | { act: 'claim'; over: string | undefined }
  /** The zone is away: the others have so many gateway pods meanwhile. */
  | { act: 'takeOut'; zone: string; replicas: number | undefined }
  /** The zone is not away any more. */
  | { act: 'takeIn'; zone: string }
  /** New clients are not sent to these pods. */
  | { act: 'outOfService'; pods: readonly GatewaySight[] }
  | { act: 'drain'; pods: readonly { pod: GatewaySight; perSecond: number }[] }
  /** They serve again. */
  | { act: 'intoService'; pods: readonly GatewaySight[] }
  | { act: 'fenceEtcd'; zone: string; epoch: number }
  | { act: 'promoteEtcd'; zone: string; epoch: number; from: string }
  | { act: 'fenceRedis'; zone: string }
  | { act: 'promoteRedis'; zone: string }
  /** It takes no writes alone. */
  | { act: 'guardRedis'; zone: string }
  | { act: 'followRedis'; zone: string; home: string }
  /** The platform's status says where home is. Refused when it has come to a higher epoch. */
  | { act: 'moveHome'; zone: string; epoch: number }
  /** What points at the home is applied now; with `replicators`, what replicates it as well. */
  | { act: 'shift'; replicators: boolean }
  /** Replicas of Kafka partitions get another order; no data moves. The set of each must be the one that it has. */
  | { act: 'orderReplicas'; orders: readonly PartitionOrder[] }
  /** The first of each partition's replicas is to lead it. */
  | { act: 'electLeaders'; partitions: readonly PartitionName[] };

export interface PartitionName {
  topic: string;
  partition: number;
}

/** The order in which a partition prefers its replicas as leaders. */
export interface PartitionOrder extends PartitionName {
  replicas: readonly number[];
}

/** The wish, and what people said since. */
export interface FailoverWish {
  name: string;
  spec: ZoneFailoverSpec;
  /** It is being deleted: it goes back, as when it is aborted. */
  deleted: boolean;
  /** Until when it must have begun, milliseconds since the epoch; undefined: it waits as long as it takes. */
  startBy?: number | undefined;
  /** No person asked for it: spec.failover.automatic of the platform did. */
  automatic: boolean;
}
