// Generated from crds/drillschedules.causeway.dev.yaml by `npm run generate -w crds`. Do not edit.
/**
 * When which zone is left, and how carefully.
 */
export interface DrillScheduleSpec {
  /**
   * Name of the MessagePlatform, in the same namespace.
   */
  platform: string;
  /**
   * When drills are due, in cron's form: minute, hour, day of the month, month, day of the week, such as "0 10 * * TUE"; or @yearly, @monthly, @weekly, @daily or @hourly.
   */
  schedule: string;
  /**
   * Time zone of the schedule, by its name in the IANA database, such as Europe/Berlin. A time that the clocks leave out is due right after the gap, and one that they show twice the first time only.
   */
  timeZone: string;
  /**
   * How long after its time a drill may still start, such as 15m. Until then it waits for a platform that is not Ready, or that has another failover; after that it is skipped.
   */
  window: string;
  /**
   * Zones to leave, one in each drill, in this order and then from the start. Left out, all of the platform, in its order.
   *
   * Items: One of the platform's spec.zones.
   */
  zones?: string[];
  /**
   * Whether the zone that is home at the time is left too, which moves the home to another one and back.
   */
  includeHome: boolean;
  /**
   * Start no drill. One that is under way goes on; those that become due meanwhile are not made up for.
   */
  suspend: boolean;
  /**
   * Finished drills that succeeded, and are kept.
   */
  successfulDrillsHistoryLimit: number;
  /**
   * Finished drills that did not succeed, and are kept.
   */
  failedDrillsHistoryLimit: number;
  /**
   * Limits of each drill, as a ZoneFailover has them. What must hold, or it refuses to begin, or goes back.
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
     * Offsets that MirrorMaker's copy of the platform's topics (kafka.mirror) may be behind at the start. Left out, the lag is only a figure.
     */
    maxMirrorLag?: number;
    /**
     * Gateway pods that must be ready in each of the other zones.
     */
    minReadyPerZone: number;
  };
  /**
   * How each drill is held, as a ZoneFailover has it.
   */
  drill?: {
    /**
     * How long the platform runs without the zone before it goes back, such as 30s.
     */
    holdFor: string;
  };
}

/**
 * What came of it, and what is next.
 */
export interface DrillScheduleStatus {
  /**
   * The generation of the spec that this status is about.
   */
  observedGeneration?: number;
  /**
   * The schedule and time zone that lastHandledTime is about. After a change no time before it is due.
   */
  observedSchedule?: string;
  /**
   * The value of the annotation causeway.dev/resume that was last taken up.
   */
  observedResume?: string;
  /**
   * All drills that were due until then were started, skipped or missed.
   */
  lastHandledTime?: string;
  /**
   * When the last drill was due that was started.
   */
  lastScheduleTime?: string;
  /**
   * The zone of that drill.
   */
  lastZone?: string;
  /**
   * When a drill last ended well.
   */
  lastSuccessfulTime?: string;
  /**
   * When the next drill is due; absent while none will be started.
   */
  nextScheduleTime?: string;
  /**
   * The zone of that drill, as things are now.
   */
  nextZone?: string;
  /**
   * The drill that is under way, or about to be made.
   */
  active?: {
    /**
     * Name of its ZoneFailover.
     */
    name: string;
    /**
     * UID of its ZoneFailover; absent until it is made.
     */
    uid?: string;
    /**
     * The zone that is left.
     */
    zone: string;
    /**
     * When it was due.
     */
    scheduledTime: string;
  };
  /**
   * The drill that failed and has stopped this schedule.
   */
  failed?: {
    /**
     * Name of its ZoneFailover.
     */
    name: string;
    /**
     * The zone that was to be left.
     */
    zone: string;
    /**
     * When it ended.
     */
    time: string;
    /**
     * Why, as a CamelCase word.
     */
    reason: string;
    /**
     * Why, for people.
     */
    message: string;
    /**
     * The generation of this schedule's spec then; a later one lets it go on.
     */
    generation: number;
  };
  /**
   * The last drill that was due and not started.
   */
  lastSkipped?: {
    /**
     * When it was due.
     */
    scheduledTime: string;
    /**
     * Why, as a CamelCase word.
     */
    reason: string;
    /**
     * Why, for people.
     */
    message: string;
  };
  /**
   * Ready, Reconciling and Stalled (kstatus).
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
