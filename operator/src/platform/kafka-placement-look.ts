/** Asks Kafka where partitions are: kafkajs gives no racks with its brokers, so each is asked for its own. */
import kafkajs, { type Admin } from 'kafkajs';
import type { KafkaPlacement } from './kafka-placement.ts';

const { ConfigResourceTypes } = kafkajs;

/** Of those `topics` that exist. */
export async function placementOf(admin: Admin, topics: readonly string[]): Promise<KafkaPlacement> {
  const { brokers } = await admin.describeCluster();
  const existing = new Set(await admin.listTopics());
  const asked = topics.filter((topic) => existing.has(topic));
  const [racks, minInSync, placed] = await Promise.all([
    Promise.all(brokers.map(async ({ nodeId }) => [nodeId, await rackOf(admin, nodeId)] as const)),
    Promise.all(asked.map(async (topic) => [topic, await minInSyncOf(admin, topic)] as const)),
    asked.length === 0 ? undefined : admin.fetchTopicMetadata({ topics: [...asked] }),
  ]);
  const least = new Map(minInSync);
  return {
    racks: new Map(racks),
    partitions: (placed?.topics ?? []).flatMap(({ name, partitions }) =>
      partitions.map(({ partitionId, leader, isr }) => ({
        topic: name,
        partition: partitionId,
        leader,
        isr,
        minInSync: least.get(name) ?? 1,
      })),
    ),
  };
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
