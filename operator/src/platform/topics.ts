/**
 * Kafka topics: what to do so that they are as asked for. A pure decision. Partitions only grow, a replication factor
 * never changes, settings that nobody asked for stay, and only a topic that Causeway made is ever deleted.
 */
import { kafkaTopic, type MessagePlatformSpec, type MessagePlatformStatus } from '@causeway/crds';
import type { Problem } from './types.ts';

/** One topic of the spec, as far as Kafka is concerned. */
export type TopicWish = Omit<MessagePlatformSpec['kafka']['topics'][number], 'channels'>;
/** One topic in the status. */
export type TopicStatus = NonNullable<MessagePlatformStatus['topics']>[number];

/** A topic as Kafka has it. */
export interface KafkaTopic {
  name: string;
  partitions: number;
  /** Smallest over the partitions. */
  replicationFactor: number;
  /** Settings of the topic itself; defaults of the broker are not here. */
  config: Readonly<Record<string, string>>;
}

/** A Kafka cluster as seen. */
export interface KafkaSnapshot {
  brokers: number;
  /** Only topics that were asked about and exist. */
  topics: ReadonlyMap<string, KafkaTopic>;
}

/** A change in Kafka. `config` of `alter` is the whole set of the topic's own settings, as AlterConfigs takes it. */
export type TopicAction =
  | {
      act: 'create';
      topic: string;
      partitions: number;
      replicationFactor: number;
      config: Record<string, string>;
    }
  | { act: 'grow'; topic: string; partitions: number }
  | { act: 'alter'; topic: string; config: Record<string, string>; changed: string[] }
  | { act: 'delete'; topic: string };

export interface TopicPlan {
  /** To be in status before any action is taken. */
  topics: TopicStatus[];
  actions: TopicAction[];
  problems: Problem[];
}

export interface TopicQuestion {
  platform: string;
  wishes: readonly TopicWish[];
  deletionPolicy: 'Retain' | 'Delete';
  /** status.topics. */
  known: readonly TopicStatus[];
  kafka: KafkaSnapshot;
  /** Names in Kafka that an older platform claims, and who that is. */
  claimed: ReadonlyMap<string, string>;
}

/** What to do about a platform's topics. */
export function planTopics(question: TopicQuestion): TopicPlan {
  const plan: TopicPlan = { topics: [], actions: [], problems: [] };
  for (const wish of question.wishes) planTopic(question, wish, plan);
  const wanted = new Set(question.wishes.map((wish) => kafkaTopic(question.platform, wish.name)));
  for (const known of question.known) {
    if (!wanted.has(known.name)) planRemoved(question, known, plan);
  }
  return plan;
}

/** What to do about the topics of a platform that is being deleted. */
export function planTopicDeletion(question: Omit<TopicQuestion, 'wishes' | 'claimed'>): TopicPlan {
  return planTopics({ ...question, wishes: [], claimed: new Map() });
}

function planTopic(question: TopicQuestion, wish: TopicWish, plan: TopicPlan): void {
  const name = kafkaTopic(question.platform, wish.name);
  const claimant = question.claimed.get(name);
  if (claimant !== undefined) {
    refuse(plan, { name, state: 'Refused', owned: false }, 'TopicConflict', [
      `Topic ${name} belongs to MessagePlatform ${claimant}, which is older.`,
      'Rename this platform or the topic, or use another Kafka cluster.',
    ]);
    return;
  }
  const existing = question.kafka.topics.get(name);
  const known = question.known.find((topic) => topic.name === name);
  if (existing === undefined) planMissing(question, wish, plan);
  else planExisting(existing, wish, known, plan);
}

function planMissing(question: TopicQuestion, wish: TopicWish, plan: TopicPlan): void {
  const topic = kafkaTopic(question.platform, wish.name);
  const config = { ...wish.config };
  if (wish.replicationFactor > question.kafka.brokers) {
    refuse(plan, { name: topic, state: 'Refused', owned: false }, 'TooFewBrokers', [
      `Topic ${topic} asks for ${wish.replicationFactor} replicas, and Kafka has ${question.kafka.brokers} brokers.`,
      'Add brokers, or lower replicationFactor.',
    ]);
    return;
  }
  const { partitions, replicationFactor } = wish;
  // Left out when empty: server-side apply never takes an empty list away again.
  const configKeys = Object.keys(config).sort();
  const keys = configKeys.length === 0 ? {} : { configKeys };
  // Somebody else made it just before us, and Kafka does not show it yet.
  const known = question.known.find((each) => each.name === topic);
  const isForeign = known?.state === 'Creating' && known.owned === false;
  plan.topics.push({ name: topic, state: 'Creating', owned: !isForeign, ...keys });
  plan.actions.push({ act: 'create', topic, partitions, replicationFactor, config });
}

function planExisting(
  existing: KafkaTopic,
  wish: TopicWish,
  known: TopicStatus | undefined,
  plan: TopicPlan,
): void {
  const { name } = existing;
  // A key that is to be dropped stays known until it is: a crash before that must not forget that we set it.
  const kept = (known?.configKeys ?? []).filter((key) => key in existing.config);
  const keys = [...new Set([...Object.keys(wish.config ?? {}), ...kept])].sort();
  const seen = {
    name,
    owned: known?.owned ?? false,
    partitions: existing.partitions,
    replicationFactor: existing.replicationFactor,
    ...(keys.length === 0 ? {} : { configKeys: keys }),
  };
  if (existing.partitions < wish.partitions)
    plan.actions.push({ act: 'grow', topic: name, partitions: wish.partitions });
  const altered = alteredConfig(existing.config, wish.config ?? {}, known?.configKeys ?? []);
  if (altered !== undefined) plan.actions.push({ act: 'alter', topic: name, ...altered });

  if (existing.partitions > wish.partitions) {
    refuse(plan, { ...seen, state: 'Refused' }, 'FewerPartitions', [
      `Topic ${name} has ${existing.partitions} partitions and the platform asks for ${wish.partitions}; Kafka cannot take partitions away.`,
      `Set partitions to ${existing.partitions} or more.`,
    ]);
  } else if (existing.replicationFactor !== wish.replicationFactor) {
    refuse(plan, { ...seen, state: 'Refused' }, 'ReplicationFactorDiffers', [
      `Topic ${name} has ${existing.replicationFactor} replicas and the platform asks for ${wish.replicationFactor}; Causeway does not move replicas.`,
      `Set replicationFactor to ${existing.replicationFactor}, or reassign the replicas with Kafka's own tools.`,
    ]);
  } else {
    plan.topics.push({ ...seen, state: 'Ready' });
  }
}

/**
 * The topic's whole new set of settings, or undefined when nothing differs. `before` are the keys that we set once:
 * one that is no longer asked for goes back to the broker's default; keys that are not ours stay.
 */
function alteredConfig(
  existing: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
  before: readonly string[],
): { config: Record<string, string>; changed: string[] } | undefined {
  const dropped = before.filter((key) => !(key in wanted) && key in existing);
  const changed = Object.keys(wanted).filter((key) => existing[key] !== wanted[key]);
  if (dropped.length === 0 && changed.length === 0) return undefined;
  const kept = Object.entries(existing).filter(([key]) => !dropped.includes(key));
  return { config: { ...Object.fromEntries(kept), ...wanted }, changed: [...changed, ...dropped].sort() };
}

/** A topic that the spec no longer has: deleted only when that was asked for and we made it; forgotten otherwise. */
function planRemoved(question: TopicQuestion, known: TopicStatus, plan: TopicPlan): void {
  if (question.deletionPolicy !== 'Delete' || known.owned !== true) return;
  if (!question.kafka.topics.has(known.name)) return;
  plan.topics.push({ ...known, state: 'Deleting' });
  plan.actions.push({ act: 'delete', topic: known.name });
}

function refuse(plan: TopicPlan, topic: TopicStatus, reason: string, sentences: readonly string[]): void {
  const message = sentences.join(' ');
  plan.topics.push({ ...topic, message });
  plan.problems.push({ part: 'Topics', reason, message, needsPerson: true });
}

/** A topic that could not be looked at keeps what was known of it; a new one is Unknown. */
export function unknownTopics(
  platform: string,
  wishes: readonly TopicWish[],
  known: readonly TopicStatus[],
): TopicStatus[] {
  const names = wishes.map((wish) => kafkaTopic(platform, wish.name));
  const kept = names.map((name) => {
    const topic = known.find((candidate) => candidate.name === name);
    return topic === undefined
      ? { name, state: 'Unknown' }
      : { ...topic, state: topic.state === 'Creating' ? 'Creating' : 'Unknown' };
  });
  return [...kept, ...known.filter((topic) => !names.includes(topic.name))];
}

/** Platforms as far as claims on topics go. */
export interface TopicClaimant {
  namespace: string;
  name: string;
  uid: string;
  creationTimestamp: string;
  bootstrapServers: string;
  topics: readonly string[];
}

/** Topics of `mine` that an older platform with the same Kafka claims: the oldest owner wins. */
export function claimedByOthers(mine: TopicClaimant, others: readonly TopicClaimant[]): Map<string, string> {
  const brokers = new Set(mine.bootstrapServers.split(','));
  const claims = new Map<string, string>();
  for (const other of others) {
    const sameKafka = other.bootstrapServers.split(',').some((broker) => brokers.has(broker));
    if (other.uid === mine.uid || !sameKafka || !isOlder(other, mine)) continue;
    for (const topic of other.topics) {
      const name = kafkaTopic(other.name, topic);
      if (mine.topics.some((own) => kafkaTopic(mine.name, own) === name))
        claims.set(name, `${other.namespace}/${other.name}`);
    }
  }
  return claims;
}

function isOlder(a: TopicClaimant, b: TopicClaimant): boolean {
  if (a.creationTimestamp !== b.creationTimestamp) return a.creationTimestamp < b.creationTimestamp;
  return a.uid < b.uid;
}
