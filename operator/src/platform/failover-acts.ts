/** Does what a failover decided. Each act may be repeated, and throws when it could not be done. */
import { isDeepStrictEqual } from 'node:util';
import { ANNOTATION, COMPONENT, LABEL, PORT, type MessagePlatformStatus } from '@causeway/crds';
import { applyShare } from '../controller/apply-status.ts';
import { toMicroTime } from '../controller/conditions.ts';
import { keyOf } from '../controller/keys.ts';
import { isNotFound, isConflict } from '../controller/kube-api.ts';
import type { Act, GatewaySight } from '../failover/index.ts';
import { desiredObjects } from './desired.ts';
import type { FenceMemory } from './failover-memory.ts';
import { podAddress, storeSecrets, type FailoverPlatformWorld } from './failover-sight.ts';
import { tellHome } from './home-notice.ts';
import { CHILD_KINDS, KIND } from './kinds.ts';
import { redisAddress, userSecrets } from './observe.ts';
import { redisHost, type RedisAction } from './redis.ts';
import { epochOf, homeOf, type MessagePlatform } from './types.ts';
import { kafkaAccess } from './user-secrets.ts';

/** Field manager of what failovers write into a platform's status. */
const MANAGER = 'causeway-failover';

/** A failover, as far as acts go. */
export interface Actor {
  name: string;
  platform: MessagePlatform;
}

/** One act. */
export async function performAct(
  world: FailoverPlatformWorld,
  actor: Actor,
  { act, memory }: { act: Act; memory: FenceMemory },
): Promise<void> {
  const { platform, name } = actor;
  switch (act.act) {
    case 'claim':
      return claim(world, actor, act.over);
    case 'takeOut':
      return writeShare(world, actor, {
        mayHold: (holder) => holder === name,
        change: ({ failover, away }) => {
          if (failover === undefined) throw new Error(NOT_OURS);
          const own = { zone: act.zone, failover: name, ...replicasOf(act.replicas) };
          return { away: [...others(away, act.zone), own] };
        },
      });
    case 'takeIn':
      // A zone may be given back long after another failover has the platform.
      return writeShare(world, actor, {
        mayHold: () => true,
        change: ({ away }) => ({
          away: away.filter((one) => one.zone !== act.zone || one.failover !== name),
        }),
      });
    case 'moveHome':
      return moveHome(world, actor, act);
    case 'shift':
      return shift(world, platform, act);
    case 'outOfService':
    case 'intoService':
    case 'drain':
      return tellPods(world, actor, act);
    case 'fenceEtcd':
    case 'promoteEtcd':
      return tellEtcd(world, platform, { act, memory });
    case 'orderReplicas':
    case 'electLeaders':
      return tellKafka(world, platform, act);
    default:
      return tellRedis(world, platform, act);
  }
}

const NOT_OURS = 'the platform is not ours any more';

type Away = NonNullable<MessagePlatformStatus['away']>;

function others(away: Away, zone: string): Away {
  return away.filter((one) => one.zone !== zone);
}

function replicasOf(replicas: number | undefined): { replicas?: number } {
  return replicas === undefined ? {} : { replicas };
}

/** The part of a platform's status that failovers own. */
interface Share {
  failover: { name: string } | undefined;
  away: Away;
  homeZone: string;
  epoch: number;
}

/**
 * Changes the share, over the version that is stored now, whoever writes at the same time. What the change does not name
 * stays. Throws a conflict when the platform changed in between. `mayHold`: whose claim it may be meanwhile.
 */
async function writeShare(
  world: FailoverPlatformWorld,
  { platform }: Actor,
  { change, mayHold }: { change: (share: Share) => Partial<Share>; mayHold: (claim: string) => boolean },
): Promise<void> {
  const { namespace, name, uid } = platform.metadata;
  const ref = { namespace, name };
  const stored = (await world.kube.get(KIND.platform, ref)) as MessagePlatform | undefined;
  if (stored === undefined || stored.metadata.uid !== uid) return;
  const { failover, away = [] } = stored.status ?? {};
  if (failover !== undefined && !mayHold(failover.name))
    throw new Error(`the platform is ZoneFailover ${failover.name}'s by now`);
  const share: Share = { failover, away, homeZone: homeOf(stored), epoch: epochOf(stored) };
  const changed = { ...share, ...change(share) };
  if (isDeepStrictEqual(changed, share)) return;
  const status: MessagePlatformStatus = {
    homeZone: changed.homeZone,
    epoch: changed.epoch,
    ...(changed.failover === undefined ? {} : { failover: changed.failover }),
    ...(changed.away.length === 0 ? {} : { away: changed.away }),
  };
  await applyShare(world.kube, { kind: KIND.platform, manager: MANAGER }, stored, status);
}

function claim(world: FailoverPlatformWorld, actor: Actor, over: string | undefined): Promise<void> {
  return writeShare(world, actor, {
    mayHold: (holder) => holder === actor.name || holder === over,
    change: () => ({ failover: { name: actor.name } }),
  });
}

/** The platform is nobody's. */
export function releaseClaim(world: FailoverPlatformWorld, actor: Actor): Promise<void> {
  return writeShare(world, actor, {
    mayHold: () => true,
    change: ({ failover }) => ({ failover: failover?.name === actor.name ? undefined : failover }),
  });
}

/** The point of no return. With the lock, no command to a Redis by the home of before is under way. */
function moveHome(
  world: FailoverPlatformWorld,
  actor: Actor,
  { zone, epoch }: Extract<Act, { act: 'moveHome' }>,
): Promise<void> {
  return world.homes.run(keyOf(actor.platform.metadata), () =>
    writeShare(world, actor, {
      mayHold: (holder) => holder === actor.name,
      change: (share) => {
        if (share.failover === undefined) throw new Error(NOT_OURS);
        if (share.epoch > epoch || (share.epoch === epoch && share.homeZone !== zone))
          throw new Error(`the platform is in epoch ${share.epoch}, with its home in ${share.homeZone}`);
        return { homeZone: zone, epoch };
      },
    }),
  );
}

/**
 * What points at the home, as the platform has it now. The platform's own reconcile does all the rest, a moment later: pods that start,
 * such as replicators, take the time of gateways that come back to Redis.
 */
async function shift(
  world: FailoverPlatformWorld,
  platform: MessagePlatform,
  { replicators }: Extract<Act, { act: 'shift' }>,
): Promise<void> {
  const points = desiredObjects(platform, world.images).filter(({ kind, metadata: { labels } }) => {
    if (kind === 'Service') return true;
    if (labels?.[LABEL.component] === COMPONENT.gateway) return kind === 'ConfigMap';
    return replicators && labels?.[LABEL.component] === COMPONENT.replicator;
  });
  await Promise.all(
    points.map(async (object) => {
      const kind = CHILD_KINDS.find((one) => one.kind === object.kind);
      if (kind !== undefined) await world.applier.apply(kind, object);
    }),
  );
  await tellHome(world, platform);
}

async function tellPods(
  world: FailoverPlatformWorld,
  { name, platform }: Actor,
  act: Extract<Act, { act: 'outOfService' | 'intoService' | 'drain' }>,
): Promise<void> {
  const { namespace } = platform.metadata;
  const toldAt = { [ANNOTATION.drainToldAt]: toMicroTime(world.clock.now()) };
  const tell = async ({ name: pod, uid }: GatewaySight, metadata: object): Promise<void> => {
    try {
      await world.kube.mergePatch(KIND.pod, { namespace, name: pod }, { metadata: { uid, ...metadata } });
    } catch (error) {
      // It went meanwhile: the pod that takes its place is seen at the next look.
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  };
  if (act.act === 'drain') {
    await Promise.all(
      act.pods.map(({ pod, perSecond }) =>
        tell(pod, { annotations: { [ANNOTATION.drain]: String(perSecond), ...toldAt } }),
      ),
    );
    return;
  }
  const out = act.act === 'outOfService';
  const metadata = {
    labels: { [LABEL.serving]: out ? 'false' : 'true' },
    annotations: out
      ? { [ANNOTATION.failover]: name }
      : { [ANNOTATION.failover]: null, [ANNOTATION.drain]: null, ...toldAt },
  };
  await Promise.all(act.pods.map((pod) => tell(pod, metadata)));
}

function addressOf(
  world: FailoverPlatformWorld,
  platform: MessagePlatform,
  component: string,
  zone: string,
): string | undefined {
  return podAddress(world.cache.ofPlatform(KIND.pod, platform.metadata), component, zone);
}

async function tellEtcd(
  world: FailoverPlatformWorld,
  platform: MessagePlatform,
  { act, memory }: { act: Extract<Act, { act: 'fenceEtcd' | 'promoteEtcd' }>; memory: FenceMemory },
): Promise<void> {
  const { etcd } = await storeSecrets(world, platform);
  const admin = world.etcd(platform, etcd, (zone) => addressOf(world, platform, COMPONENT.etcd, zone));
  if (act.act === 'fenceEtcd') {
    const { revision } = await admin.fence(act.zone, act.epoch);
    memory.fenced(platform, act.zone, revision);
    return;
  }
  await admin.promote(act.zone, act.epoch, act.from, { settled: epochOf(platform) });
  memory.lifted(platform, act.zone);
}

async function tellKafka(
  world: FailoverPlatformWorld,
  platform: MessagePlatform,
  act: Extract<Act, { act: 'orderReplicas' | 'electLeaders' }>,
): Promise<void> {
  const access = kafkaAccess(platform, await userSecrets(world, platform));
  if (access === undefined) throw new Error('a Secret of kafka is missing');
  if (act.act === 'orderReplicas') await world.kafka.reorder(access, act.orders);
  else await world.kafka.elect(access, act.partitions);
}

const REDIS_ACT = { fenceRedis: 'fence', promoteRedis: 'promote', guardRedis: 'guard' } as const;

async function tellRedis(
  world: FailoverPlatformWorld,
  platform: MessagePlatform,
  act: Extract<Act, { act: 'fenceRedis' | 'promoteRedis' | 'followRedis' | 'guardRedis' }>,
): Promise<void> {
  const { inner } = await storeSecrets(world, platform);
  const { zone } = act;
  const at = addressOf(world, platform, COMPONENT.redis, zone);
  const action: RedisAction =
    act.act === 'followRedis'
      ? { zone, act: 'follow', host: followed(world, platform, act.home), port: PORT.redis }
      : { zone, act: REDIS_ACT[act.act] };
  await world.homes.run(keyOf(platform.metadata), () =>
    world.redis.act(redisAddress(platform, zone, inner, at), action),
  );
}

/** An address where there is one: Redis looks names up in the thread that serves clients, and name servers may be away. */
function followed(world: FailoverPlatformWorld, platform: MessagePlatform, home: string): string {
  return addressOf(world, platform, COMPONENT.redis, home) ?? redisHost(platform, home);
}
