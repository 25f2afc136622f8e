import { connect } from 'node:net';
import { Kafka, logLevel } from 'kafkajs';
import type { ISocketFactory, KafkaConfig } from 'kafkajs';
import { kubectlJson } from './kubectl.ts';

interface PodList {
  items: { metadata: { name: string }; status: { podIP?: string } }[];
}

/** Pod name → pod address of the brokers that have one now. */
async function brokerAddresses(): Promise<Map<string, string>> {
  const pods = await kubectlJson<PodList>([
    '-n',
    'kafka',
    'get',
    'pods',
    '-l',
    'app.kubernetes.io/name=kafka',
  ]);
  return new Map(
    pods.items.flatMap(({ metadata, status }) => (status.podIP ? [[metadata.name, status.podIP]] : [])),
  );
}

/**
 * What kafkajs needs to talk to the lab's Kafka from the host. Brokers advertise names of the cluster's DNS, which
 * the host can't resolve: the socket factory puts the pod's address in their place. The addresses are those of now;
 * ask again after a broker's pod was replaced.
 */
export async function labKafkaConfig(): Promise<KafkaConfig> {
  const addresses = await brokerAddresses();
  const socketFactory: ISocketFactory = ({ host, port, onConnect }) => {
    const address = addresses.get(host.split('.')[0] ?? '') ?? host;
    return connect({ host: address, port }, onConnect);
  };
  return { brokers: [...addresses.values()].map((address) => `${address}:9092`), socketFactory };
}

/** The node ids of the brokers that the lab's Kafka counts. Fails while Kafka isn't there. */
export async function kafkaBrokers(): Promise<number[]> {
  const config = await labKafkaConfig();
  const client = new Kafka({
    ...config,
    logLevel: logLevel.NOTHING,
    connectionTimeout: 2000,
    retry: { retries: 1 },
  });
  const admin = client.admin();
  try {
    await admin.connect();
    return (await admin.describeCluster()).brokers.map((broker) => broker.nodeId);
  } finally {
    await admin.disconnect();
  }
}
