/**
 * Ids of topics (KIP-516), which kafkajs 2.2.4 does not ask for: our own request, over a connection of a cluster object of its
 * own. https://kafka.apache.org/protocol#The_Messages_Metadata
 */
import type { Kafka } from 'kafkajs';
import { clusterOf } from './kafkajs-cluster.ts';
import type { Cluster } from './kafkajs-cluster.ts';
import { compactArray, CompactReader, compactString, NONE } from './compact-bytes.ts';

const API_KEY = 3;
/** The first with ids: Kafka serves it since 2.8. */
const VERSION = 10;
/** What a topic has that was made before Kafka had ids. */
const NO_ID = Buffer.alloc(16);

/** Asks for topics' ids, over a connection that it keeps. */
export class TopicIds {
  readonly #kafka: Kafka;
  #cluster: Cluster | undefined;
  #isClosed = false;

  constructor(kafka: Kafka) {
    this.#kafka = kafka;
  }

  /** The id of each topic, as Kafka's own tools write it. Those that Kafka does not have now, or gave no id, are left out. */
  async of(topics: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (this.#isClosed) throw new Error('closed');
    this.#cluster ??= clusterOf(this.#kafka);
    const broker = await this.#cluster.brokerPool.findConnectedBroker();
    // What came about after the end would stay.
    if (this.#isClosed) {
      await this.close();
      throw new Error('closed');
    }
    const served = broker.versions[API_KEY];
    if (served === undefined || served.minVersion > VERSION || served.maxVersion < VERSION)
      throw new Error(`Kafka does not serve version ${VERSION} of Metadata`);
    return broker.connectionPool.send({
      request: metadataRequest(topics),
      response: { decode: decodeTopicIds, parse: ({ ids }: Answer) => ids },
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#cluster?.disconnect();
  }
}

/**
 * Metadata Request (Version: 10) => [topics] allow_auto_topic_creation include_cluster_authorized_operations
 * include_topic_authorized_operations, where topics => topic_id name. Before it the end of the request's header in version 2:
 * kafkajs writes that of version 1, which has no tagged fields.
 */
export function metadataRequest(topics: readonly string[]): {
  apiKey: number;
  apiVersion: number;
  apiName: string;
  encode: () => Promise<{ buf: Buffer; buffer: Buffer }>;
} {
  const asked = compactArray(topics.map((topic) => Buffer.concat([NO_ID, compactString(topic), NONE])));
  const bytes = Buffer.concat([NONE, asked, NONE, NONE, NONE, NONE]);
  // What kafkajs uses of an encoder of its own.
  return {
    apiKey: API_KEY,
    apiVersion: VERSION,
    apiName: 'Metadata',
    encode: async () => ({ buf: bytes, buffer: bytes }),
  };
}

interface Answer {
  ids: ReadonlyMap<string, string>;
}

/**
 * Metadata Response (Version: 10) => throttle_time_ms [brokers] cluster_id controller_id [topics] …, where brokers => node_id host
 * port rack, after the end of the header in version 1.
 */
export async function decodeTopicIds(payload: Buffer): Promise<Answer> {
  const reader = new CompactReader(payload);
  reader.end();
  reader.bytes(4);
  reader.array(() => {
    reader.bytes(4);
    reader.string();
    reader.bytes(4);
    reader.string();
    reader.end();
  });
  reader.string();
  reader.bytes(4);
  const topics = reader.array(() => readTopic(reader));
  return { ids: new Map(topics.filter(([, id]) => id !== undefined) as [string, string][]) };
}

/** topic => error_code name topic_id is_internal [partitions] topic_authorized_operations */
function readTopic(reader: CompactReader): [string, string | undefined] {
  const error = reader.int16();
  const name = reader.string();
  const id = reader.bytes(16);
  reader.bytes(1);
  reader.array(() => skipPartition(reader));
  reader.bytes(4);
  reader.end();
  return [name, error === 0 && !id.equals(NO_ID) ? id.toString('base64url') : undefined];
}

/** partition => error_code partition_index leader_id leader_epoch [replica_nodes] [isr_nodes] [offline_replicas] */
function skipPartition(reader: CompactReader): void {
  reader.bytes(2 + 4 + 4 + 4);
  for (let lists = 3; lists > 0; lists -= 1) reader.array(() => reader.bytes(4));
  reader.end();
}
