/** Kafka as the operator needs it: an interface, its errors in words, and the real one over kafkajs. */
import { createHash } from 'node:crypto';
import kafkajs, { type Admin, type Kafka, type KafkaConfig, type SASLOptions } from 'kafkajs';
import type { PartitionName, PartitionOrder } from '../failover/index.ts';
import { reorderReplicas } from './kafka-reorder.ts';
import { electPreferred } from './kafkajs-elect.ts';
import { mendKafkaTimers } from './kafkajs-timers.ts';
import { placementOf } from './kafka-placement-look.ts';
import type { KafkaPlacement } from './kafka-placement.ts';
import type { OffsetSync, TopicEnds } from './mirror-lag.ts';
import { endsOf, lastOffsetSyncs } from './mirror-look.ts';
import type { KafkaSnapshot, KafkaTopic, TopicAction } from './topics.ts';

// A CommonJS package whose names Node cannot all see from outside.
const {
  ConfigResourceTypes,
  ConfigSource,
  Kafka: KafkaClient,
  KafkaJSAggregateError,
  KafkaJSNumberOfRetriesExceeded,
  KafkaJSProtocolError,
  logLevel,
} = kafkajs;

/** How to reach a Kafka cluster. Certificates and keys are PEM. */
export interface KafkaAccess {
  brokers: string[];
  /** Present: TLS; empty: the system's authorities. */
  tls?: { ca?: string; cert?: string; key?: string };
  sasl?: { mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'; username: string; password: string };
}

/** Why Kafka did not do what it was asked; `reason` becomes the condition's. The message holds no secret. */
export class KafkaFailure extends Error {
  override name = 'KafkaFailure';
  readonly reason: 'KafkaUnreachable' | 'KafkaAuthenticationFailed' | 'KafkaNotAuthorized' | 'KafkaRefused';

  constructor(reason: KafkaFailure['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}

/** The operator's view of Kafka. All methods throw {@link KafkaFailure}. */
export interface KafkaAdmin {
  /** The cluster, and of `topics` those that exist. Changes nothing, creates nothing. */
  look(access: KafkaAccess, topics: readonly string[]): Promise<KafkaSnapshot>;
  /** Where the partitions of `topics` are. */
  placement(access: KafkaAccess, topics: readonly string[]): Promise<KafkaPlacement>;
  /** Where the partitions of `topics` begin and end, of those that exist. */
  ends(access: KafkaAccess, topics: readonly string[]): Promise<TopicEnds>;
  /** MirrorMaker's last offset sync of each partition, from its `topic` for them; of some there may be none. */
  offsetSyncs(
    access: KafkaAccess,
    topic: string,
    partitions: readonly PartitionName[],
  ): Promise<readonly OffsetSync[]>;
  /** Gives replicas another order; no data moves. Refused when a partition has other replicas by now. */
  reorder(access: KafkaAccess, orders: readonly PartitionOrder[]): Promise<void>;
  /** The first replica of each leads it, where it is in sync; throws for those where it is not. */
  elect(access: KafkaAccess, partitions: readonly PartitionName[]): Promise<void>;
  /** `existed`: a topic to create was already there. Deleting what is not there succeeds. */
  perform(access: KafkaAccess, action: TopicAction): Promise<'done' | 'existed'>;
}

/** Time for a connection, milliseconds. */
const CONNECT_TIMEOUT = 5_000;
/** Time for a request, milliseconds. */
const REQUEST_TIMEOUT = 10_000;
/** An admin connection that nobody used for so long is closed, milliseconds. */
const IDLE_TIMEOUT = 120_000;

interface Connection {
  client: Kafka;
  admin: Admin;
  connected: Promise<void>;
  idle: NodeJS.Timeout;
}

/** Kafka through kafkajs: one admin connection for each cluster and set of credentials, shared by all platforms; but see {@link useOnce}. */
export class KafkaJsAdmin implements KafkaAdmin {
  readonly #connections = new Map<string, Connection>();

  async look(access: KafkaAccess, topics: readonly string[]): Promise<KafkaSnapshot> {
    return this.#use(access, async (admin) => {
      const { brokers } = await admin.describeCluster();
      const described = await describeTopics(admin, topics);
      return { brokers: brokers.length, topics: new Map(described.map((topic) => [topic.name, topic])) };
    });
  }

  async placement(access: KafkaAccess, topics: readonly string[]): Promise<KafkaPlacement> {
    return this.#use(access, (admin) => placementOf(admin, topics));
  }

  async ends(access: KafkaAccess, topics: readonly string[]): Promise<TopicEnds> {
    return useOnce(access, (admin) => endsOf(admin, topics));
  }

  async offsetSyncs(
    access: KafkaAccess,
    topic: string,
    partitions: readonly PartitionName[],
  ): Promise<readonly OffsetSync[]> {
    return useOnce(access, (admin, client) => lastOffsetSyncs({ client, admin }, topic, partitions));
  }

  async reorder(access: KafkaAccess, orders: readonly PartitionOrder[]): Promise<void> {
    await this.#use(access, (admin) => reorderReplicas(admin, orders, REQUEST_TIMEOUT));
  }

  async elect(access: KafkaAccess, partitions: readonly PartitionName[]): Promise<void> {
    await this.#use(access, (_admin, client) => electPreferred(client, partitions, REQUEST_TIMEOUT));
  }

  async perform(access: KafkaAccess, action: TopicAction): Promise<'done' | 'existed'> {
    return this.#use(access, (admin) => performAction(admin, action));
  }

  /** Closes every connection. */
  async close(): Promise<void> {
    const all = [...this.#connections.values()];
    this.#connections.clear();
    await Promise.all(
      all.map(async ({ admin, idle }) => {
        clearTimeout(idle);
        await admin.disconnect();
      }),
    );
  }

  async #use<T>(access: KafkaAccess, work: (admin: Admin, client: Kafka) => Promise<T>): Promise<T> {
    const key = accessKey(access);
    const connection = this.#connections.get(key) ?? this.#connect(key, access);
    connection.idle.refresh();
    try {
      await connection.connected;
      return await work(connection.admin, connection.client);
    } catch (error) {
      const failure = describeFailure(error, access);
      // A connection that failed is made anew next time: with other credentials, or when the brokers are back.
      if (failure.reason !== 'KafkaRefused') this.#drop(key);
      throw failure;
    }
  }

  #connect(key: string, access: KafkaAccess): Connection {
    const { client, admin } = adminFor(access);
    const idle = setTimeout(() => this.#drop(key), IDLE_TIMEOUT);
    idle.unref();
    const connection = { client, admin, connected: admin.connect(), idle };
    this.#connections.set(key, connection);
    return connection;
  }

  #drop(key: string): void {
    const connection = this.#connections.get(key);
    if (connection === undefined) return;
    this.#connections.delete(key);
    clearTimeout(connection.idle);
    // Closing a broken connection may fail as well; it is gone from the pool either way.
    connection.admin.disconnect().catch(() => undefined);
  }
}

/**
 * With a connection for this alone, for offsets: the topics whose offsets an admin client of kafkajs 2.2.4 was asked for it asks for with
 * every later request, and once one of them is deleted all of these fail.
 */
async function useOnce<T>(
  access: KafkaAccess,
  work: (admin: Admin, client: Kafka) => Promise<T>,
): Promise<T> {
  const { client, admin } = adminFor(access);
  try {
    await admin.connect();
    return await work(admin, client);
  } catch (error) {
    throw describeFailure(error, access);
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

function adminFor(access: KafkaAccess): { client: Kafka; admin: Admin } {
  mendKafkaTimers();
  const client = new KafkaClient(clientConfig(access));
  return { client, admin: client.admin({ retry: { retries: 1, initialRetryTime: 200 } }) };
}

function accessKey(access: KafkaAccess): string {
  return createHash('sha256').update(JSON.stringify(access)).digest('hex');
}

function clientConfig(access: KafkaAccess): KafkaConfig {
  return {
    clientId: 'causeway-operator',
    brokers: access.brokers,
    connectionTimeout: CONNECT_TIMEOUT,
    authenticationTimeout: CONNECT_TIMEOUT,
    requestTimeout: REQUEST_TIMEOUT,
    enforceRequestTimeout: true,
    retry: { retries: 1, initialRetryTime: 200 },
    logLevel: logLevel.NOTHING, // Every failure reaches the caller, and from there a condition and our own log.
    ...(access.tls === undefined ? {} : { ssl: sslOptions(access.tls) }),
    ...(access.sasl === undefined ? {} : { sasl: saslOptions(access.sasl) }),
  };
}

function sslOptions(tls: NonNullable<KafkaAccess['tls']>): NonNullable<KafkaConfig['ssl']> {
  if (tls.ca === undefined && tls.cert === undefined) return true;
  return {
    ...(tls.ca === undefined ? {} : { ca: [tls.ca] }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
  };
}

function saslOptions({ mechanism, username, password }: NonNullable<KafkaAccess['sasl']>): SASLOptions {
  return { mechanism: mechanism.toLowerCase() as 'plain', username, password };
}

async function describeTopics(admin: Admin, topics: readonly string[]): Promise<KafkaTopic[]> {
  if (topics.length === 0) return [];
  const existing = new Set(await admin.listTopics());
  const asked = topics.filter((topic) => existing.has(topic));
  if (asked.length === 0) return [];
  const metadata = await admin.fetchTopicMetadata({ topics: [...asked] });
  const configs = await admin.describeConfigs({
    includeSynonyms: false,
    resources: asked.map((name) => ({ type: ConfigResourceTypes.TOPIC, name })),
  });
  const own = new Map(
    configs.resources.map((resource) => [
      resource.resourceName,
      Object.fromEntries(
        resource.configEntries
          .filter((entry) => entry.configSource === ConfigSource.TOPIC_CONFIG)
          .map((entry) => [entry.configName, entry.configValue]),
      ),
    ]),
  );
  return metadata.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.length,
    replicationFactor: Math.min(...partitions.map((partition) => partition.replicas.length)),
    config: own.get(name) ?? {},
  }));
}

async function performAction(admin: Admin, action: TopicAction): Promise<'done' | 'existed'> {
  if (action.act === 'create') return createTopic(admin, action);
  if (action.act === 'grow') {
    const topicPartitions = [{ topic: action.topic, count: action.partitions }];
    await admin.createPartitions({ topicPartitions, timeout: REQUEST_TIMEOUT });
  } else if (action.act === 'alter') {
    const resource = {
      type: ConfigResourceTypes.TOPIC,
      name: action.topic,
      configEntries: entries(action.config),
    };
    await admin.alterConfigs({ validateOnly: false, resources: [resource] });
  } else {
    await deleteTopic(admin, action.topic);
  }
  return 'done';
}

async function createTopic(
  admin: Admin,
  { topic, partitions, replicationFactor, config }: Extract<TopicAction, { act: 'create' }>,
): Promise<'done' | 'existed'> {
  const created = await admin.createTopics({
    topics: [{ topic, numPartitions: partitions, replicationFactor, configEntries: entries(config) }],
    waitForLeaders: false,
    timeout: REQUEST_TIMEOUT,
  });
  return created ? 'done' : 'existed';
}

async function deleteTopic(admin: Admin, topic: string): Promise<void> {
  try {
    await admin.deleteTopics({ topics: [topic], timeout: REQUEST_TIMEOUT });
  } catch (error) {
    if (
      rootCause(error) instanceof KafkaJSProtocolError &&
      protocolType(error) === 'UNKNOWN_TOPIC_OR_PARTITION'
    )
      return;
    throw error;
  }
}

function entries(config: Readonly<Record<string, string>>): { name: string; value: string }[] {
  return Object.entries(config).map(([name, value]) => ({ name, value }));
}

/** The error at the bottom of kafkajs's wrappers. */
function rootCause(error: unknown): unknown {
  if (error instanceof KafkaJSAggregateError) return rootCause(error.errors[0]);
  if (error instanceof KafkaJSNumberOfRetriesExceeded && error.cause !== undefined)
    return rootCause(error.cause);
  return error;
}

function protocolType(error: unknown): string {
  const cause = rootCause(error);
  return typeof cause === 'object' && cause !== null && 'type' in cause ? String(cause.type) : '';
}

const AUTHENTICATION = new Set([
  'SASL_AUTHENTICATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
  'ILLEGAL_SASL_STATE',
]);

/** Puts what kafkajs threw into words for a condition. */
export function describeFailure(error: unknown, access: KafkaAccess): KafkaFailure {
  if (error instanceof KafkaFailure) return error;
  const cause = rootCause(error);
  const text = cause instanceof Error ? cause.message : String(cause);
  const type = protocolType(error);
  const brokers = access.brokers.join(',');
  const name = cause instanceof Error ? cause.name : '';
  if (AUTHENTICATION.has(type) || name === 'KafkaJSSASLAuthenticationError') {
    const hint = 'Check the mechanism and the user name and password in the Secret of kafka.sasl.secretRef.';
    return new KafkaFailure(
      'KafkaAuthenticationFailed',
      `Kafka at ${brokers} refused the credentials. ${hint}`,
    );
  }
  if (type.endsWith('_AUTHORIZATION_FAILED')) {
    return new KafkaFailure(
      'KafkaNotAuthorized',
      `Kafka at ${brokers} does not allow it: ${text}. Grant the user the rights on the topics.`,
    );
  }
  if (cause instanceof KafkaJSProtocolError || name === 'KafkaJSCreateTopicError') {
    return new KafkaFailure('KafkaRefused', `Kafka refused: ${text}`);
  }
  return new KafkaFailure(
    'KafkaUnreachable',
    `Kafka at ${brokers} cannot be reached: ${text}. It is tried again.`,
  );
}
