import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Kafka as KafkaClient, logLevel } from 'kafkajs';
import type { KafkaConfig } from 'kafkajs';
import { ensureKafka } from '../binaries/index.ts';
import { freePorts, run } from '../tools/index.ts';
import { createServer } from './server.ts';
import type { Server } from './server.ts';
import { removeFolder, temporaryFolder } from './supervise.ts';

/** How Kafka is started. */
export interface KafkaOptions {
  /** Combined broker and controller nodes. Default 1. */
  brokers?: 1 | 3;
  /** `broker.rack` of each. Default zone-a, zone-b, zone-c. */
  racks?: readonly string[];
  /** Clients must log in with SASL/PLAIN as this user. Default: no login. */
  sasl?: { username: string; password: string };
  /** More ways to the brokers, for clients that reach them through something else. Not with `sasl`. */
  listeners?: readonly KafkaListener[];
  /** More broker settings, put into server.properties. */
  config?: Readonly<Record<string, string>>;
}

/** A listener beside the usual one: who comes to it is told its own addresses of the brokers. */
export interface KafkaListener {
  /** In capital letters. */
  name: string;
  /** Where each broker listens on 127.0.0.1, and where it says that it does: there as well, or at a name. */
  brokers: readonly { port: number; advertisedPort: number; advertisedHost?: string }[];
}

/** One broker of {@link Kafka}. */
export interface KafkaBroker extends Pick<Server, 'kill' | 'shutDown' | 'start' | 'logFile' | 'pid'> {
  /** node.id: 1, 2, 3. */
  readonly id: number;
  /** `127.0.0.1:<port>` */
  readonly address: string;
}

/** A KRaft cluster on loopback. */
export interface Kafka {
  /** `127.0.0.1:<port>,…`, all brokers. */
  readonly bootstrapServers: string;
  readonly brokers: readonly KafkaBroker[];
  stop(): Promise<void>;
}

interface Node {
  id: number;
  port: number;
  controllerPort: number;
  rack: string;
  folder: string;
}

/** server.properties of one combined node. Small, quick to start, never creating topics by itself. */
function properties(node: Node, nodes: readonly Node[], options: KafkaOptions): string {
  const replicas = String(nodes.length);
  const { sasl } = options;
  const settings: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': String(node.id),
    'controller.quorum.voters': nodes.map((n) => `${n.id}@127.0.0.1:${n.controllerPort}`).join(','),
    ...listenersOf(node, options),
    'inter.broker.listener.name': 'CLIENT',
    'controller.listener.names': 'CONTROLLER',
    'broker.rack': node.rack,
    'log.dirs': join(node.folder, 'data'),
    'auto.create.topics.enable': 'false',
    'default.replication.factor': replicas,
    'min.insync.replicas': nodes.length === 3 ? '2' : '1',
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': '3',
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': nodes.length === 3 ? '2' : '1',
    'transaction.state.log.num.partitions': '3',
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    'broker.session.timeout.ms': '6000',
    'log.cleaner.dedupe.buffer.size': '4194304',
    'num.network.threads': '2',
    'num.io.threads': '2',
  };
  if (sasl) {
    settings['sasl.enabled.mechanisms'] = 'PLAIN';
    settings['sasl.mechanism.inter.broker.protocol'] = 'PLAIN';
    settings['listener.name.client.plain.sasl.jaas.config'] =
      `org.apache.kafka.common.security.plain.PlainLoginModule required username="${sasl.username}" ` +
      `password="${sasl.password}" user_${sasl.username}="${sasl.password}";`;
  }
  const all = { ...settings, ...options.config };
  return Object.entries(all)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}

function listenersOf(node: Node, { sasl, listeners = [] }: KafkaOptions): Record<string, string> {
  const more = listeners.map(({ name, brokers }) => ({ name, ...brokers[node.id - 1] }));
  const at = (name: string, port: number | undefined, host = '127.0.0.1'): string =>
    `${name}://${host}:${port}`;
  const client = at('CLIENT', node.port);
  const all = [
    client,
    at('CONTROLLER', node.controllerPort),
    ...more.map(({ name, port }) => at(name, port)),
  ];
  const advertised = [
    client,
    ...more.map(({ name, advertisedPort, advertisedHost }) => at(name, advertisedPort, advertisedHost)),
  ];
  const security = [
    `CLIENT:${sasl ? 'SASL_PLAINTEXT' : 'PLAINTEXT'}`,
    'CONTROLLER:PLAINTEXT',
    ...more.map(({ name }) => `${name}:PLAINTEXT`),
  ];
  return {
    listeners: all.join(','),
    'advertised.listeners': advertised.join(','),
    'listener.security.protocol.map': security.join(','),
  };
}

const jvm = ['-Xms64m', '-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'];
const logging = [
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  '-Dorg.slf4j.simpleLogger.showDateTime=true',
];

async function startNode(
  node: Node,
  libs: string,
  clusterId: string,
  ready: () => Promise<boolean>,
): Promise<Server> {
  const config = join(node.folder, 'server.properties');
  const java = [...jvm, ...logging, '-cp', `${libs}/*`];
  // One word: an id may begin with a dash.
  const format = ['kafka.tools.StorageTool', 'format', `--cluster-id=${clusterId}`, '--config', config];
  await run('java', [...java, ...format], { timeoutMs: 60_000 });
  const args = [...java, 'kafka.Kafka', config];
  const logFile = join(node.folder, 'kafka.log');
  const server = createServer({
    command: { name: `Kafka broker ${node.id}`, command: 'java', args, cwd: node.folder, logFile },
    ready,
    timeoutMs: 90_000,
  });
  await server.start();
  return server;
}

/** Whether this very broker answers and the cluster counts it in: it is in the metadata that it serves itself. */
async function isReady(node: Node, options: KafkaOptions): Promise<boolean> {
  const config: KafkaConfig = {
    brokers: [`127.0.0.1:${node.port}`],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 1000,
    retry: { retries: 0 },
  };
  if (options.sasl) config.sasl = { mechanism: 'plain', ...options.sasl };
  const admin = new KafkaClient(config).admin();
  try {
    await admin.connect();
    const cluster = await admin.describeCluster();
    return cluster.controller !== null && cluster.brokers.some((broker) => broker.nodeId === node.id);
  } finally {
    await admin.disconnect();
  }
}

/** Starts one or three Kafka nodes on 127.0.0.1. Needs `java` (17 or later). */
export async function startKafka(options: KafkaOptions = {}): Promise<Kafka> {
  const { libs } = await ensureKafka();
  const count = options.brokers ?? 1;
  const racks = options.racks ?? ['zone-a', 'zone-b', 'zone-c'];
  const ports = await freePorts(2 * count);
  const folder = temporaryFolder('kafka');
  const clusterId = randomBytes(16).toString('base64url');
  const nodes = Array.from({ length: count }, (_, index): Node => {
    const id = index + 1;
    const nodeFolder = join(folder, String(id));
    mkdirSync(nodeFolder);
    return {
      id,
      port: ports[2 * index] ?? 0,
      controllerPort: ports[2 * index + 1] ?? 0,
      rack: racks[index % racks.length] ?? `rack-${id}`,
      folder: nodeFolder,
    };
  });
  const running: (Server & { node: Node })[] = [];
  const stop = async (): Promise<void> => {
    // Killed, not shut down: an orderly end of the last controllers waits for each other.
    await Promise.all(running.map((server) => server.kill()));
    removeFolder(folder);
  };
  const started = await Promise.allSettled(
    nodes.map(async (node) => {
      writeFileSync(join(node.folder, 'server.properties'), properties(node, nodes, options));
      running.push({ ...(await startNode(node, libs, clusterId, () => isReady(node, options))), node });
    }),
  );
  const failed = started.find((result) => result.status === 'rejected');
  if (failed) {
    await stop();
    throw failed.reason;
  }
  const brokers = running
    .map(({ node, ...server }): KafkaBroker => ({
      ...server,
      id: node.id,
      address: `127.0.0.1:${node.port}`,
    }))
    .toSorted((a, b) => a.id - b.id);
  return { bootstrapServers: brokers.map((broker) => broker.address).join(','), brokers, stop };
}
