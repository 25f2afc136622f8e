/** The cluster object inside a client of kafkajs 2.2.4, which has what its public interface lacks. The one file that knows how to come by it. */
import type { Kafka } from 'kafkajs';

/** What kafkajs keeps to itself of a cluster, as far as we use it. */
export interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  refreshMetadata(): Promise<void>;
  /** From then on its metadata has the topic. */
  addTargetTopic(topic: string): Promise<void>;
  findControllerBroker(): Promise<ClusterBroker>;
  findBroker(of: { nodeId: string }): Promise<ClusterBroker>;
  /** By node id, the partitions that it leads. */
  findLeaderForPartitions(topic: string, partitions: readonly number[]): Record<string, number[]>;
}

export interface ClusterBroker {
  /** By API key, what it serves. */
  versions: Record<number, { minVersion: number; maxVersion: number } | undefined>;
  connectionPool: { send<T>(call: { request: object; response: object }): Promise<T> };
  fetch(request: FetchRequest): Promise<{ responses: { partitions: { messages: FetchedRecord[] }[] }[] }>;
}

/** Time in milliseconds. */
interface FetchRequest {
  /** 0: also what is in an open transaction. */
  isolationLevel: 0;
  maxWaitTime: number;
  minBytes: number;
  maxBytes: number;
  topics: { topic: string; partitions: { partition: number; fetchOffset: string; maxBytes: number }[] }[];
}

export interface FetchedRecord {
  offset: string;
  key: Buffer | null;
  value: Buffer | null;
  isControlRecord?: boolean;
}

/** Does something with a cluster object of its own, which is closed after. */
export async function withCluster<T>(client: Kafka, work: (cluster: Cluster) => Promise<T>): Promise<T> {
  const cluster = clusterOf(client);
  await cluster.connect();
  try {
    return await work(cluster);
  } finally {
    await cluster.disconnect();
  }
}

/** kafkajs makes a cluster for each of its clients, by a method whose name is a symbol that it does not export. */
function clusterOf(client: Kafka): Cluster {
  const name = Object.getOwnPropertySymbols(client).find(
    ({ description }) => description === 'private:Kafka:createCluster',
  );
  const create = name && (client as unknown as Record<symbol, unknown>)[name];
  if (typeof create !== 'function') throw new Error('this version of kafkajs has no cluster that we know');
  return (create as (options: object) => Cluster)({ allowAutoTopicCreation: false });
}
