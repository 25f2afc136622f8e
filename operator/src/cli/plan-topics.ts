/** What would happen to a platform's Kafka topics, for people. Pure. */
import { kafkaTopic } from '@causeway/crds';
import {
  planTopics,
  type KafkaSnapshot,
  type KafkaTopic,
  type MessagePlatform,
  type TopicPlan,
  type TopicQuestion,
} from '../platform/index.ts';

/** One topic's change; a part of the output of `causeway plan -o json`. `null`: the broker's default. */
export type TopicChange =
  | {
      action: 'create';
      topic: string;
      partitions: number;
      replicationFactor: number;
      config: Record<string, string>;
    }
  | { action: 'grow'; topic: string; partitions: { from: number; to: number } }
  | {
      action: 'alter';
      topic: string;
      config: Record<string, { from: string | null; to: string | null }>;
    }
  | { action: 'delete'; topic: string }
  | { action: 'refuse'; topic: string; reason: string; message: string };

/** The topics of a plan. */
export interface TopicsPlan {
  /** Kafka was asked; or the platform's status stands in for it; or nobody was asked. */
  source: 'kafka' | 'status' | 'none';
  /** Why Kafka was not asked. */
  note?: string;
  changes: TopicChange[];
}

/** What would be done to the topics, given what is in Kafka. */
export function topicChanges(question: TopicQuestion): TopicChange[] {
  const plan = planTopics(question);
  return [...actionsOf(plan, question.kafka), ...refusalsOf(plan)];
}

function actionsOf(plan: TopicPlan, kafka: KafkaSnapshot): TopicChange[] {
  return plan.actions.map((action): TopicChange => {
    const { topic } = action;
    const before = kafka.topics.get(topic);
    switch (action.act) {
      case 'create': {
        const { partitions, replicationFactor, config } = action;
        return { action: 'create', topic, partitions, replicationFactor, config };
      }
      case 'grow':
        return {
          action: 'grow',
          topic,
          partitions: { from: before?.partitions ?? 0, to: action.partitions },
        };
      case 'alter': {
        const values = action.changed.map((key) => [
          key,
          { from: before?.config[key] ?? null, to: action.config[key] ?? null },
        ]);
        return { action: 'alter', topic, config: Object.fromEntries(values) as Record<string, never> };
      }
      case 'delete':
        return { action: 'delete', topic };
      default:
        throw new TypeError(`no such action: ${JSON.stringify(action)}`);
    }
  });
}

function refusalsOf(plan: TopicPlan): TopicChange[] {
  return plan.topics.flatMap(({ name, state, message = '' }) => {
    if (state !== 'Refused') return [];
    const reason = plan.problems.find((problem) => problem.message === message)?.reason ?? 'Refused';
    return [{ action: 'refuse', topic: name, reason, message }];
  });
}

/**
 * Kafka as the operator last left it, for when it cannot be asked from here: topics and partitions as status has them,
 * settings as the present spec asks for them, and as many brokers as anybody may want.
 */
export function kafkaFromStatus(before: MessagePlatform | undefined): KafkaSnapshot {
  const topics = (before?.status?.topics ?? []).flatMap((topic): [string, KafkaTopic][] => {
    const { name, partitions, replicationFactor } = topic;
    if (partitions === undefined || replicationFactor === undefined) return [];
    const wish = before?.spec.kafka.topics.find((one) => kafkaTopic(before.metadata.name, one.name) === name);
    return [[name, { name, partitions, replicationFactor, config: wish?.config ?? {} }]];
  });
  return { brokers: Number.MAX_SAFE_INTEGER, topics: new Map(topics) };
}
