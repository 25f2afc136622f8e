/** Lets clients of kafkajs 2.2.4 use partitions that have a leader while others have none. */
import BrokerPool from 'kafkajs/src/cluster/brokerPool.js';
import Cluster from 'kafkajs/src/cluster/index.js';
import type { OffsetsAsked } from 'kafkajs/src/cluster/index.js';
import newest from 'kafkajs/src/protocol/requests/metadata/v6/response.js';
import type { Metadata } from 'kafkajs/src/protocol/requests/metadata/v6/response.js';

/** How soon it is asked again who leads while a partition has no leader, milliseconds. */
export const LEADERLESS_MS = 500;
/** LEADER_NOT_AVAILABLE and LISTENER_NOT_FOUND in Kafka's protocol guide: there is none, or none that can be reached. */
const OF_LEADERLESS: ReadonlySet<number> = new Set([5, 72]);
const NO_LEADER = -1;

let mended = false;

/**
 * kafkajs takes an answer to Metadata for an error when one partition of one of its topics has no leader. It then knows of no topic, and
 * neither fetches nor sends anything until there is one: a partition whose replicas were all in a lost zone stopped all. Here the answer
 * counts, and that partition is led by nobody: it is not fetched, and who sends to it is told that there is no such broker, which
 * kafkajs tries again. What is known is old sooner then, so the next leader is found as soon as others are. And where logs begin and end
 * is told of all others: a member that has to ask where to begin would fetch nothing at all.
 *
 * In the newest version that kafkajs knows, which Kafka serves since 2.1. By it `waitForLeaders` of an admin waits for topics, not for leaders.
 */
export function mendKafkaMetadata(): void {
  if (mended) return;
  mended = true;
  const { parse } = newest;
  newest.parse = (answer) => parse(withoutLeaders(answer));
  const { refreshMetadata } = BrokerPool.prototype;
  BrokerPool.prototype.refreshMetadata = async function refresh(topics): Promise<void> {
    await refreshMetadata.call(this, topics);
    if (this.metadata && isLeaderless(this.metadata)) this.metadataExpireAt = Date.now() + LEADERLESS_MS;
  };
  mendOffsets();
}

function mendOffsets(): void {
  const { fetchTopicsOffset } = Cluster.prototype;
  Cluster.prototype.fetchTopicsOffset = async function ofThoseWithLeaders(topics) {
    const asked = topics.map((one) => ({ ...one, partitions: ledOf(this, one) }));
    const told = await fetchTopicsOffset.call(
      this,
      asked.filter(({ partitions }) => partitions.length > 0),
    );
    return topics.map(({ topic }) => told.find((one) => one.topic === topic) ?? { topic, partitions: [] });
  };
}

function ledOf(cluster: Cluster, { topic, partitions }: OffsetsAsked): OffsetsAsked['partitions'] {
  const known = cluster.findTopicPartitionMetadata(topic);
  return partitions.filter(
    ({ partition }) => known.find(({ partitionId }) => partitionId === partition)?.leader !== NO_LEADER,
  );
}

function withoutLeaders(answer: Metadata): Metadata {
  const topicMetadata = answer.topicMetadata.map((topic) => ({
    ...topic,
    partitionMetadata: topic.partitionMetadata.map((partition) =>
      OF_LEADERLESS.has(partition.partitionErrorCode)
        ? { ...partition, partitionErrorCode: 0, leader: NO_LEADER }
        : partition,
    ),
  }));
  return { ...answer, topicMetadata };
}

function isLeaderless({ topicMetadata }: Metadata): boolean {
  return topicMetadata.some(({ partitionMetadata }) =>
    partitionMetadata.some(({ leader }) => leader === NO_LEADER),
  );
}
