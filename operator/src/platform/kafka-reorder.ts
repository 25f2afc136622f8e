/** Gives replicas of partitions another order, over kafkajs. */
import type { Admin } from 'kafkajs';
import type { PartitionName, PartitionOrder } from '../failover/index.ts';

/** Partitions of one topic together, as Kafka's requests have them. */
export function byTopic<T extends PartitionName>(items: readonly T[]): [topic: string, items: T[]][] {
  return [...Map.groupBy(items, ({ topic }) => topic)];
}

/**
 * A reassignment to the replicas that a partition has, in another order, is over as soon as it is asked for. It is not
 * asked for when a partition has other replicas by now: that would move data. `timeout`: milliseconds.
 */
export async function reorderReplicas(
  admin: Admin,
  orders: readonly PartitionOrder[],
  timeout: number,
): Promise<void> {
  const asked = byTopic(orders);
  const { topics: now } = await admin.fetchTopicMetadata({ topics: asked.map(([topic]) => topic) });
  const sets = new Map(
    now.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionId, replicas }) => [`${name}/${partitionId}`, setOf(replicas)] as const),
    ),
  );
  const other = orders.find((one) => sets.get(`${one.topic}/${one.partition}`) !== setOf(one.replicas));
  if (other !== undefined)
    throw new Error(`partition ${other.topic}/${other.partition} has other replicas by now`);
  const topics = asked.map(([topic, of]) => ({
    topic,
    partitionAssignment: of.map(({ partition, replicas }) => ({ partition, replicas: [...replicas] })),
  }));
  await admin.alterPartitionReassignments({ topics, timeout });
}

function setOf(replicas: readonly number[]): string {
  return replicas.toSorted((a, b) => a - b).join();
}
