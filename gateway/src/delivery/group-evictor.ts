import type { Kafka } from 'kafkajs';
import { reason } from '../log/index.ts';
import type { Log } from '../log/index.ts';
import { lossOf, membersOf, stepOf } from './eviction.ts';
import type { Loss, Step, ZoneSight } from './eviction.ts';
import { clusterOf } from './kafkajs-cluster.ts';
import type { Cluster, ClusterBroker } from './kafkajs-cluster.ts';
import { within } from './within.ts';

/** How often it is looked whether a zone is lost; reads what the witness has. */
const LOOK_MS = 250;
/** How long one try may take, with the way to the coordinator, and how long the next one waits after it failed. */
const TRY_MS = 3_000;
const RETRY_MS = 500;

/** What a {@link GroupEvictor} needs. */
export interface GroupEvictorOptions {
  /** Called for each try. Its calls should be given up within a try: see `hasty` of createKafka. */
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
  /** When the next try for a zone may begin, monotonic milliseconds; Infinity: one is under way. */
  readonly #nextTry = new Map<string, number>();
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
  }

  #look(): void {
    for (const zone of this.#options.zones()) {
      const step = this.#step(zone);
      if (step === 'rest' || this.#options.now() < (this.#nextTry.get(zone.zone) ?? 0)) continue;
      if (step === 'ours') this.#change(zone.zone, zone.answeredAt, { isOver: true });
      else if (step === 'giveUp') this.#giveUp(zone);
      else void this.#try(zone);
    }
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
    let pauseMs = 0;
    this.#nextTry.set(zone.zone, Infinity);
    try {
      await this.#atCoordinator((coordinator, signal) => this.#takeOut(zone, coordinator, signal));
    } catch (error) {
      this.#options.log.info('the group was not told who is gone yet', {
        lost: zone.zone,
        reason: reason(error),
      });
      pauseMs = RETRY_MS;
    }
    this.#nextTry.set(zone.zone, this.#options.now() + pauseMs);
  }

  /** Finds the coordinator of now, on connections of its own: those that are open may lead to one that is gone. */
  async #atCoordinator(
    work: (coordinator: ClusterBroker, signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const cluster = clusterOf(this.#options.kafka());
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
      // Not waited for: it takes until the last request is given up.
      cluster.disconnect().catch((error: unknown) => {
        this.#options.log.debug('disconnecting', { reason: reason(error) });
      });
    }
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

/** kafkajs's own way asks brokers at random and ends with the first that cannot be reached: a third of the tries, with a zone lost. */
async function coordinatorOf(cluster: Cluster, groupId: string): Promise<ClusterBroker> {
  await cluster.connect();
  await cluster.refreshMetadata();
  const any = await cluster.brokerPool.findConnectedBroker();
  const { coordinator } = await any.findGroupCoordinator({ groupId, coordinatorType: 0 });
  return cluster.findBroker({ nodeId: coordinator.nodeId });
}
