import type { Kafka } from 'kafkajs';
import { reason } from '../log/index.ts';
import type { Log } from '../log/index.ts';
import { isOpen, lossOf, membersOf, stepOf } from './eviction.ts';
import type { Loss, Step, ZoneSight } from './eviction.ts';
import { clusterOf } from './kafkajs-cluster.ts';
import type { Cluster, ClusterBroker } from './kafkajs-cluster.ts';
import { within } from './within.ts';

/** How often it is looked whether a zone is lost, which reads what the witness has; and how often Kafka is tried, at most. */
const LOOK_MS = 250;
/** How long one try may take, with the way to the coordinator. */
const TRY_MS = 3_000;

/** What a {@link GroupEvictor} needs. */
export interface GroupEvictorOptions {
  /** Called for each loss. Its calls should be given up within a try: see `hasty` of createKafka. */
  kafka(): Kafka;
  group: string;
  /** Of our own member in the group. */
  ownClientId: string;
  /** What is known of the other zones now. */
  zones(): readonly ZoneSight[];
  log: Log;
  /** A member of this zone was taken out. */
  evicted(zone: string): void;
  /** Monotonic milliseconds, as those of the zones. */
  now(): number;
}

/**
 * Takes members of a lost zone out of the gateways' group, so that nobody waits until their sessions are over: the group's next
 * coordinator begins these anew when it has found out about the group, long after the loss. Needs the right to read the group, which members
 * have.
 */
export class GroupEvictor {
  readonly #options: GroupEvictorOptions;
  readonly #losses = new Map<string, Loss>();
  /** Zones for which a try is under way. */
  readonly #trying = new Set<string>();
  /** Why the last try for a zone failed. */
  readonly #told = new Map<string, string>();
  /** From when a loss begins, so that it leads to nobody who was gone by then, until nothing is to be done. */
  #cluster: Cluster | undefined;
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: GroupEvictorOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  /** What is under way comes to nothing. */
  stop(): void {
    clearInterval(this.#timer);
    this.#stop.abort();
    this.#disconnect();
  }

  #look(): void {
    for (const zone of this.#options.zones()) {
      if (this.#trying.has(zone.zone)) continue;
      const step = this.#step(zone);
      if (step === 'ours') this.#change(zone.zone, zone.answeredAt, { isOver: true });
      else if (step === 'giveUp') this.#giveUp(zone);
      else if (step !== 'rest') void this.#try(zone);
    }
    if (this.#trying.size === 0 && !this.#options.zones().some((zone) => this.#isOpen(zone)))
      this.#disconnect();
  }

  #isOpen(zone: ZoneSight): boolean {
    const loss = this.#losses.get(zone.zone);
    return loss !== undefined && isOpen(zone, loss);
  }

  /** What is due for a zone now. */
  #step(zone: ZoneSight): Step {
    const loss = lossOf(zone, this.#losses.get(zone.zone));
    if (!loss) return 'rest';
    this.#losses.set(zone.zone, loss);
    return stepOf(zone, loss, this.#options.zones(), this.#options.now());
  }

  #giveUp({ zone, answeredAt }: ZoneSight): void {
    this.#change(zone, answeredAt, { isOver: true });
    this.#options.log.warn('the group was not told who is gone', { lost: zone });
  }

  /** What came of a try counts for the loss that it was for. */
  #change(zone: string, since: number | undefined, change: Partial<Loss>): void {
    const loss = this.#losses.get(zone);
    if (loss && loss.since === since) this.#losses.set(zone, { ...loss, ...change });
  }

  /** Never rejects. */
  async #try(zone: ZoneSight): Promise<void> {
    this.#trying.add(zone.zone);
    try {
      await this.#atCoordinator((coordinator, signal) => this.#takeOut(zone, coordinator, signal));
      this.#told.delete(zone.zone);
    } catch (error) {
      this.#tell(zone.zone, reason(error));
    }
    this.#trying.delete(zone.zone);
  }

  /** Once for each reason: tries follow each other closely. */
  #tell(zone: string, why: string): void {
    if (this.#told.get(zone) === why) return;
    this.#told.set(zone, why);
    this.#options.log.info('the group was not told who is gone yet', { lost: zone, reason: why });
  }

  /** Finds the coordinator of now. What is under way when it takes too long comes to nothing. */
  async #atCoordinator(
    work: (coordinator: ClusterBroker, signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const cluster = (this.#cluster ??= clusterOf(this.#options.kafka()));
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, this.#stop.signal]);
    try {
      const found = coordinatorOf(cluster, this.#options.group);
      await within(
        TRY_MS,
        'eviction',
        found.then((coordinator) => work(coordinator, signal)),
      );
    } finally {
      over.abort();
    }
  }

  /** Not waited for: it takes until the last request is given up. */
  #disconnect(): void {
    this.#cluster?.disconnect().catch((error: unknown) => {
      this.#options.log.debug('disconnecting', { reason: reason(error) });
    });
    this.#cluster = undefined;
  }

  async #takeOut(zone: ZoneSight, coordinator: ClusterBroker, signal: AbortSignal): Promise<void> {
    const since = zone.answeredAt;
    if (this.#losses.get(zone.zone)?.noted === undefined) {
      const noted = await this.#membersOf(zone, coordinator);
      this.#change(zone.zone, since, { noted });
    }
    const current = this.#options.zones().find((one) => one.zone === zone.zone);
    if (signal.aborted || !current || this.#step(current) !== 'evict') return;
    const noted = this.#losses.get(zone.zone)?.noted ?? [];
    const left = await Promise.all(noted.map((memberId) => this.#letLeave(zone.zone, memberId, coordinator)));
    this.#change(zone.zone, since, { isOver: true });
    const members = left.filter(Boolean).length;
    const unreachableMs = Math.round(current.unreachableMs);
    // Others may have been there first.
    if (members > 0)
      this.#options.log.info('members of a lost zone left the group', {
        lost: zone.zone,
        members,
        unreachableMs,
      });
  }

  async #membersOf(zone: ZoneSight, coordinator: ClusterBroker): Promise<string[]> {
    const { group, ownClientId } = this.#options;
    const { groups } = await coordinator.describeGroups({ groupIds: [group] });
    // We are in the group: so it has not read it from Kafka yet.
    if (groups.some(({ state }) => state === 'Dead'))
      throw new Error('the coordinator does not know the group yet');
    const members = groups.flatMap((one) => one.members);
    return membersOf(zone, members, { zones: this.#options.zones(), ownClientId });
  }

  /** False: it had gone by then. */
  async #letLeave(zone: string, memberId: string, coordinator: ClusterBroker): Promise<boolean> {
    try {
      await coordinator.leaveGroup({ groupId: this.#options.group, memberId });
    } catch (error) {
      if ((error as { type?: string }).type === 'UNKNOWN_MEMBER_ID') return false;
      throw error;
    }
    this.#options.evicted(zone);
    return true;
  }
}

/** It is connected once; then it is only asked who coordinates. */
async function coordinatorOf(cluster: Cluster, groupId: string): Promise<ClusterBroker> {
  await cluster.connect();
  return cluster.findGroupCoordinator({ groupId });
}
