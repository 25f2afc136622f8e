// Generated from crds/zonefailovers.causeway.dev.yaml by `npm run generate -w crds`. Do not edit.
/**
 * What is to be moved, and how carefully.
 */
export interface ZoneFailoverSpec {
  /**
   * Name of the MessagePlatform, in the same namespace.
   */
  platform: string;
  /**
   * The zone that is left, one of the platform's spec.zones.
   */
  fromZone: string;
  /**
   * Drill goes back by itself. Planned moves the home for good and lets the zone serve again afterwards. Emergency is for a zone that is gone: nothing in it is waited for.
   */
  mode: 'Drill' | 'Planned' | 'Emergency';
  /**
   * The zone that becomes home when fromZone is home. Left out, the ready zone that is least behind, and of those the first in the platform's spec.zones.
   */
  toHome?: string;
  /**
   * What must hold, or it refuses to begin, or goes back.
   */
  limits: {
    /**
     * Time until all must be verified, pauses apart, such as 5m. Later it goes back, as far as that is safe.
     */
    timeout: string;
    /**
     * Revisions of etcd that the next home may be behind at the start. At the move itself it must be behind by none, but in an Emergency.
     */
    maxReplicationLag: number;
    /**
     * Offsets that MirrorMaker's copy of the platform's topics (kafka.mirror) may be behind at the start of a Drill or a Planned move. Left out, the lag is only a figure.
     */
    maxMirrorLag?: number;
    /**
     * Gateway pods that must be ready in each of the other zones.
     */
    minReadyPerZone: number;
  };
  /**
   * How a drill is held.
   */
  drill?: {
    /**
     * How long the platform runs without the zone before it goes back, such as 30s.
     */
    holdFor: string;
  };
  /**
   * Seconds from its creation in which it must begin, as of a CronJob. One that still waits for its turn then ends as RolledBack, with the cause NotStartedInTime, and nothing was changed. Left out, it waits as long as it takes.
   */
  startingDeadlineSeconds?: number;
  /**
   * Go back, from any phase that still can. It cannot be taken back.
   */
  abort?: boolean;
  /**
   * Stay where it is, wherever that is safe. While the home moves nothing stops, since no zone takes writes then.
   */
  pause?: boolean;
  /**
   * Seconds after its end until it is deleted, as of a Job. Left out, it stays.
   */
  ttlSecondsAfterFinished?: number;
}

/**
 * How far it is, and what was measured.
 */
export interface ZoneFailoverStatus {
  /**
   * The generation of the spec that this status is about.
   */
  observedGeneration?: number;
  /**
   * Queued, while another failover or a certificate rotation is under way; Preflight, Prepare, Drain, Fence, Promote, Shift, Verify, Hold and Restore; RollingBack; and at the end Succeeded, RolledBack or Failed.
   */
  phase?:
    | 'Queued'
    | 'Preflight'
    | 'Prepare'
    | 'Drain'
    | 'Fence'
    | 'Promote'
    | 'Shift'
    | 'Verify'
    | 'Hold'
    | 'Restore'
    | 'RollingBack'
    | 'Succeeded'
    | 'RolledBack'
    | 'Failed';
  /**
   * Of Restore and RollingBack, what is being undone; a home that moves back is fenced, promoted and followed like any other.
   */
  step?: 'CatchUp' | 'Fence' | 'Promote' | 'Shift' | 'Lift' | 'GiveBack';
  /**
   * What it waits for, why it goes back, or how it ended.
   */
  message?: string;
  /**
   * Why it goes back or has failed, as a CamelCase word.
   */
  cause?: string;
  /**
   * When Preflight began.
   */
  startedAt?: string;
  /**
   * When Verify had passed.
   */
  verifiedAt?: string;
  /**
   * When it ended.
   */
  finishedAt?: string;
  /**
   * Since when it stands still for a pause. Absent while it goes on all the same, since no zone takes writes or it goes back.
   */
  pausedSince?: string;
  /**
   * Milliseconds that it stood still before that; they do not count for the time-out.
   */
  pausedMs?: number;
  /**
   * The move of the home; absent when the zone that is left is not home.
   */
  home?: {
    /**
     * The home before.
     */
    from: string;
    /**
     * The home after.
     */
    to: string;
  };
  /**
   * The highest epoch that it has used, or met at the start.
   */
  epoch?: number;
  /**
   * Gateway pods that each of the other zones has while this zone is away; absent when an autoscaler decides.
   */
  replicas?: number;
  /**
   * The home has left the zone.
   */
  moved?: boolean;
  /**
   * Something of the platform is changed that is to be given back.
   */
  holds?: boolean;
  /**
   * After an automatic Emergency, since when the zone is back without a break. It serves again a while later.
   */
  backSince?: string;
  /**
   * What it went through, in order.
   */
  phases?: FailoverPhaseStatus[];
  /**
   * Clients and gateways by zone, as last counted.
   *
   * Items: One zone.
   */
  zones?: {
    /**
     * Name of the zone.
     */
    name: string;
    /**
     * Ready gateway pods.
     */
    ready: number;
    /**
     * Gateway pods asked for.
     */
    desired: number;
    /**
     * Clients on its gateways; absent when not all of them answered.
     */
    connections?: number;
  }[];
  /**
   * Kafka partitions whose order of replicas is changed while the zone is away, so that they are not led from there. It is given back, exactly, and then this is absent.
   *
   * Items: One partition. Brokers by their node id, the preferred leader first.
   */
  orders?: {
    /**
     * Name of the topic in Kafka.
     */
    topic: string;
    /**
     * Number of the partition.
     */
    partition: number;
    /**
     * The order before.
     *
     * Items: Node id of a broker.
     */
    from: number[];
    /**
     * The order meanwhile.
     *
     * Items: Node id of a broker.
     */
    to: number[];
  }[];
  figures?: FailoverFigures;
  timeline?: FailoverTimeline;
  /**
   * Ready, Reconciling and Stalled (kstatus), and ZoneReturned when the zone was gone.
   *
   * Items: One condition, as in metav1.Condition.
   */
  conditions?: {
    /**
     * Kind of the condition.
     */
    type: string;
    /**
     * Whether it holds.
     */
    status: 'True' | 'False' | 'Unknown';
    /**
     * Generation that the condition is about.
     */
    observedGeneration?: number;
    /**
     * When status last changed.
     */
    lastTransitionTime: string;
    /**
     * CamelCase word for programs.
     */
    reason: string;
    /**
     * What a person should know, and do.
     */
    message: string;
  }[];
}
/**
 * One phase, or one step of going back.
 */
export interface FailoverPhaseStatus {
  /**
   * The phase.
   */
  name: string;
  /**
   * Of Restore and RollingBack, the step.
   */
  step?: string;
  /**
   * When it began.
   */
  startedAt: string;
  /**
   * When it ended.
   */
  endedAt?: string;
  /**
   * The gate that it waits at; after its end the last one that it waited at.
   */
  gate?: string;
  /**
   * What that gate waits for.
   */
  waitingFor?: string;
}
/**
 * What was measured. A figure that was not measured is absent.
 */
export interface FailoverFigures {
  /**
   * Clients in the zone when the drain began.
   */
  connectionsAtStart?: number;
  /**
   * Clients that were sent away, such as came meanwhile as well.
   */
  connectionsMoved?: number;
  /**
   * Milliseconds from the begin of Prepare until each other zone had its gateways ready.
   */
  capacityMs?: number;
  /**
   * Milliseconds from the begin of the drain until no client was left.
   */
  drainMs?: number;
  /**
   * Revisions of etcd that the next home was behind when the old one was fenced; absent when the old one was not reached.
   */
  replicationLag?: number;
  /**
   * The same for Redis, bytes.
   */
  redisLag?: number;
  /**
   * Milliseconds in which no zone took writes, from the word to fence until the next home was promoted.
   */
  homelessMs?: number;
  /**
   * Kafka partitions of the platform that were led from the zone at the start.
   */
  partitionsLed?: number;
  /**
   * Of those, the ones whose leader left the zone before its clients did; Kafka moves the others when their broker goes.
   */
  leadersMoved?: number;
  /**
   * Offsets of the platform's topics that were not in their mirror (kafka.mirror) at the start.
   */
  mirrorLag?: number;
  /**
   * Time from the start until all was verified, pauses apart, such as 8.4s.
   */
  recovery?: string;
}
/**
 * Clients and replication over time, for reports. It is kept small: a look that shows what the last one showed is left out, and when there are too many, every other one goes.
 */
export interface FailoverTimeline {
  /**
   * Milliseconds that lie between two samples at least; doubled each time that samples were left out.
   */
  everyMs: number;
  /**
   * What was seen, in order. What was not asked at that time is absent; what was seen holds until the next one.
   */
  samples: FailoverSample[];
}
/**
 * One look.
 */
export interface FailoverSample {
  /**
   * Milliseconds since startedAt.
   */
  atMs: number;
  /**
   * Clients by zone; a zone whose gateways did not all answer is absent.
   */
  connections?: Record<string, number>;
  /**
   * Revisions of etcd that each zone was behind its home; one that it is not known of is absent.
   */
  etcdLag?: Record<string, number>;
  /**
   * The same for Redis, bytes.
   */
  redisLag?: Record<string, number>;
}
