/** The plan of one platform: the operator's own decisions, over what is there, with nothing carried out. */
import { isDeepStrictEqual } from 'node:util';
import type { CertificateIssuer, KeyPair } from '../certificates/index.ts';
import { systemClock, type KubeApi, type KubeObject } from '../controller/index.ts';
import {
  certificatesOf,
  CHILD_KINDS,
  claimedTopics,
  desiredObjects,
  desiredSecrets,
  foreignObject,
  isHeldBack,
  isOurs,
  isPaused,
  kafkaAccess,
  lookAtKafka,
  userSecretProblems,
  userSecrets,
  zoneProblems,
  type Certificates,
  type Images,
  type KafkaAdmin,
  type MessagePlatform,
  type Problem,
  type UserSecrets,
} from '../platform/index.ts';
import { tryApply, wishOf, type Trial } from './plan-apply.ts';
import { viewCluster, type ClusterView } from './plan-cluster.ts';
import type { Manifests, PlatformFile } from './plan-files.ts';
import { chooseImages } from './plan-images.ts';
import { planObjects, unifiedDiff, type ObjectChange } from './plan-objects.ts';
import { kafkaFromStatus, topicChanges, type TopicsPlan } from './plan-topics.ts';
import { TO_BE_ISSUED } from './plan-view.ts';
import { yamlText } from './output.ts';

/** What would become of one platform; a part of the output of `causeway plan -o json`. */
export interface PlatformPlan {
  namespace: string;
  name: string;
  /** The platform itself first, then what it owns. */
  objects: ObjectChange[];
  topics: TopicsPlan;
  /** What would not work until somebody does something. */
  problems: Problem[];
  /** What a reader should know about the plan. */
  notes: string[];
}

/** What planning needs of the world. It only reads. */
export interface PlanWorld extends Trial {
  api: Pick<KubeApi, 'get' | 'list'>;
  /** Undefined: Kafka is not to be asked. */
  kafka: Pick<KafkaAdmin, 'look'> | undefined;
  images: { asked: Partial<Images>; defaults: Images; operator: Partial<Images> | undefined };
  /** Milliseconds since the epoch. */
  now: () => number;
}

/** Works out what applying `file` would lead to. Throws what the API server says of an invalid platform. */
export async function planPlatform(
  world: PlanWorld,
  file: PlatformFile,
  manifests: Manifests,
): Promise<PlatformPlan> {
  const { before, after, newNamespace } = await tryApply(world, file, manifests.namespaces);
  const { namespace, name } = file.metadata;
  const cluster = await viewCluster(world.api, { namespace, name }, manifests.secrets);
  const found = chooseImages(world.images, before, cluster.children);
  const secrets = cluster.readsSecrets ? await userSecrets(cluster, after) : undefined;
  const problems = secrets === undefined ? [] : userSecretProblems(after, secrets, world.now());
  const certificates =
    secrets && (await certificatesOf(plannedWorld(world, cluster), after, { secrets, problems }));
  const objects = await planChildren(world, after, {
    desired: [
      ...(certificates === undefined ? [] : desiredSecrets(after, certificates.issued)),
      ...desiredObjects(after, found.images),
    ],
    cluster,
    problems,
  });
  if (cluster.nodes !== undefined) problems.push(...zoneProblems(after, cluster.nodes));
  const topics = await planTopicsOf(world, { before, after, cluster, secrets });
  return {
    namespace,
    name,
    objects: [...platformChange(before, after), ...objects],
    topics,
    problems,
    notes: [
      ...stateNotes(before, after),
      ...(newNamespace ? [`Namespace ${namespace} is not there yet: the file brings it.`] : []),
      ...certificateNotes(before, certificates),
      ...(found.note === undefined ? [] : [found.note]),
      ...cluster.notes,
    ],
  };
}

function plannedWorld(world: PlanWorld, cluster: ClusterView): Parameters<typeof certificatesOf>[0] {
  const clock = { ...systemClock, now: () => world.now() };
  return { cache: cluster.cache, kube: cluster.kube, clock, issuer: plannedIssuer };
}

/** Issues nothing: what would be made is marked as such. */
const plannedIssuer: CertificateIssuer = {
  authority: async () => plannedPair,
  leaf: async () => plannedPair,
  cross: async () => TO_BE_ISSUED,
  // As long as a real one, so that whoever looks at its length is content.
  ticketKey: () => TO_BE_ISSUED.padEnd(48, '.'),
};
const plannedPair: KeyPair = { certificate: TO_BE_ISSUED, privateKey: TO_BE_ISSUED };

function wishText(platform: MessagePlatform): string {
  return yamlText(wishOf(platform), { sorted: true });
}

function platformChange(before: MessagePlatform | undefined, after: MessagePlatform): ObjectChange[] {
  const about = { apiVersion: after.apiVersion, kind: after.kind, name: after.metadata.name };
  if (before === undefined) return [{ ...about, action: 'create', object: wishOf(after) }];
  if (isDeepStrictEqual(wishOf(before), wishOf(after))) return [];
  const diff = unifiedDiff(wishText(before), wishText(after));
  return diff === '' ? [] : [{ ...about, action: 'change', reason: 'the file differs from it', diff }];
}

interface Wanted {
  desired: readonly KubeObject[];
  cluster: ClusterView;
  /** Of the user's Secrets; what is found to be in the way is added. */
  problems: Problem[];
}

async function planChildren(
  world: PlanWorld,
  platform: MessagePlatform,
  { desired, cluster, problems }: Wanted,
): Promise<ObjectChange[]> {
  const live = await lookUpAll(world, desired, cluster);
  const foreign = desired.filter((object) => {
    const there = live.get(object);
    return there !== undefined && !isOurs(there, platform);
  });
  problems.push(...foreign.map(foreignObject));
  const wanted = new Set(desired.map((object) => `${object.kind}/${object.metadata.name}`));
  const blocked = new Set(
    problems.filter((problem) => problem.reason.startsWith('Secret')).map(({ part }) => part),
  );
  return planObjects({
    desired: desired.filter((object) => !foreign.includes(object)),
    live: (object) => live.get(object),
    leftOver: cluster.children.filter(
      (object) =>
        (object.kind !== 'Secret' || cluster.readsSecrets) &&
        isChildOf(object, platform) &&
        !wanted.has(`${object.kind}/${object.metadata.name}`),
    ),
    waitsFor: (object) => (isHeldBack(object, blocked) ? 'waits for a Secret' : undefined),
  });
}

/** An object of the wanted name may be there without our label: then it is somebody else's. */
async function lookUpAll(
  world: PlanWorld,
  desired: readonly KubeObject[],
  cluster: ClusterView,
): Promise<Map<KubeObject, KubeObject | undefined>> {
  const found = desired.map(async (object): Promise<[KubeObject, KubeObject | undefined]> => {
    const kind = CHILD_KINDS.find((one) => one.kind === object.kind && one.apiVersion === object.apiVersion);
    if (kind === undefined) throw new Error(`${object.kind} is not a kind that a platform owns`);
    return [object, cluster.cache.get(kind, object.metadata) ?? (await world.api.get(kind, object.metadata))];
  });
  return new Map(await Promise.all(found));
}

function isChildOf(object: KubeObject, platform: MessagePlatform): boolean {
  const owners = object.metadata.ownerReferences ?? [];
  return owners.some((owner) => owner.uid === platform.metadata.uid && owner.controller === true);
}

interface TopicsQuestion {
  before: MessagePlatform | undefined;
  after: MessagePlatform;
  cluster: ClusterView;
  secrets: UserSecrets | undefined;
}

async function planTopicsOf(
  world: PlanWorld,
  { before, after, cluster, secrets }: TopicsQuestion,
): Promise<TopicsPlan> {
  const question = {
    platform: after.metadata.name,
    wishes: after.spec.kafka.topics,
    deletionPolicy: after.spec.kafka.deletionPolicy,
    known: before?.status?.topics ?? [],
    claimed: claimedTopics(cluster, after),
  };
  const guess = (note: string): TopicsPlan => ({
    source: 'status',
    note,
    changes: topicChanges({ ...question, kafka: kafkaFromStatus(before) }),
  });
  if (world.kafka === undefined) return guess('Kafka was not asked (--no-kafka).');
  const access = kafkaAccess(after, secrets ?? new Map());
  const kafka = await lookAtKafka({ kafka: world.kafka }, after, access);
  if (kafka === undefined)
    return guess('Kafka was not asked: a Secret that it needs is missing or may not be read.');
  if ('topics' in kafka) return { source: 'kafka', changes: topicChanges({ ...question, kafka }) };
  const often =
    kafka.reason === 'KafkaUnreachable' ? ' Often it can be reached only from inside the cluster.' : '';
  return guess(`${kafka.message.replace(' It is tried again.', '')}${often}`);
}

function stateNotes(before: MessagePlatform | undefined, after: MessagePlatform): string[] {
  const notes: string[] = [];
  if (isPaused(after))
    notes.push(
      'The platform is paused (annotation causeway.dev/paused): nothing is done until it no longer is.',
    );
  if (before?.metadata.deletionTimestamp !== undefined)
    notes.push(
      'The platform is being deleted: nothing of this is done; apply the file again when it has gone.',
    );
  return notes;
}

/** At first everything is issued, which goes without saying. */
function certificateNotes(
  before: MessagePlatform | undefined,
  certificates: Certificates | undefined,
): string[] {
  if (before?.status === undefined || certificates === undefined) return [];
  const { steps, due } = certificates.plan;
  return [
    ...(steps.length === 0
      ? []
      : [`To be issued: ${steps.map(({ issue, reason }) => `${issue} (${reason})`).join(', ')}.`]),
    ...(due === undefined ? [] : [`A rotation of the gateways' certificate will begin (${due}).`]),
  ];
}
