/** Clients of a real Kafka with one topic, for tests of gateways as members of a group. */
import assert from 'node:assert/strict';
import { Kafka as KafkaClient, logLevel } from 'kafkajs';
import type { Admin, Consumer, GroupDescription, Producer } from 'kafkajs';
import type { Kafka } from '../../../../e2e/harness/index.ts';
import { waitFor } from '../../../../e2e/tools/index.ts';
import { Payload } from '../../protocol/index.ts';
import { encodeEnvelope } from '../index.ts';

export const TOPIC = 'p.chat';
export const PARTITIONS = 4;
const NOBODY = { user: '', client: '' };

/** What a test asks and does beside the members. */
export class GroupClients {
  readonly admin: Admin;
  readonly producer: Producer;
  readonly #client: KafkaClient;

  private constructor(kafka: Kafka) {
    this.#client = new KafkaClient({ brokers: [kafka.bootstrapServers], logLevel: logLevel.NOTHING });
    this.admin = this.#client.admin();
    this.producer = this.#client.producer();
  }

  /** Connects, and makes the topic. To be closed. */
  static async connect(kafka: Kafka): Promise<GroupClients> {
    const clients = new GroupClients(kafka);
    await Promise.all([clients.admin.connect(), clients.producer.connect()]);
    await clients.admin.createTopics({
      waitForLeaders: true,
      topics: [{ topic: TOPIC, numPartitions: PARTITIONS }],
    });
    return clients;
  }

  async close(): Promise<void> {
    await Promise.all([this.admin.disconnect(), this.producer.disconnect()]);
  }

  async group(name: string): Promise<GroupDescription> {
    const [found] = (await this.admin.describeGroups([name])).groups;
    assert.ok(found);
    return found;
  }

  /** One record into each partition. */
  async publish(): Promise<void> {
    const value = encodeEnvelope(Payload.ofJson({}), NOBODY, Date.now());
    const messages = Array.from({ length: PARTITIONS }, (_, partition) => ({
      partition,
      key: 'chat:a',
      value,
    }));
    await this.producer.send({ topic: TOPIC, messages });
  }

  /** What the topic's records are by now, those of each partition in order. */
  async read(): Promise<string[]> {
    const ends = await this.admin.fetchTopicOffsets(TOPIC);
    const count = ends.reduce((sum, { high }) => sum + Number(high), 0);
    const found: string[] = [];
    const reader = this.#client.consumer({ groupId: 'reader' });
    await reader.connect();
    try {
      await reader.subscribe({ topics: [TOPIC], fromBeginning: true });
      await reader.run({
        autoCommit: false,
        eachMessage: async ({ message }) => void found.push(String(message.value)),
      });
      await waitFor('all records', () => found.length >= count);
    } finally {
      await reader.disconnect();
    }
    return found;
  }

  /** Joins, and then never hears that the group changes: whoever joins waits until it leaves. To be disconnected. */
  async block(group: string): Promise<Consumer> {
    const made = this.#client.consumer({
      groupId: group,
      sessionTimeout: 60_000,
      rebalanceTimeout: 60_000,
      heartbeatInterval: 59_000,
    });
    await made.connect();
    await made.subscribe({ topics: [TOPIC] });
    await made.run({ autoCommit: false, eachMessage: async () => undefined });
    return made;
  }
}
