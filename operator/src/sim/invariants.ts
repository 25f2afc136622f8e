/** What must hold at every step, whatever fails. Each violation is said in words; a run without any is a good one. */
import {
  ANNOTATION,
  COMPONENT,
  LABEL,
  SECRET_KEY,
  TOPICS_FINALIZER,
  kafkaTopic,
  objectName,
  parseDuration,
} from '@causeway/crds';
import { decodeSecret, inspectCertificate, splitBundle, versionNumbers } from '../certificates/index.ts';
import type { KubeObject } from '../controller/kube-api.ts';
import {
  FAILOVER_KIND,
  isOver,
  stateOf,
  type FailoverObject,
  type PartitionOrder,
} from '../failover/index.ts';
import { MOST_EMERGENCIES, WINDOW_MS } from '../failover/automatic.ts';
import { KIND } from '../platform/kinds.ts';
import type { RedisAction } from '../platform/redis.ts';
import type { TopicAction } from '../platform/topics.ts';
import { epochOf, homeOf, type MessagePlatform } from '../platform/types.ts';
import type { FakeEtcd } from './fake-etcd.ts';
import type { FakeKafka, SimTopic } from './fake-kafka.ts';
import type { Change, FakeKube } from './fake-kube.ts';
import type { FakeRedis } from './fake-redis.ts';
import type { VirtualTime } from './virtual-time.ts';
import type { ZoneOutage } from './zone-outage.ts';

interface Watched {
  kube: FakeKube;
  kafka: FakeKafka;
  redis: FakeRedis;
  etcd: FakeEtcd;
  outage: ZoneOutage;
  time: Pick<VirtualTime, 'now'>;
}

export class Invariants {
  readonly #world: Watched;
  readonly #violations: string[] = [];
  /** Fingerprints of the authorities that the platform's Secrets ever had, by platform UID. */
  readonly #authorities = new Map<string, Set<string>>();
  /** Host that was told to be primary, by platform and epoch. */
  readonly #promoted = new Map<string, string>();
  /** Zone whose etcd was promoted, by epoch. */
  readonly #homes = new Map<number, string>();
  /** Drills of schedules that ever were, by schedule and the time at which they were due. */
  readonly #drills = new Set<string>();
  /** When automatic Emergencies were made. */
  readonly #automatic: number[] = [];
  /** Somebody destroyed the authority: a second one is what must come of it. */
  #authorityMayChange = false;

  constructor(world: Watched) {
    this.#world = world;
    for (const { object } of world.kube.all(KIND.secret)) this.#checkSecret(object);
    world.kube.onChange((change) => this.#changed(change));
    world.kafka.onAction((action, before) => this.#checkTopic(action, before));
    world.kafka.onOrder((before, after) => this.#checkOrder(before, after));
    world.etcd.onPromotion((zone, epoch) => this.#checkPromotion(zone, epoch));
    world.redis.onCommand((host, action) => this.#checkRedis(host, action));
  }

  get violations(): readonly string[] {
    return this.#violations;
  }

  /** Somebody is about to destroy an authority. */
  allowNewAuthority(): void {
    this.#authorityMayChange = true;
  }

  #say(text: string): void {
    this.#violations.push(text);
  }

  #changed({ kind, before, after }: Change): void {
    if (kind === KIND.secret && after !== undefined) {
      this.#checkSecret(after);
      const isServed = after.metadata.name === objectName.tls(after.metadata.labels?.[LABEL.platform] ?? '');
      if (before !== undefined && isServed) this.#checkVersions(before, after);
    }
    if (kind.kind === FAILOVER_KIND.kind && before === undefined && after !== undefined)
      this.#checkMade(after as FailoverObject);
    if (kind !== KIND.platform || before === undefined) return;
    if (after === undefined) this.#checkGone(before as MessagePlatform);
    else this.#checkHome(before as MessagePlatform, after as MessagePlatform);
  }

  /** A schedule starts one drill for each time at most, and none beside another failover. */
  #checkDrill({ metadata, spec }: FailoverObject): void {
    const schedule = metadata.labels?.[LABEL.drillSchedule];
    if (schedule === undefined) return;
    const key = `${schedule} at ${metadata.annotations?.[ANNOTATION.scheduledAt]}`;
    if (this.#drills.has(key)) this.#say(`a drill of ${key} was made a second time`);
    this.#drills.add(key);
    const others = this.#world.kube.all(FAILOVER_KIND).map(({ object }) => object as FailoverObject);
    const beside = others.find(
      (one) =>
        one.metadata.name !== metadata.name &&
        one.spec.platform === spec.platform &&
        !isOver(stateOf(one).phase),
    );
    if (beside !== undefined) this.#say(`drill ${metadata.name} was made beside ${beside.metadata.name}`);
  }

  #checkMade(failover: FailoverObject): void {
    this.#checkDrill(failover);
    if (failover.metadata.labels?.[LABEL.automatic] === 'true') this.#checkAutomatic(failover);
  }

  /** Of a zone that is gone for as long as it must be, while two others are there; not too often, and beside no other one, but for the drill that moved the home there. */
  #checkAutomatic({ metadata: { name }, spec }: FailoverObject): void {
    const { outage, time, kube } = this.#world;
    const platform = this.#platforms().find(({ metadata }) => metadata.name === spec.platform);
    const due = parseDuration(platform?.spec.failover.unhealthyAfter ?? '10s');
    const downMs = outage.downMs(spec.fromZone);
    if (downMs < due) this.#say(`${name} was made when ${spec.fromZone} had been away for ${downMs} ms`);
    const zones = platform?.spec.zones.map((zone) => zone.name) ?? [];
    const left = zones.filter((zone) => zone !== spec.fromZone && !outage.isDown(zone));
    if (left.length < 2) this.#say(`${name} was made with only ${left.join()} left`);
    const others = kube
      .all(FAILOVER_KIND)
      .map(({ object }) => object as FailoverObject)
      .filter(({ metadata }) => metadata.name !== name);
    const home = platform === undefined ? undefined : homeOf(platform);
    const beside = others.find((one) => {
      const { phase, home: move } = stateOf(one);
      const isLent = one.spec.mode !== 'Emergency' && move?.to === spec.fromZone && home === spec.fromZone;
      return !isOver(phase) && !isLent;
    });
    if (beside !== undefined) this.#say(`${name} was made beside ${beside.metadata.name}`);
    this.#automatic.push(time.now);
    const recent = this.#automatic.filter((at) => time.now - at < WINDOW_MS).length;
    if (recent > MOST_EMERGENCIES) this.#say(`${name} is the ${recent}th automatic Emergency in an hour`);
  }

  /** The epoch only grows, and each has one home. */
  #checkHome(before: MessagePlatform, after: MessagePlatform): void {
    const [old, now] = [epochOf(before), epochOf(after)];
    const { name } = after.metadata;
    if (now < old) this.#say(`the epoch of ${name} fell from ${old} to ${now}`);
    if (now === old && homeOf(before) !== homeOf(after))
      this.#say(`the home of ${name} went from ${homeOf(before)} to ${homeOf(after)} in epoch ${now}`);
  }

  /** Nobody is promoted while another one takes writes. One that is away cannot be asked; it is fenced when it is back. */
  #checkPromotion(zone: string, epoch: number): void {
    const others = this.#world.etcd.writers().filter((writer) => writer !== zone);
    if (others.length > 0) this.#say(`the etcd of ${zone} was promoted while ${others.join()} took writes`);
    const home = this.#homes.get(epoch) ?? zone;
    this.#homes.set(epoch, home);
    if (home !== zone)
      this.#say(`the etcd of ${zone} was promoted in epoch ${epoch}, as that of ${home} was`);
  }

  /** One authority for each platform, for all its life: a second one would break every connection between its parts. */
  #checkSecret(secret: KubeObject): void {
    const owner = secret.metadata.ownerReferences?.[0];
    if (owner?.kind !== 'MessagePlatform') return;
    const ours = [objectName.authority, objectName.internal, objectName.client].map((name) =>
      name(owner.name),
    );
    if (!ours.includes(secret.metadata.name)) return;
    const known = this.#authorities.get(owner.uid) ?? new Set<string>();
    this.#authorities.set(owner.uid, known);
    const bundle = decodeSecret((secret as { data?: Record<string, string> }).data)[SECRET_KEY.ca];
    for (const certificate of splitBundle(bundle)) {
      const fingerprint = inspectCertificate(certificate)?.fingerprint;
      if (fingerprint === undefined || known.has(fingerprint)) continue;
      known.add(fingerprint);
      if (known.size > 1 && !this.#authorityMayChange) {
        this.#say(
          `platform ${owner.name} got authority number ${known.size}: Secret ${secret.metadata.name} has it`,
        );
      }
    }
  }

  /** No version leaves the Secret that a gateway pod is told to serve. */
  #checkVersions(before: KubeObject, after: KubeObject): void {
    const kept = new Set(versionsOf(after));
    const gone = versionsOf(before).filter((version) => !kept.has(version));
    if (gone.length === 0) return;
    for (const { object: pod } of this.#world.kube.all(KIND.pod)) {
      const told = pod.metadata.annotations?.[ANNOTATION.certificate];
      const isOf = pod.metadata.labels?.[LABEL.platform] === after.metadata.labels?.[LABEL.platform];
      if (isOf && told !== undefined && gone.includes(Number(told)))
        this.#say(
          `Secret ${after.metadata.name} lost version ${told}, which pod ${pod.metadata.name} is told to serve`,
        );
    }
  }

  #platforms(): MessagePlatform[] {
    return this.#world.kube.all(KIND.platform).map(({ object }) => object as MessagePlatform);
  }

  #checkTopic(action: TopicAction, before: SimTopic | undefined): void {
    const platform = this.#platforms().find(({ metadata }) => action.topic.startsWith(`${metadata.name}.`));
    if (action.act === 'delete') this.#checkDeletion(action.topic, before, platform);
    if (action.act === 'grow' && before !== undefined && action.partitions < before.partitions) {
      this.#say(
        `topic ${action.topic} was to shrink from ${before.partitions} to ${action.partitions} partitions`,
      );
    }
    if (action.act === 'create' && before === undefined) this.#checkCreation(action.topic, platform);
  }

  /** What is ours must be known to be ours before it is there. */
  #checkCreation(topic: string, platform: MessagePlatform | undefined): void {
    const said = platform?.status?.topics?.find(({ name }) => name === topic);
    if (said?.owned !== true)
      this.#say(`topic ${topic} was made before status said so: a crash would lose it`);
    if (
      platform?.spec.kafka.deletionPolicy === 'Delete' &&
      platform.metadata.finalizers?.includes(TOPICS_FINALIZER) !== true
    ) {
      this.#say(`topic ${topic} was made before the finalizer was there: a deletion would leave it behind`);
    }
  }

  #checkDeletion(topic: string, before: SimTopic | undefined, platform: MessagePlatform | undefined): void {
    if (before?.madeBy === 'others')
      this.#say(`topic ${topic} was deleted, and it was not made by the operator`);
    if (platform === undefined) {
      this.#say(`topic ${topic} was deleted for a platform that is not there`);
      return;
    }
    const { kafka } = platform.spec;
    if (kafka.deletionPolicy !== 'Delete')
      this.#say(`topic ${topic} was deleted although the policy is Retain`);
    const isWanted = kafka.topics.some(({ name }) => kafkaTopic(platform.metadata.name, name) === topic);
    if (isWanted && platform.metadata.deletionTimestamp === undefined)
      this.#say(`topic ${topic} was deleted although it is in the spec`);
  }

  /** No data moves, and what is changed is known before: a crash would lose it. */
  #checkOrder(before: PartitionOrder, after: PartitionOrder): void {
    const name = `${after.topic}/${after.partition}`;
    if (sorted(before) !== sorted(after))
      this.#say(
        `partition ${name} was to go from brokers ${before.replicas.join()} to ${after.replicas.join()}`,
      );
    const known = this.#world.kube.all(FAILOVER_KIND).some(({ object }) => {
      const { orders = [] } = (object as FailoverObject).status ?? {};
      const own = orders.find(({ topic, partition }) => `${topic}/${partition}` === name);
      return [own?.from.join(), own?.to.join()].includes(after.replicas.join());
    });
    if (!known) this.#say(`partition ${name} got the order ${after.replicas.join()}, which no status says`);
  }

  /** One primary for each epoch: two would both take writes. */
  #checkRedis(host: string, action: RedisAction['act']): void {
    if (action !== 'promote') return;
    const platform = this.#platforms().find(({ metadata }) =>
      host.startsWith(`${metadata.name}-${COMPONENT.redis}-`),
    );
    if (platform === undefined) {
      this.#say(`${host} was promoted for a platform that is not there`);
      return;
    }
    const key = `${platform.metadata.uid ?? ''}/${epochOf(platform)}`;
    const other = this.#promoted.get(key) ?? host;
    this.#promoted.set(key, other);
    if (other !== host) this.#say(`${host} was promoted in the epoch in which ${other} was`);
  }

  #checkGone(platform: MessagePlatform): void {
    const { deletionPolicy } = platform.spec.kafka;
    const owned = platform.status?.topics?.filter((topic) => topic.owned === true) ?? [];
    if (deletionPolicy !== 'Delete' || owned.length === 0) return;
    const left = [...this.#world.kafka.snapshot().values()].filter(
      (topic) => topic.madeBy === 'operator' && owned.some(({ name }) => name === topic.name),
    );
    if (left.length > 0)
      this.#say(
        `platform ${platform.metadata.name} went, and left topics: ${left.map(({ name }) => name).join(', ')}`,
      );
  }
}

function sorted({ replicas }: PartitionOrder): string {
  return replicas.toSorted((a, b) => a - b).join();
}

/** Numbers of the certificates in a Secret. */
function versionsOf(secret: KubeObject): number[] {
  return versionNumbers(decodeSecret((secret as { data?: Record<string, string> }).data));
}

/** A delete of the operator must only meet what the platform controls. */
export function checkOwnDeletion(target: KubeObject | undefined): string | undefined {
  if (target === undefined) return undefined;
  // It starts anew with the trust that it lacks.
  if (target.kind === 'Pod' && target.metadata.labels?.[LABEL.component] === COMPONENT.etcd) return undefined;
  const isOurs = target.metadata.ownerReferences?.some(
    (owner) => owner.kind === 'MessagePlatform' && owner.controller === true,
  );
  if (isOurs === true) return undefined;
  return `${target.kind} ${target.metadata.name} was deleted, and is not the platform's (label ${target.metadata.labels?.[LABEL.platform] ?? 'none'})`;
}
