/** Reads the world for one platform: caches, the user's Secrets, Kafka, Redis. Writes nothing. */
import { COMPONENT, SECRET_KEY, kafkaTopic, objectName } from '@causeway/crds';
import { decodeSecret, type HeldSecrets, type SecretData } from '../certificates/index.ts';
import type { KubeApi, KubeObject, ObjectRef } from '../controller/kube-api.ts';
import { KafkaFailure, type KafkaAccess, type KafkaAdmin } from './kafka.ts';
import { KIND } from './kinds.ts';
import { managesRedis, redisHost, type RedisState } from './redis.ts';
import type { RedisAddress } from './redis-admin.ts';
import { claimedByOthers, type KafkaSnapshot, type TopicClaimant } from './topics.ts';
import { epochOf, homeOf, type MessagePlatform, type Problem } from './types.ts';
import { userSecretNeeds, type UserSecrets } from './user-secrets.ts';
import { isOf, isServing, type Node, type Pod, type Workload } from './workloads.ts';
import type { PlatformWorld } from './world.ts';

/** Enough of Kubernetes to look something up. */
export interface KubeReader {
  kube: Pick<KubeApi, 'get'>;
}

interface Secret extends KubeObject {
  data?: Record<string, string>;
}

/** The platform's own Secrets. What the cache lacks is asked for: a second authority must never be made in doubt. */
export async function heldSecrets(
  world: Pick<PlatformWorld, 'cache'> & KubeReader,
  platform: MessagePlatform,
): Promise<HeldSecrets> {
  const { namespace, name } = platform.metadata;
  const read = async (secretName: string): Promise<SecretData | undefined> => {
    const ref = { namespace, name: secretName };
    const cached: Secret | undefined = world.cache.get(KIND.secret, ref);
    const secret = cached ?? (await world.kube.get<Secret>(KIND.secret, ref));
    return secret === undefined ? undefined : decodeSecret(secret.data);
  };
  const [authority, served, inner, client] = await Promise.all(
    [
      objectName.authority(name),
      objectName.tls(name),
      objectName.internal(name),
      objectName.client(name),
    ].map(read),
  );
  return { authority, served, inner, client };
}

/** The platform as it is stored now, if its home is still the one that was seen. */
export async function storedAtHome(
  { kube }: KubeReader,
  platform: MessagePlatform,
): Promise<MessagePlatform | undefined> {
  const { namespace, name } = platform.metadata;
  const stored = await kube.get<MessagePlatform>(KIND.platform, { namespace, name });
  if (stored === undefined) return undefined;
  return homeOf(stored) === homeOf(platform) && epochOf(stored) === epochOf(platform) ? stored : undefined;
}

/** The user's Secrets, by name. They are not cached: the operator follows only what it owns. */
export async function userSecrets(world: KubeReader, platform: MessagePlatform): Promise<UserSecrets> {
  const { namespace } = platform.metadata;
  const names = [...new Set(userSecretNeeds(platform).map((need) => need.secret))];
  const read = async (name: string): Promise<[string, SecretData | undefined]> => {
    const secret = await world.kube.get<Secret>(KIND.secret, { namespace, name });
    return [name, secret === undefined ? undefined : decodeSecret(secret.data)];
  };
  return new Map(await Promise.all(names.map(read)));
}

/** The platform's Deployments, StatefulSets and Pods, and all nodes. */
export function workloads(
  world: PlatformWorld,
  ref: ObjectRef,
): { workloads: Workload[]; pods: Pod[]; nodes: Node[] } {
  return {
    workloads: [
      ...world.cache.ofPlatform(KIND.deployment, ref),
      ...world.cache.ofPlatform(KIND.statefulSet, ref),
    ],
    pods: world.cache.ofPlatform(KIND.pod, ref),
    nodes: world.cache.all(KIND.node),
  };
}

/** Kafka, as far as the platform's topics go: those asked for, and those that status knows. */
export async function lookAtKafka(
  world: { kafka: Pick<KafkaAdmin, 'look'> },
  platform: MessagePlatform,
  access: KafkaAccess | undefined,
): Promise<KafkaSnapshot | Problem | undefined> {
  if (access === undefined) return undefined; // The missing Secret is a problem of its own.
  const asked = platform.spec.kafka.topics.map((topic) => kafkaTopic(platform.metadata.name, topic.name));
  const known = (platform.status?.topics ?? []).map((topic) => topic.name);
  try {
    return await world.kafka.look(access, [...new Set([...asked, ...known])]);
  } catch (error) {
    return kafkaProblem(error);
  }
}

/** A failure of Kafka as a problem; any other error goes on. */
export function kafkaProblem(error: unknown): Problem {
  if (!(error instanceof KafkaFailure)) throw error;
  return {
    part: 'Topics',
    reason: error.reason,
    message: error.message,
    needsPerson: error.reason !== 'KafkaUnreachable',
  };
}

/** Topic names that older platforms with the same Kafka claim. */
export function claimedTopics(
  world: Pick<PlatformWorld, 'cache'>,
  platform: MessagePlatform,
): Map<string, string> {
  const others = world.cache.all(KIND.platform).map((other) => claimant(other as MessagePlatform));
  return claimedByOthers(claimant(platform), others);
}

function claimant(platform: MessagePlatform): TopicClaimant {
  return {
    ...platform.metadata,
    creationTimestamp: platform.metadata.creationTimestamp ?? '',
    bootstrapServers: platform.spec.kafka.bootstrapServers,
    topics: platform.spec.kafka.topics.map((topic) => topic.name),
  };
}

/** How to reach the Redis of one zone, with the inner certificate. */
export function redisAddress(
  platform: MessagePlatform,
  zone: string,
  inner: SecretData | undefined,
  address?: string,
): RedisAddress {
  const host = redisHost(platform, zone);
  const ca = inner?.[SECRET_KEY.ca];
  const cert = inner?.[SECRET_KEY.cert];
  const key = inner?.[SECRET_KEY.key];
  const at = address === undefined ? { host } : { host, address };
  if (ca === undefined || cert === undefined || key === undefined) return at;
  return { ...at, tls: { ca, cert, key } };
}

/** What each managed Redis with a ready pod says of itself. One that does not answer is left out. */
export async function lookAtRedis(
  world: PlatformWorld,
  platform: MessagePlatform,
  seen: { pods: readonly Pod[]; inner: SecretData | undefined },
): Promise<{ states: Map<string, RedisState>; problems: Problem[] }> {
  const states = new Map<string, RedisState>();
  const problems: Problem[] = [];
  if (!managesRedis(platform)) return { states, problems };
  const zones = platform.spec.zones
    .map((zone) => zone.name)
    .filter((zone) => servingRedis(seen.pods, zone) !== undefined);
  await Promise.all(
    zones.map(async (zone) => {
      const address = redisAddress(platform, zone, seen.inner, redisPodAddress(seen.pods, zone));
      try {
        states.set(zone, await world.redis.look(address));
      } catch (error) {
        problems.push(redisProblem(address.host, error));
      }
    }),
  );
  return { states, problems };
}

/** A Redis that does not answer although its pod is ready. */
export function redisProblem(host: string, error: unknown): Problem {
  const text = error instanceof Error ? error.message : String(error);
  const message = `Redis ${host} does not answer the operator: ${text}. It is tried again.`;
  return { part: 'Redis', reason: 'RedisUnreachable', message, needsPerson: false };
}

/**
 * Where the Redis of a zone is, as far as Kubernetes says; undefined: nothing serves there. A name would have to be looked up,
 * and the name servers may have gone with another zone: the lookups then hold all threads of this process.
 */
export function redisPodAddress(pods: readonly Pod[], zone: string): string | undefined {
  return servingRedis(pods, zone)?.status?.podIP;
}

function servingRedis(pods: readonly Pod[], zone: string): Pod | undefined {
  return pods.find((pod) => isOf(pod, COMPONENT.redis, zone) && isServing(pod));
}
