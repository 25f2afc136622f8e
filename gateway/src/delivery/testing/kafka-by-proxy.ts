/** A real Kafka of one broker that is reached by a way which a test can break. */
import { startKafka } from '../../../../e2e/harness/index.ts';
import { freePort } from '../../../../e2e/tools/index.ts';
import { startTcpProxy } from '../../testing/index.ts';
import type { TcpProxy } from '../../testing/index.ts';
import { GroupClients } from './group-clients.ts';

export interface KafkaByProxy {
  /** To the broker; it tells those who come by it to come by it again. */
  way: TcpProxy;
  /** Past it. */
  bootstrapServers: string;
  /** Who goes past it. */
  clients: GroupClients;
  stop(): Promise<void>;
}

/** Starts it. `stop` must be called. */
export async function startKafkaByProxy(): Promise<KafkaByProxy> {
  const port = await freePort();
  const way = await startTcpProxy(port);
  const kafka = await startKafka({
    listeners: [{ name: 'AROUND', brokers: [{ port, advertisedPort: way.port }] }],
  });
  const clients = await GroupClients.connect(kafka);
  const stop = async (): Promise<void> => {
    await clients.close();
    way.close();
    await kafka.stop();
  };
  return { way, bootstrapServers: kafka.bootstrapServers, clients, stop };
}
