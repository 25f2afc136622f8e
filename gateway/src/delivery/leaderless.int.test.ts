/** What publishes and carries while a partition has no leader, in a real Kafka whose broker with its one replica is gone. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Kafka as KafkaClient, logLevel } from 'kafkajs';
import type { Admin } from 'kafkajs';
import { startKafka } from '../../../e2e/harness/index.ts';
import type { Kafka, KafkaBroker } from '../../../e2e/harness/index.ts';
import { waitFor } from '../../../e2e/tools/index.ts';
import { createLog } from '../log/index.ts';
import { coordinatorOf } from '../testing/index.ts';
import { BackendAwayError, createKafka, KafkaLog } from './index.ts';
import { startCarrier } from './testing/carrier.ts';
import { MemoryStreams } from './testing/memory-streams.ts';

const GROUP = 'p-gateways';
const TOPIC = 'p.chat';
/** One to which nothing was published before. */
const QUIET = 'p.quiet';
const NAMESPACES = new Map([
  [TOPIC, 'chat'],
  [QUIET, 'chat'],
]);
/** Of each broker one, and of no other. */
const PARTITIONS = [0, 1, 2];

describe('a partition without a leader', { timeout: 120_000 }, () => {
  let kafka: Kafka;
  let admin: Admin;
  const log = createLog({ component: 'test' });
  const ends: (() => Promise<unknown>)[] = [];

  before(async () => {
    kafka = await startKafka({ brokers: 3 });
    const brokers = kafka.bootstrapServers.split(',');
    admin = new KafkaClient({ brokers, logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    const replicaAssignment = PARTITIONS.map((partition) => ({ partition, replicas: [partition + 1] }));
    const configEntries = [{ name: 'min.insync.replicas', value: '1' }];
    const topics = [TOPIC, QUIET].map((topic) => ({ topic, replicaAssignment, configEntries }));
    await admin.createTopics({ topics });
  });
  after(async () => {
    await Promise.all(ends.map((end) => end()));
    await admin.disconnect();
    await kafka.stop();
  });

  const client = (over?: AbortSignal): KafkaClient =>
    createKafka({
      connection: { brokers: kafka.bootstrapServers.split(',') },
      clientId: 'gateway',
      log,
      ...(over && { over }),
    });
  const publications = async (): Promise<KafkaLog> => {
    const made = new KafkaLog({ kafka: client, topics: [TOPIC, QUIET], log, failed: () => undefined });
    made.start();
    ends.push(() => made.close());
    await waitFor('the topic is known', () => made.ready);
    return made;
  };
  const carry = (streams: MemoryStreams): void => {
    const options = { group: GROUP, topic: TOPIC, namespaces: NAMESPACES, streams };
    const made = startCarrier({ kafka: () => client(), ...options });
    ends.push(() => made.close());
  };
  const committed = async (): Promise<number[]> => {
    const [topic] = await admin.fetchOffsets({ groupId: GROUP, topics: [TOPIC] });
    return (topic?.partitions ?? []).map(({ offset }) => Number(offset));
  };
  /** A broker that does not coordinate the group, and the partition that it alone has. */
  const victim = async (): Promise<{ broker: KafkaBroker; partition: number }> => {
    const { id } = await coordinatorOf(kafka, GROUP);
    const broker = kafka.brokers.find((one) => one.id !== id);
    assert.ok(broker);
    return { broker, partition: broker.id - 1 };
  };

  it('is the only one that cannot be published to, and the others are carried, also by who joins then', async () => {
    const streams = new MemoryStreams();
    const carried = (partition: number, topic = TOPIC): number =>
      streams.carried.filter((record) => record.startsWith(`${topic}/${partition} `)).length;
    const first = await publications();
    carry(streams);
    const keys = await keysOf(first, admin);
    await waitFor('all is carried', () => PARTITIONS.every((partition) => carried(partition) > 0));
    await waitFor('all is committed', async () => (await committed()).every((offset) => offset > 0));
    const { broker, partition: gone } = await victim();
    const others = PARTITIONS.filter((partition) => partition !== gone);
    await broker.kill();
    await waitFor('it has no leader', async () => (await leaders(kafka))[gone] === -1);

    // They know nothing of before.
    const next = await publications();
    carry(streams);
    await waitFor('both are members', async () => {
      const [group] = (await admin.describeGroups([GROUP])).groups;
      return group?.state === 'Stable' && group.members.length === 2;
    });
    const soFar = PARTITIONS.map((partition) => carried(partition));
    for (const partition of others) await next.append(TOPIC, keys[partition]!, 'while it has none');
    await waitFor('they are carried', () => others.every((one) => carried(one) > soFar[one]!));
    await assert.rejects(next.append(TOPIC, keys[gone]!, 'while it has none'), BackendAwayError);

    await broker.start();
    const isBack = async (): Promise<boolean> =>
      next.append(TOPIC, keys[gone]!, 'again').then(
        () => true,
        () => false,
      );
    await waitFor('it can be published to', isBack, { timeoutMs: 30_000 });
    await waitFor('it is carried', () => carried(gone) > soFar[gone]!, { timeoutMs: 10_000 });
    await next.append(QUIET, keys[gone]!, 'the first');
    await waitFor('so is one that had nothing', () => carried(gone, QUIET) > 0, { timeoutMs: 10_000 });
  });
});

/** A key for each partition, to which something was published with it. */
async function keysOf(publications: KafkaLog, admin: Admin): Promise<string[]> {
  const keys: string[] = [];
  const ends = async (): Promise<Map<number, string>> =>
    new Map((await admin.fetchTopicOffsets(TOPIC)).map(({ partition, high }) => [partition, high]));
  for (let nth = 0; PARTITIONS.some((partition) => keys[partition] === undefined); nth += 1) {
    const was = await ends();
    await publications.append(TOPIC, `chat:${nth}`, 'before');
    const is = await ends();
    for (const partition of PARTITIONS)
      if (is.get(partition) !== was.get(partition)) keys[partition] ??= `chat:${nth}`;
  }
  return keys;
}

/** By partition, as Kafka says now. */
async function leaders({ bootstrapServers }: Kafka): Promise<number[]> {
  const client = new KafkaClient({ brokers: bootstrapServers.split(','), logLevel: logLevel.NOTHING });
  const admin = client.admin();
  await admin.connect();
  try {
    const [topic] = (await admin.fetchTopicMetadata({ topics: [TOPIC] })).topics;
    return (topic?.partitions ?? [])
      .toSorted((a, b) => a.partitionId - b.partitionId)
      .map(({ leader }) => leader);
  } finally {
    await admin.disconnect();
  }
}
