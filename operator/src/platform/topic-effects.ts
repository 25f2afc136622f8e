/** Carries out what `planTopics` decides, with the intent in status before the act. */
import { isDeepStrictEqual } from 'node:util';
import type { KafkaAccess } from './kafka.ts';
import { kafkaProblem, lookAtKafka } from './observe.ts';
import { writeStatus } from './status-effects.ts';
import {
  planTopics,
  unknownTopics,
  type KafkaSnapshot,
  type TopicAction,
  type TopicPlan,
  type TopicStatus,
} from './topics.ts';
import type { MessagePlatform, Problem } from './types.ts';
import type { PlatformWorld } from './world.ts';

/** Looks again after acting, so that one pass ends with what Kafka then has; more rounds wait for the next pass. */
const ROUNDS = 3;

export interface TopicOutcome {
  topics: TopicStatus[];
  problems: Problem[];
  /** The platform with its status as it is stored by now. */
  stored: MessagePlatform;
}

/** Makes the topics as asked for, unless `paused`. */
export async function reconcileTopics(
  world: PlatformWorld,
  platform: MessagePlatform,
  seen: { access: KafkaAccess | undefined; paused: boolean; claimed: ReadonlyMap<string, string> },
): Promise<TopicOutcome> {
  const { name } = platform.metadata;
  const { topics: wishes, deletionPolicy } = platform.spec.kafka;
  const failed: Problem[] = [];
  let stored = platform;
  let known: readonly TopicStatus[] = platform.status?.topics ?? [];
  const begun = new Set(known.filter(isBegun).map((topic) => topic.name));
  for (let round = 1; ; round += 1) {
    const kafka = await lookAtKafka(world, platform, seen.access);
    if (seen.access === undefined || kafka === undefined || !isSnapshot(kafka)) {
      const problems = kafka === undefined || isSnapshot(kafka) ? failed : [...failed, kafka];
      return { topics: unknownTopics(name, wishes, known), problems, stored };
    }
    const plan = planTopics({ platform: name, wishes, deletionPolicy, known, kafka, claimed: seen.claimed });
    if (seen.paused || plan.actions.length === 0 || round === ROUNDS || failed.length > 0) {
      return { topics: plan.topics, problems: [...plan.problems, ...failed], stored };
    }
    stored = await saveIntent(world, stored, plan);
    known = await perform(world, platform, { access: seen.access, plan, failed, begun });
  }
}

/** We said that we would make it, or have: Kafka may not show it yet, or the answer was lost. */
function isBegun(topic: TopicStatus): boolean {
  return topic.state === 'Creating' && topic.owned === true;
}

function isSnapshot(kafka: KafkaSnapshot | Problem): kafka is KafkaSnapshot {
  return 'topics' in kafka;
}

function entry(topics: readonly TopicStatus[] | undefined, name: string): TopicStatus | undefined {
  return topics?.find((topic) => topic.name === name);
}

/** Before a topic is made or deleted, status says so: after a crash we know what is ours. */
async function saveIntent(
  world: PlatformWorld,
  stored: MessagePlatform,
  plan: TopicPlan,
): Promise<MessagePlatform> {
  const unsaid = plan.actions.some(
    ({ topic }) => !isDeepStrictEqual(entry(stored.status?.topics, topic), entry(plan.topics, topic)),
  );
  if (!unsaid) return stored;
  const status = { ...stored.status, topics: plan.topics };
  const { metadata } = await writeStatus(world, stored, status);
  return { ...stored, metadata, status };
}

/** Does each action; one that Kafka refuses does not stop the others. Returns the topics as status should know them. */
async function perform(
  world: PlatformWorld,
  platform: MessagePlatform,
  {
    access,
    plan,
    failed,
    begun,
  }: { access: KafkaAccess; plan: TopicPlan; failed: Problem[]; begun: Set<string> },
): Promise<TopicStatus[]> {
  const foreign = new Set<string>();
  for (const action of plan.actions) {
    try {
      const result = await world.kafka.perform(access, action);
      if (result === 'existed') {
        if (!begun.has(action.topic)) foreign.add(action.topic);
        continue;
      }
      if (action.act === 'create') begun.add(action.topic);
      world.events.event(platform, {
        type: 'Normal',
        reason: EVENT[action.act],
        action: 'Topic',
        note: describe(action),
      });
    } catch (error) {
      failed.push(actionProblem(error, action));
    }
  }
  // A topic that appeared between our look and our create is somebody else's, and never ours to delete.
  return plan.topics.map((topic) => (foreign.has(topic.name) ? { ...topic, owned: false } : topic));
}

/** kafkajs keeps Kafka's error code and drops its text: the settings are named, so that a person finds the bad one. */
function actionProblem(error: unknown, action: TopicAction): Problem {
  const problem = kafkaProblem(error);
  const settings =
    'config' in action ? Object.entries(action.config).map(([key, value]) => `${key}=${value}`) : [];
  const hint =
    settings.length === 0 || problem.reason !== 'KafkaRefused'
      ? ''
      : ` Its settings: ${settings.join(', ')}.`;
  const message = `Topic ${action.topic} could not be changed (${action.act}). ${problem.message}.${hint}`;
  return { ...problem, message: message.replaceAll('..', '.') };
}

const EVENT: Readonly<Record<TopicAction['act'], string>> = {
  create: 'TopicCreated',
  grow: 'TopicGrown',
  alter: 'TopicConfigured',
  delete: 'TopicDeleted',
};

function describe(action: TopicAction): string {
  switch (action.act) {
    case 'create':
      return `Created topic ${action.topic} with ${action.partitions} partitions and ${action.replicationFactor} replicas.`;
    case 'grow':
      return `Topic ${action.topic} now has ${action.partitions} partitions.`;
    case 'alter':
      return `Set ${action.changed.join(', ')} of topic ${action.topic}.`;
    case 'delete':
      return `Deleted topic ${action.topic}.`;
    default:
      throw new TypeError(`no such action: ${JSON.stringify(action)}`);
  }
}
