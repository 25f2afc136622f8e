/** Looks at a platform for a failover: the cache, and who is asked by address. Whoever is silent for a second is silent. */
import {
  ANNOTATION,
  COMPONENT,
  LABEL,
  kafkaTopic,
  objectName,
  type DrainState,
  type HomeRecord,
  type ReplicationCheckpoint,
  type ReplicationState,
} from '@causeway/crds';
import type { SecretData } from '../certificates/index.ts';
import type { Clock } from '../controller/clock.ts';
import { fromRfc3339 } from '../controller/conditions.ts';
import type { KubeObject } from '../controller/kube-api.ts';
import type {
  EtcdSight,
  GatewaySight,
  KafkaSight,
  MirrorSight,
  Needs,
  Observed,
  Queue,
  RedisSight,
  ZoneSight,
} from '../failover/index.ts';
import type { EtcdState } from './etcd-admin.ts';
import { homeSince } from './etcd-records.ts';
import { managesEtcd, replicatesEtcd } from './etcd.ts';
import { KIND } from './kinds.ts';
import { kafkaSight } from './kafka-placement.ts';
import type { FenceMemory, SilenceMemory } from './failover-memory.ts';
import type { GatewayProbe } from './gateway-probe.ts';
import { heldSecrets, redisAddress, userSecrets } from './observe.ts';
import { lookAtMirror } from './mirror.ts';
import { managesRedis, planRedisGuard, redisHost, type RedisState } from './redis.ts';
import { isPaused, epochOf, homeOf, type MessagePlatform } from './types.ts';
import { kafkaAccess } from './user-secrets.ts';
import { isOf, isServing, nodesIn, type Node, type Pod, type Workload } from './workloads.ts';
import type { PlatformWorld } from './world.ts';

/** The platform's world, and what only failovers ask. */
export type FailoverPlatformWorld = PlatformWorld & { gateways: GatewayProbe };

/** Time for each answer, milliseconds. A zone that is gone must not hold up what is done about it. */
const PATIENCE = 1_000;
/**
 * The same in a hurry, for a zone that said nothing the last time: four to six looks of an Emergency follow each other,
 * and nobody has a home meanwhile. One that answers again later than this is told what it is once it has been left.
 */
const IMPATIENCE = 200;
/** Time for Kafka's, which takes several round trips to several brokers. */
const KAFKA_PATIENCE = 8_000;

/** What is looked for, and what earlier looks of this process know. */
export interface LookWish {
  fromZone: string;
  needs: Needs;
  memory: FenceMemory;
  silence: SilenceMemory;
}

/** What a failover sees. */
export async function lookForFailover(
  world: FailoverPlatformWorld,
  platform: MessagePlatform,
  wish: LookWish,
): Promise<Omit<Observed, keyof Queue>> {
  const { fromZone, needs } = wish;
  const secrets = needs.stores ? await storeSecrets(world, platform) : NO_SECRETS;
  const look = new Look(world, platform, { ...wish, ...secrets });
  const [zones, kafka, mirror] = await Promise.all([
    look.zones(),
    needs.kafka ? look.kafka(fromZone) : undefined,
    needs.mirror ? look.mirror() : undefined,
  ]);
  noteSilence(platform, wish, zones);
  const { spec, status } = platform;
  return {
    now: world.clock.now(),
    counted: needs.clients,
    zones,
    home: homeOf(platform),
    epoch: epochOf(platform),
    claim: status?.failover?.name,
    away: status?.away ?? [],
    rotation: status?.certificates?.rotation !== undefined,
    platformPaused: isPaused(platform),
    replicasPerZone: spec.gateway.replicasPerZone,
    drainPerSecond: spec.failover.drainPerSecond,
    connectionsPerReplica: spec.gateway.limits.connectionsPerReplica,
    moves: { redis: managesRedis(platform), etcd: replicatesEtcd(platform) },
    services: {
      redis: managesRedis(platform) ? look.serviceZone(objectName.redis(platform.metadata.name)) : undefined,
      etcd: managesEtcd(platform) ? look.serviceZone(objectName.etcd(platform.metadata.name)) : undefined,
    },
    kafka,
    mirror,
  };
}

/** Notes whether the zone that is left said nothing, if it was asked at all. */
function noteSilence(
  platform: MessagePlatform,
  { fromZone, needs, silence }: LookWish,
  zones: readonly ZoneSight[],
): void {
  const zone = zones.find(({ name }) => name === fromZone);
  if (zone === undefined || !(needs.stores || (needs.clients && zone.pods.length > 0))) return;
  const { etcd, redis, pods } = zone;
  const isSilent = [etcd, redis, ...pods.map(({ drain }) => drain)].every((said) => said === undefined);
  // Gateways alone may be gone, where there is time to see that.
  if (isSilent && !needs.stores && needs.hurry !== true) return;
  silence.noted(platform, fromZone, isSilent);
}

export interface StoreSecrets {
  inner: SecretData | undefined;
  etcd: SecretData | undefined;
}

const NO_SECRETS: StoreSecrets = { inner: undefined, etcd: undefined };

/** With what Redis and etcd are reached. */
export async function storeSecrets(world: PlatformWorld, platform: MessagePlatform): Promise<StoreSecrets> {
  const { inner } = await heldSecrets(world, platform);
  if (managesEtcd(platform)) return { inner, etcd: inner };
  const name = platform.spec.etcd.external?.secretRef?.name;
  if (name === undefined) return { inner, etcd: undefined };
  return { inner, etcd: (await userSecrets(world, platform)).get(name) };
}

/** Where a store of a zone is: by its pod, since names are not to be relied on while zones go. */
export function podAddress(pods: readonly Pod[], component: string, zone: string): string | undefined {
  const pod = pods.find((one) => isOf(one, component, zone) && one.metadata.deletionTimestamp === undefined);
  return pod?.status?.podIP;
}

/** What one look at a platform has. */
type LookParts = StoreSecrets & LookWish;

class Look {
  readonly #world: FailoverPlatformWorld;
  readonly #platform: MessagePlatform;
  readonly #parts: LookParts;
  readonly #pods: readonly Pod[];

  constructor(world: FailoverPlatformWorld, platform: MessagePlatform, parts: LookParts) {
    this.#world = world;
    this.#platform = platform;
    this.#parts = parts;
    const pods: Pod[] = world.cache.ofPlatform(KIND.pod, platform.metadata);
    this.#pods = pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  }

  async zones(): Promise<ZoneSight[]> {
    const nodes: Node[] = this.#world.cache.all(KIND.node);
    // At once, or a zone that is gone would be waited for twice.
    const asked = this.#parts.needs.stores ? this.#stores() : new Map<string, Stores>();
    const names = this.#platform.spec.zones.map(({ name }) => name);
    return Promise.all(
      names.map(async (name) => {
        const [stores, ...pods] = await Promise.all([
          asked,
          ...this.#of(COMPONENT.gateway, name).map((pod) => this.#gateway(pod, name)),
        ]);
        const { etcd, redis } = stores.get(name) ?? { etcd: undefined, redis: undefined };
        return {
          name,
          nodes: nodesIn(name, nodes),
          ready: pods.filter(({ ready }) => ready).length,
          desired: this.#desired(name),
          pods,
          etcd,
          redis,
          etcdRuns: !managesEtcd(this.#platform) || this.#of(COMPONENT.etcd, name).some(isServing),
        };
      }),
    );
  }

  serviceZone(name: string): string | undefined {
    const { namespace } = this.#platform.metadata;
    const service: Service | undefined = this.#world.cache.get(KIND.service, { namespace, name });
    return service?.spec?.selector?.[LABEL.zone] ?? '';
  }

  async kafka(zone: string): Promise<KafkaSight | undefined> {
    const { metadata, spec } = this.#platform;
    const ask = async (): Promise<KafkaSight | undefined> => {
      const access = kafkaAccess(this.#platform, await userSecrets(this.#world, this.#platform));
      if (access === undefined) return undefined;
      const topics = spec.kafka.topics.map(({ name }) => kafkaTopic(metadata.name, name));
      return kafkaSight(await this.#world.kafka.placement(access, topics), zone);
    };
    return answerOf(this.#world.clock, ask(), KAFKA_PATIENCE);
  }

  /** Undefined: nothing mirrors the platform's topics. */
  async mirror(): Promise<MirrorSight | undefined> {
    if (this.#platform.spec.kafka.mirror === undefined) return undefined;
    const asked = userSecrets(this.#world, this.#platform).then((secrets) =>
      lookAtMirror(this.#world.kafka, this.#platform, secrets),
    );
    return (await answerOf(this.#world.clock, asked, KAFKA_PATIENCE)) ?? { lag: undefined };
  }

  #addressOf(component: string, zone: string): string | undefined {
    return podAddress(this.#pods, component, zone);
  }

  #of(component: string, zone: string): Pod[] {
    return this.#pods.filter((pod) => isOf(pod, component, zone));
  }

  #desired(zone: string): number {
    const { namespace, name } = this.#platform.metadata;
    const ref = { namespace, name: objectName.zoneGateway(name, zone) };
    const deployment: Workload | undefined = this.#world.cache.get(KIND.deployment, ref);
    return deployment?.spec?.replicas ?? 0;
  }

  async #gateway(pod: Pod, zone: string): Promise<GatewaySight> {
    const { name, uid = '', annotations = {} } = pod.metadata;
    const told = Number(annotations[ANNOTATION.drain]);
    return {
      name,
      uid,
      ready: isServing(pod),
      outBy: annotations[ANNOTATION.failover],
      told: annotations[ANNOTATION.drain] === undefined || Number.isNaN(told) ? undefined : told,
      toldAt: fromRfc3339(annotations[ANNOTATION.drainToldAt]),
      drain: await this.#clientsOf(pod, zone),
    };
  }

  async #clientsOf({ status }: Pod, zone: string): Promise<DrainState | undefined> {
    if (!this.#parts.needs.clients || status?.podIP === undefined) return undefined;
    return this.#answer(zone, this.#world.gateways.drain(status.podIP));
  }

  /** What is asked in a zone, if it answers in time. */
  #answer<T>(zone: string, asked: Promise<T>): Promise<T | undefined> {
    const { fromZone, needs, silence } = this.#parts;
    const isGone = needs.hurry === true && zone === fromZone && silence.wasSilent(this.#platform, zone);
    return answerOf(this.#world.clock, asked, isGone ? IMPATIENCE : PATIENCE);
  }

  /** What all stores say, asked at the same time; each is judged beside the home's. */
  async #stores(): Promise<Map<string, Stores>> {
    const asked = await Promise.all(
      this.#platform.spec.zones.map(async ({ name }) => {
        const [etcd, redis, report] = await Promise.all([
          this.#etcd(name),
          this.#redis(name),
          this.#report(name),
        ]);
        return { name, etcd, redis, report };
      }),
    );
    const home = homeOf(this.#platform);
    const source = asked.find(({ name }) => name === home)?.etcd;
    const homes = asked.flatMap(({ etcd }) => etcd?.homes ?? []);
    const wroteLast = this.#parts.memory.revisionOf(this.#platform, home);
    return new Map(
      asked.map(({ name, etcd, redis, report }) => [
        name,
        {
          etcd:
            etcd &&
            etcdSight(etcd, {
              isHome: name === home,
              home,
              epoch: epochOf(this.#platform),
              homes,
              source,
              wroteLast,
              report,
            }),
          redis: redis && redisSight(this.#platform, redis, (of) => this.#addressOf(COMPONENT.redis, of)),
        },
      ]),
    );
  }

  async #etcd(zone: string): Promise<EtcdState | undefined> {
    if (!replicatesEtcd(this.#platform)) return undefined;
    const admin = this.#world.etcd(this.#platform, this.#parts.etcd, (of) =>
      this.#addressOf(COMPONENT.etcd, of),
    );
    const state = await this.#answer(zone, admin.state(zone));
    return state?.reachable === true ? state : undefined;
  }

  async #redis(zone: string): Promise<RedisState | undefined> {
    if (!managesRedis(this.#platform)) return undefined;
    const at = this.#addressOf(COMPONENT.redis, zone);
    const address = redisAddress(this.#platform, zone, this.#parts.inner, at);
    return this.#answer(zone, this.#world.redis.look(address));
  }

  async #report(zone: string): Promise<ReplicationState | undefined> {
    const [pod] = this.#of(COMPONENT.replicator, zone);
    if (pod?.status?.podIP === undefined) return undefined;
    return this.#answer(zone, this.#world.gateways.replication(pod.status.podIP));
  }
}

interface Service extends KubeObject {
  spec?: { selector?: Record<string, string> };
}

interface Stores {
  etcd: EtcdSight | undefined;
  redis: RedisSight | undefined;
}

/**
 * A zone's etcd beside the home's. `wroteLast`: revision with which the home was fenced; a home that is fenced and whose
 * revision nobody remembers is fenced once more, which tells it.
 */
export function etcdSight(
  state: EtcdState,
  seen: {
    isHome: boolean;
    home: string;
    epoch: number;
    /** Records of homes, of all zones that answer. */
    homes: readonly HomeRecord[];
    source: EtcdState | undefined;
    wroteLast: bigint | undefined;
    report: ReplicationState | undefined;
  },
): EtcdSight {
  const held = checkpointOf(state, seen);
  return {
    epoch: state.epoch ?? 1,
    fenced: state.fenced === true && !(seen.isHome && seen.wroteLast === undefined),
    behind: seen.isHome ? undefined : behind(held, seen),
    holds: held && { epoch: held.epoch, revision: Number(held.revision) },
  };
}

/** The zone's checkpoint, if it is of the home of now, and whole. */
function checkpointOf(
  { checkpoint }: EtcdState,
  { home, homes, epoch }: Pick<Parameters<typeof etcdSight>[1], 'home' | 'homes' | 'epoch'>,
): ReplicationCheckpoint | undefined {
  if (checkpoint === undefined || checkpoint.snapshot !== undefined) return undefined;
  if (checkpoint.homeZone !== undefined && checkpoint.homeZone !== home) return undefined;
  const isPast = homeSince(home, checkpoint, { homes, settled: epoch }) !== undefined;
  return isPast ? undefined : checkpoint;
}

/** Revisions of the home that the zone does not hold yet, whole; undefined: unknown. */
function behind(
  checkpoint: ReplicationCheckpoint | undefined,
  { epoch, source, wroteLast, report }: Omit<Parameters<typeof etcdSight>[1], 'isHome'>,
): number | undefined {
  const end = source?.fenced === true ? wroteLast : source?.revision;
  if (end === undefined || checkpoint === undefined) return undefined;
  // The checkpoint is written with changes; that nothing came since, only the replicator knows.
  const isLive = report?.phase === 'Following' && report.epoch === epoch && report.revision !== undefined;
  const reached = [BigInt(checkpoint.revision), ...(isLive ? [BigInt(report.revision ?? 0)] : [])];
  const missing = BigInt(end) - reached.reduce((a, b) => (a > b ? a : b));
  return missing > 0n ? Number(missing) : 0;
}

function redisSight(
  platform: MessagePlatform,
  state: RedisState,
  addressOf: (zone: string) => string | undefined,
): RedisSight {
  const { primaryHost } = state;
  const isAt = (zone: string): boolean =>
    primaryHost === redisHost(platform, zone) || primaryHost === addressOf(zone);
  const follows = primaryHost && platform.spec.zones.find(({ name }) => isAt(name))?.name;
  return {
    role: state.role,
    fenced: state.fenced === true,
    unguarded: planRedisGuard(platform, new Map([[homeOf(platform), state]])).some(
      ({ act }) => act === 'guard',
    ),
    inSync: state.inSync === true && follows === homeOf(platform),
    follows,
    offset: state.offset,
  };
}

/** The answer, if it comes in time. */
export async function answerOf<T>(clock: Clock, asked: Promise<T>, ms: number): Promise<T | undefined> {
  const late = new AbortController();
  const timeout = clock.sleep(ms, late.signal).then(
    () => undefined,
    () => undefined,
  );
  try {
    return await Promise.race([asked, timeout]);
  } catch {
    // Silent is what it is; why does not matter to who must go on without it.
    return undefined;
  } finally {
    late.abort();
    asked.catch(() => undefined);
  }
}
