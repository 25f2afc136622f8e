/** What happens when a platform is deleted: its topics go if that was asked for; its objects go by ownership. */
import { ANNOTATION, LABEL, COMPONENT, TOPICS_FINALIZER, type MessagePlatformStatus } from '@causeway/crds';
import type { ReconcileContext, ReconcileResult } from '../controller/controller.ts';
import { setCondition, type Condition } from '../controller/conditions.ts';
import { hasFinalizer, removeFinalizer } from '../controller/finalizers.ts';
import type { KubeObject } from '../controller/kube-api.ts';
import { KIND } from './kinds.ts';
import { kafkaProblem, lookAtKafka, userSecrets } from './observe.ts';
import { writeStatus } from './status-effects.ts';
import { planTopicDeletion, type TopicStatus } from './topics.ts';
import type { MessagePlatform, Problem } from './types.ts';
import { kafkaAccess } from './user-secrets.ts';
import type { PlatformWorld } from './world.ts';

/** How soon to try again when something outside is in the way; milliseconds. */
const RETRY_MS = 10_000;
/** How soon to look whether the gateways have gone; milliseconds. */
const WAIT_MS = 1_000;

/** Takes the platform's topics away as its policy says, then lets it go. A Kafka that is down cannot hold it for ever. */
export async function finalize(
  world: PlatformWorld,
  platform: MessagePlatform,
  context: ReconcileContext,
): Promise<ReconcileResult> {
  if (!hasFinalizer(platform, TOPICS_FINALIZER)) return {};
  const owned = (platform.status?.topics ?? []).filter((topic) => topic.owned === true);
  const abandoned = platform.metadata.annotations?.[ANNOTATION.abandonTopics] === 'true';
  if (platform.spec.kafka.deletionPolicy === 'Retain' || owned.length === 0 || abandoned) {
    if (abandoned && owned.length > 0)
      context.log.warn('topics are given up', { topics: owned.map((topic) => topic.name) });
    await removeFinalizer(world.kube, KIND.platform, platform, TOPICS_FINALIZER);
    return {};
  }
  if (!(await gatewaysAreGone(world, platform))) return { requeueAfterMs: WAIT_MS };
  const left = await deleteTopics(world, platform, owned);
  if (left.topics.length > 0) {
    await sayWhatIsLeft(world, platform, left);
    return { requeueAfterMs: RETRY_MS };
  }
  await removeFinalizer(world.kube, KIND.platform, platform, TOPICS_FINALIZER);
  return {};
}

/** Gateways go first: one that still publishes would write into a topic that is being deleted. */
async function gatewaysAreGone(world: PlatformWorld, platform: MessagePlatform): Promise<boolean> {
  const ref = platform.metadata;
  const deployments = world.cache.ofPlatform(KIND.deployment, ref).filter(isGateway);
  for (const { metadata } of deployments) {
    await world.applier.remove(KIND.deployment, metadata, { propagationPolicy: 'Background' });
  }
  const pods = world.cache.ofPlatform(KIND.pod, ref).filter(isGateway);
  return deployments.length === 0 && pods.length === 0;
}

function isGateway(object: KubeObject): boolean {
  return object.metadata.labels?.[LABEL.component] === COMPONENT.gateway;
}

interface Left {
  topics: TopicStatus[];
  problems: Problem[];
}

async function deleteTopics(
  world: PlatformWorld,
  platform: MessagePlatform,
  known: TopicStatus[],
): Promise<Left> {
  const access = kafkaAccess(platform, await userSecrets(world, platform));
  if (access === undefined) {
    const message = 'The Secret for Kafka is gone, so the topics cannot be deleted.';
    return {
      topics: known,
      problems: [{ part: 'Topics', reason: 'SecretNotFound', message, needsPerson: true }],
    };
  }
  const kafka = await lookAtKafka(world, platform, access);
  if (kafka === undefined || !('topics' in kafka))
    return { topics: known, problems: kafka === undefined ? [] : [kafka] };
  const plan = planTopicDeletion({
    platform: platform.metadata.name,
    deletionPolicy: 'Delete',
    known,
    kafka,
  });
  const left: Left = { topics: [], problems: [] };
  for (const action of plan.actions) {
    try {
      await world.kafka.perform(access, action);
      const note = `Deleted topic ${action.topic}.`;
      world.events.event(platform, { type: 'Normal', reason: 'TopicDeleted', action: 'Finalize', note });
    } catch (error) {
      left.problems.push(kafkaProblem(error));
      left.topics.push(...known.filter((topic) => topic.name === action.topic));
    }
  }
  return left;
}

async function sayWhatIsLeft(world: PlatformWorld, platform: MessagePlatform, left: Left): Promise<void> {
  const names = left.topics.map((topic) => topic.name).join(', ');
  const why = left.problems.map((problem) => problem.message).join(' ');
  const reason = left.problems[0]?.reason ?? 'TopicsLeft';
  const giveUp = `To give up on them: kubectl annotate mp ${platform.metadata.name} ${ANNOTATION.abandonTopics}=true`;
  const message = `Deletion waits for topics ${names}. ${why} ${giveUp}`;
  const before = (platform.status?.conditions ?? []) as readonly Condition[];
  const observedGeneration = platform.metadata.generation ?? 0;
  const wanted = [
    { type: 'Ready', status: 'False' as const, reason: 'Deleting', message },
    { type: 'Stalled', status: 'True' as const, reason, message },
    { type: 'TopicsReady', status: 'False' as const, reason, message },
  ];
  const conditions = wanted.reduce(
    (list, condition) => setCondition(list, { ...condition, observedGeneration }, world.clock.now()),
    before,
  );
  if (conditions === before) return;
  const status: MessagePlatformStatus = {
    ...platform.status,
    observedGeneration,
    conditions: [...conditions],
  };
  await writeStatus(world, platform, status);
  world.events.event(platform, { type: 'Warning', reason, action: 'Finalize', note: message });
}
