import { Kafka as KafkaClient, logLevel } from 'kafkajs';
import type { Kafka, KafkaBroker } from '../../../e2e/harness/index.ts';
import { clusterOf } from '../delivery/kafkajs-cluster.ts';
import type { Cluster } from '../delivery/kafkajs-cluster.ts';

/** With FindCoordinator, tried again while there is none; type 0 is that of groups. */
type SeekingCluster = Cluster & {
  findGroupCoordinatorMetadata(of: {
    groupId: string;
    coordinatorType: 0;
  }): Promise<{ coordinator: { nodeId: number } }>;
};

/** The broker that coordinates a group by now, as Kafka itself says. Rejects while none does. */
export async function coordinatorOf(
  { bootstrapServers, brokers }: Pick<Kafka, 'bootstrapServers' | 'brokers'>,
  groupId: string,
): Promise<KafkaBroker> {
  const client = new KafkaClient({ brokers: bootstrapServers.split(','), logLevel: logLevel.NOTHING });
  const cluster = clusterOf(client) as SeekingCluster;
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
