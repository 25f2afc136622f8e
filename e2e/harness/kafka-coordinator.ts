import { Kafka as KafkaClient, logLevel } from 'kafkajs';
import type { Kafka, KafkaBroker } from './kafka.ts';

/** What kafkajs 2.2.4 keeps to itself of a cluster, as far as it is used here. */
interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  refreshMetadata(): Promise<void>;
  /** FindCoordinator; type 0 is that of groups. */
  findGroupCoordinatorMetadata(of: {
    groupId: string;
    coordinatorType: 0;
  }): Promise<{ coordinator: { nodeId: number } }>;
}

/** The broker that coordinates a group by now, as Kafka itself says. Rejects while none does. */
export async function coordinatorOf(
  { bootstrapServers, brokers }: Pick<Kafka, 'bootstrapServers' | 'brokers'>,
  groupId: string,
): Promise<KafkaBroker> {
  const cluster = clusterAt(bootstrapServers);
  await cluster.connect();
  try {
    await cluster.refreshMetadata();
    const { coordinator } = await cluster.findGroupCoordinatorMetadata({ groupId, coordinatorType: 0 });
    const found = brokers.find(({ id }) => id === coordinator.nodeId);
    if (!found)
      throw new Error(`the coordinator of ${groupId} is broker ${coordinator.nodeId}, which is none`);
    return found;
  } finally {
    await cluster.disconnect();
  }
}

/** kafkajs makes a cluster for each of its clients, by a method whose name is a symbol that it does not export. */
function clusterAt(bootstrapServers: string): Cluster {
  const client = new KafkaClient({ brokers: bootstrapServers.split(','), logLevel: logLevel.NOTHING });
  const name = Object.getOwnPropertySymbols(client).find(
    ({ description }) => description === 'private:Kafka:createCluster',
  );
  const create = name && (client as unknown as Record<symbol, unknown>)[name];
  if (typeof create !== 'function') throw new Error('this version of kafkajs has no cluster that we know');
  return (create as (options: object) => Cluster).call(client, { allowAutoTopicCreation: false });
}
