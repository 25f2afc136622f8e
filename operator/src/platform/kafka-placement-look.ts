/** Asks Kafka where partitions are: kafkajs gives no racks with its brokers, so each is asked for its own. */
import kafkajs, { type Admin } from 'kafkajs';
import type { KafkaPlacement } from './kafka-placement.ts';

const { ConfigResourceTypes } = kafkajs;

/** Of those `topics` that exist. */
export async function placementOf(admin: Admin, topics: readonly string[]): Promise<KafkaPlacement> {
  const { brokers } = await admin.describeCluster();
  const existing = new Set(await admin.listTopics());
  const asked = topics.filter((topic) => existing.has(topic));
  const [racks, minInSync, placed, moving] = await Promise.all([
    Promise.all(brokers.map(async ({ nodeId }) => [nodeId, await rackOf(admin, nodeId)] as const)),
    Promise.all(asked.map(async (topic) => [topic, await minInSyncOf(admin, topic)] as const)),
    asked.length === 0 ? undefined : admin.fetchTopicMetadata({ topics: [...asked] }),
    reassigning(admin, asked),
  ]);
  const least = new Map(minInSync);
  return {
    racks: new Map(racks),
    partitions: (placed?.topics ?? [])
      .flatMap(({ name, partitions }) =>
        partitions.map(({ partitionId, leader, replicas, isr }) => ({
          topic: name,
          partition: partitionId,
          leader,
          replicas,
          isr,
          settled: moving !== undefined && !moving.has(`${name}/${partitionId}`),
          minInSync: least.get(name) ?? 1,
        })),
      )
      // Kafka lists them in any order; what is decided on them is to be the same at each look.
      .sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1)),
  };
}

/** As kafkajs 2.2.4 answers; its types name these fields otherwise. */
interface Reassignments {
  topics: readonly { name: string; partitions: readonly { partition: number }[] }[];
}

/** Partitions under reassignment, as `topic/partition`; undefined: the user may not ask. */
async function reassigning(admin: Admin, topics: readonly string[]): Promise<Set<string> | undefined> {
  if (topics.length === 0) return new Set();
  try {
    // Of all topics: the request would have to name each partition.
    const { topics: under } = (await admin.listPartitionReassignments({})) as unknown as Reassignments;
    return new Set(
      under.flatMap(({ name, partitions }) => partitions.map((one) => `${name}/${one.partition}`)),
    );
  } catch (error) {
    // It needs Describe on the cluster, which nothing else that we ask does.
    if (typeOf(error).endsWith('_AUTHORIZATION_FAILED')) return undefined;
    throw error;
  }
}

function typeOf(error: unknown): string {
  return error instanceof Error && 'type' in error ? String(error.type) : '';
}

async function rackOf(admin: Admin, nodeId: number): Promise<string | undefined> {
  const value = await setting(admin, ConfigResourceTypes.BROKER, String(nodeId), 'broker.rack');
  return value === undefined || value === '' ? undefined : value;
}

async function minInSyncOf(admin: Admin, topic: string): Promise<number> {
  return Number((await setting(admin, ConfigResourceTypes.TOPIC, topic, 'min.insync.replicas')) ?? 1);
}

async function setting(
  admin: Admin,
  type: number,
  name: string,
  configName: string,
): Promise<string | undefined> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type, name, configNames: [configName] }],
  });
  const entry = resources[0]?.configEntries.find((one) => one.configName === configName);
  return entry?.configValue ?? undefined;
}
