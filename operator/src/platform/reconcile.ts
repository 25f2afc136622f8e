/** Makes the world as a MessagePlatform wants it: read, decide, act, say so in status. Level-triggered. */
import { isDeepStrictEqual } from 'node:util';
import {
  SECRET_KEY,
  TOPICS_FINALIZER,
  certificateKey,
  objectName,
  type MessagePlatformStatus,
  type ReplicationState,
} from '@causeway/crds';
import {
  inspectCertificate,
  issueDue,
  planCertificates,
  servedVersion,
  type CertificatePlan,
  type HeldSecrets,
  type IssuedSecrets,
  type SecretData,
} from '../certificates/index.ts';
import type { ReconcileContext, Reconciler, ReconcileResult } from '../controller/controller.ts';
import { toRfc3339 } from '../controller/conditions.ts';
import { addFinalizer, hasFinalizer, removeFinalizer } from '../controller/finalizers.ts';
import { keyOf } from '../controller/keys.ts';
import { isConflict, type ObjectRef } from '../controller/kube-api.ts';
import { applyObjects, pruneObjects } from './children.ts';
import { certificateWish, desiredObjects, desiredSecrets } from './desired.ts';
import { dnsCondition, reconcileDns, type DnsCondition } from './dns-effects.ts';
import { reconcileEtcdFences } from './etcd-fences.ts';
import { managesEtcd } from './etcd.ts';
import { finalize } from './finalize.ts';
import { keepHomeTold } from './home-notice.ts';
import { KIND } from './kinds.ts';
import {
  claimedTopics,
  heldSecrets,
  lookAtRedis,
  redisAddress,
  redisPodAddress,
  redisProblem,
  storedAtHome,
  userSecrets,
  workloads,
  type KubeReader,
} from './observe.ts';
import {
  planRedisGuard,
  planRedisReloads,
  planRedisRoles,
  type RedisAction,
  type RedisState,
} from './redis.ts';
import { lookAtReplication, replicationProblems } from './replication-look.ts';
import { restartOneEtcd } from './restart-etcd.ts';
import { announcements, platformStatus } from './status.ts';
import { rotate, type RotationOutcome } from './rotate.ts';
import { toldVersions } from './rotation-look.ts';
import { rotationRecord, rotationStatus, type RotationRecord } from './rotation-status.ts';
import { writeStatus } from './status-effects.ts';
import { reconcileTopics } from './topic-effects.ts';
import type { TopicStatus } from './topics.ts';
import { homeOf, isPaused, type MessagePlatform, type Problem } from './types.ts';
import { kafkaAccess, userSecretProblems, type UserSecrets } from './user-secrets.ts';
import { podProblems, zoneFacts, zoneProblems } from './workloads.ts';
import type { PlatformWorld } from './world.ts';

/** While the cache is behind our own writes, how soon to look again; milliseconds. */
const CATCH_UP_MS = 100;
/**
 * How soon to look again at a platform whose home is on its way; milliseconds. All that a new home changes would be written just when
 * the failover has to be quick: it took 0.3 to 0.8 s of the time in which nobody had a home.
 */
const MOVING_MS = 250;
/** How soon to look again at a platform that changed under our hands, if the cache does not say so before; milliseconds. */
const CHANGED_MS = 1_000;
/** While a platform is not ready, how soon to look again at what sends no events (Kafka, Redis); milliseconds. */
const UNSETTLED_MS = 2_000;

/** The reconciler of MessagePlatforms. */
export function platformReconciler(world: PlatformWorld): Reconciler {
  return async (ref, context) => {
    const platform = world.cache.get(KIND.platform, ref) as MessagePlatform | undefined;
    if (platform === undefined) return {};
    if (!cacheIsCurrent(world, ref)) return { requeueAfterMs: CATCH_UP_MS };
    if (world.isMoving(ref)) return { requeueAfterMs: MOVING_MS };
    if (platform.metadata.deletionTimestamp !== undefined) return finalize(world, platform, context);
    try {
      return await reconcilePlatform(world, platform, context);
    } catch (error) {
      if (!isConflict(error)) throw error;
      // Somebody changed it while we worked: a failover, or a person. What we decided on is not so any more.
      return { requeueAfterMs: CHANGED_MS };
    }
  };
}

/** Decisions on an old state of our own doing would repeat it: a second certificate, a topic taken for foreign. */
function cacheIsCurrent(world: PlatformWorld, ref: ObjectRef): boolean {
  const secrets = [objectName.authority, objectName.tls, objectName.internal, objectName.client].map((of) =>
    of(ref.name),
  );
  return (
    world.cache.hasSeenOurWrites(KIND.platform, ref) &&
    secrets.every((name) => world.cache.hasSeenOurWrites(KIND.secret, { ...ref, name }))
  );
}

interface Outcome {
  problems: Problem[];
  /** Errors that nothing explains; the reconcile fails with them after status is written. */
  errors: unknown[];
}

async function reconcilePlatform(
  world: PlatformWorld,
  stored: MessagePlatform,
  context: ReconcileContext,
): Promise<ReconcileResult> {
  const paused = isPaused(stored);
  const platform = paused ? stored : await ensureFinalizer(world, stored);
  const outcome: Outcome = { problems: [], errors: [] };
  const secrets = await userSecrets(world, platform);
  outcome.problems.push(...userSecretProblems(platform, secrets, world.clock.now()));

  const made = paused
    ? { held: await heldSecrets(world, platform), rotation: undefined }
    : await makeObjects(world, platform, { secrets, outcome, context });
  const { held } = made;

  const access = kafkaAccess(platform, secrets);
  const topics = await reconcileTopics(world, platform, {
    access,
    paused,
    claimed: claimedTopics(world, platform),
  });
  outcome.problems.push(...topics.problems);

  const redis = await reconcileRedis(world, platform, { inner: held.inner, paused });
  outcome.problems.push(...redis.problems);

  const { pods } = workloads(world, platform.metadata);
  const secret = etcdSecret(platform, { inner: held.inner, secrets });
  outcome.problems.push(...(await reconcileEtcdFences(world, platform, { pods, secret, paused })));
  const replication = await lookAtReplication(world, platform, pods);
  outcome.problems.push(...replicationProblems(replication));

  const dns = await dnsOf(world, platform, { pods, paused, outcome });
  const status = await saveStatus(world, topics.stored, {
    topics: topics.topics,
    redis: redis.states,
    replication,
    certificates: certificateStatus(held, made.rotation?.record ?? rotationRecord(platform)),
    rotating: made.rotation?.condition,
    dns,
    problems: outcome.problems,
    paused,
  });
  if (outcome.errors.length > 0) throw new AggregateError(outcome.errors, describeErrors(outcome.errors));
  const settled = isReady(status) ? jittered(world) : UNSETTLED_MS;
  return { requeueAfterMs: Math.min(settled, Math.max(made.rotation?.lookAfter ?? settled, CATCH_UP_MS)) };
}

/** A record that could not be looked at holds nothing else up: what was said of it is so until the next try. */
async function dnsOf(
  world: PlatformWorld,
  platform: MessagePlatform,
  { outcome, ...seen }: Parameters<typeof reconcileDns>[2] & { outcome: Outcome },
): Promise<DnsCondition | undefined> {
  try {
    return await reconcileDns(world, platform, seen);
  } catch (error) {
    outcome.errors.push(error);
    return dnsCondition(platform);
  }
}

function describeErrors(errors: readonly unknown[]): string {
  return errors.map((error) => (error instanceof Error ? error.message : String(error))).join('; ');
}

function isReady(status: MessagePlatformStatus): boolean {
  return status.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false;
}

/** ±20 %, so that platforms do not look at Kafka all at once. */
function jittered(world: PlatformWorld): number {
  return world.resyncMs * (0.8 + 0.4 * world.clock.random());
}

/** The finalizer holds the platform for the topics that live outside; it must be there before the first topic. */
async function ensureFinalizer(world: PlatformWorld, platform: MessagePlatform): Promise<MessagePlatform> {
  if (platform.spec.kafka.deletionPolicy === 'Delete') {
    return addFinalizer(world.kube, KIND.platform, platform, TOPICS_FINALIZER);
  }
  if (!hasFinalizer(platform, TOPICS_FINALIZER)) return platform;
  return (await removeFinalizer(world.kube, KIND.platform, platform, TOPICS_FINALIZER)) ?? platform;
}

/** What is due of a platform's certificates, and what its Secrets are to hold. */
export interface Certificates {
  plan: CertificatePlan;
  /** What they hold now. */
  held: HeldSecrets;
  issued: IssuedSecrets;
}

/** Issues what is due, in memory; the Secrets are written with the other objects. */
export async function certificatesOf(
  world: Pick<PlatformWorld, 'cache' | 'clock' | 'issuer'> & KubeReader,
  platform: MessagePlatform,
  seen: { secrets: UserSecrets; problems: readonly Problem[] },
): Promise<Certificates> {
  const now = world.clock.now();
  const source = platform.spec.tls.issuer?.secretRef?.name;
  const refused = seen.problems.some((problem) => problem.part === 'Certificates');
  const supplied = source === undefined || refused ? undefined : seen.secrets.get(source);
  const wish = certificateWish(platform, supplied);
  const held = await heldSecrets(world, platform);
  const { rotation, last } = rotationRecord(platform);
  // Also when the Secret is lost, a number that some pod may be told is not used again.
  const served = platform.status?.certificates?.version ?? 0;
  const lastVersion = Math.max(served, last?.to ?? 0, rotation?.to ?? 0);
  const plan = planCertificates(wish, held, now, { rotation, lastVersion });
  const told = toldVersions(world.cache.ofPlatform(KIND.pod, platform.metadata));
  const context = { platform: platform.metadata.name, wish, held, now, rotation, told };
  const issued = await issueDue(plan, context, world.issuer);
  return { plan, held, issued };
}

function certificateStatus(
  held: HeldSecrets,
  rotations: RotationRecord,
): MessagePlatformStatus['certificates'] {
  const version = servedVersion(held.served);
  const facts = inspectCertificate(held.served?.[certificateKey(version)]);
  const inner = inspectCertificate(held.inner?.[SECRET_KEY.cert]);
  const authority = inspectCertificate(held.authority?.[SECRET_KEY.ca]);
  if (facts === undefined || authority === undefined) return undefined;
  return {
    version,
    fingerprint: facts.fingerprint,
    notAfter: toRfc3339(facts.notAfter),
    ...(inner === undefined ? {} : { innerNotAfter: toRfc3339(inner.notAfter) }),
    authorityNotAfter: toRfc3339(authority.notAfter),
    ...rotationStatus(rotations),
  };
}

/**
 * Issues what is due, applies what differs and deletes what is left over. One object's failure does not stop the
 * others. Then a rotation goes one step on. Returns what the platform's Secrets hold by then: a certificate that could
 * not be stored does not exist.
 */
async function makeObjects(
  world: PlatformWorld,
  platform: MessagePlatform,
  { secrets: given, outcome, context }: { secrets: UserSecrets; outcome: Outcome; context: ReconcileContext },
): Promise<{ held: HeldSecrets; rotation: RotationOutcome | undefined }> {
  const certificates = await certificatesOf(world, platform, { secrets: given, problems: outcome.problems });
  const secrets = desiredSecrets(platform, certificates.issued);
  const objects = [...secrets, ...desiredObjects(platform, world.images)];
  for (const step of certificates.plan.steps) {
    context.log.info('certificate issued', { what: step.issue, reason: step.reason });
  }
  const blocked = new Set(
    outcome.problems.filter((problem) => problem.reason.startsWith('Secret')).map(({ part }) => part),
  );
  const isNew = certificates.plan.steps.some(
    (step) => step.issue === 'authority' && step.reason === 'Missing',
  );
  const newAuthority = isNew ? secrets[0] : undefined;
  const applied = await applyObjects(world, platform, {
    objects,
    blocked,
    newAuthority,
    signal: context.signal,
  });
  outcome.problems.push(...applied.problems);
  outcome.errors.push(...applied.errors);
  if (applied.errors.length === 0) await pruneObjects(world, platform, objects);
  outcome.errors.push(...(await keepHomeTold(world, platform)));
  if (!applied.secretsStored) return { held: certificates.held, rotation: undefined };
  const held = certificates.issued;
  await restartOneEtcd(world, platform, { authority: held.authority, log: context.log });
  return { held, rotation: await rotate(world, platform, { plan: certificates.plan, held }) };
}

/** The Secret with which the etcds are reached, as far as it is there. */
function etcdSecret(
  platform: MessagePlatform,
  { inner, secrets }: { inner: HeldSecrets['inner']; secrets: UserSecrets },
): SecretData | undefined {
  if (managesEtcd(platform)) return inner;
  const name = platform.spec.etcd.external?.secretRef?.name;
  return name === undefined ? undefined : secrets.get(name);
}

/** Says to each Redis what it should be, where that differs. */
async function reconcileRedis(
  world: PlatformWorld,
  platform: MessagePlatform,
  { inner, paused }: { inner: HeldSecrets['inner']; paused: boolean },
): Promise<{ states: Map<string, RedisState>; problems: Problem[] }> {
  const { pods } = workloads(world, platform.metadata);
  const { states, problems } = await lookAtRedis(world, platform, { pods, inner });
  if (paused) return { states, problems };
  const fingerprint = inspectCertificate(inner?.[SECRET_KEY.cert])?.fingerprint;
  const act = async (action: RedisAction): Promise<void> => {
    const at = redisPodAddress(pods, action.zone);
    const address = redisAddress(platform, action.zone, inner, at);
    try {
      await world.redis.act(address, action);
      states.set(action.zone, await world.redis.look(address));
    } catch (error) {
      problems.push(redisProblem(address.host, error));
    }
  };
  for (const action of planRedisReloads(fingerprint, states)) await act(action);
  const home = redisPodAddress(pods, homeOf(platform));
  const roles = [...planRedisRoles(platform, states, home), ...planRedisGuard(platform, states)];
  if (roles.length === 0 || platform.status?.failover !== undefined) return { states, problems };
  await world.homes.run(keyOf(platform.metadata), async () => {
    if (!(await isStillHome(world, platform))) return;
    for (const action of roles) await act(action);
  });
  return { states, problems };
}

/** A failover may have begun since the cache saw the platform: then the roles are its own, and a late word makes two homes. */
async function isStillHome(world: PlatformWorld, platform: MessagePlatform): Promise<boolean> {
  const stored = await storedAtHome(world, platform);
  return stored !== undefined && stored.status?.failover === undefined;
}

/** Works out the status, writes it when it differs, and tells people what changed. */
async function saveStatus(
  world: PlatformWorld,
  platform: MessagePlatform,
  seen: {
    topics: readonly TopicStatus[];
    redis: ReadonlyMap<string, RedisState>;
    replication: ReadonlyMap<string, ReplicationState>;
    certificates: MessagePlatformStatus['certificates'];
    rotating: RotationOutcome['condition'];
    dns: DnsCondition | undefined;
    problems: readonly Problem[];
    paused: boolean;
  },
): Promise<MessagePlatformStatus> {
  const { workloads: own, pods, nodes } = workloads(world, platform.metadata);
  const status = platformStatus({
    ...seen,
    platform,
    zones: zoneFacts(platform, own, nodes),
    problems: [...seen.problems, ...zoneProblems(platform, nodes), ...podProblems(pods)],
    now: world.clock.now(),
  });
  // What failovers write there is theirs.
  const { failover: _failover, away: _away, automaticFailover: _automatic, ...ours } = platform.status ?? {};
  if (isDeepStrictEqual(status, ours)) return status;
  await writeStatus(world, platform, status);
  for (const { type, reason, message, warning } of announcements(platform.status, status)) {
    world.events.event(platform, {
      type: warning ? 'Warning' : 'Normal',
      reason,
      action: type,
      note: message,
    });
  }
  return status;
}
