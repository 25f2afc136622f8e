/** Carriers whose group's coordinator becomes another broker, on a real Kafka of three. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Kafka as KafkaClient, logLevel } from 'kafkajs';
import type { Admin, Producer } from 'kafkajs';
import { startKafka } from '../../../e2e/harness/index.ts';
import type { Kafka } from '../../../e2e/harness/index.ts';
import { waitFor } from '../../../e2e/tools/index.ts';
import { createLog } from '../log/index.ts';
import { Payload } from '../protocol/index.ts';
import { coordinatorOf } from '../testing/index.ts';
import { createKafka, encodeEnvelope } from './index.ts';
import type { Carrier } from './index.ts';
import { startCarrier } from './testing/carrier.ts';
import { MemoryStreams } from './testing/memory-streams.ts';

const TOPIC = 'p.chat';
const GROUP = 'p-gateways';
const OFFSETS = '__consumer_offsets';
const PARTITIONS = 4;
/** Between two publications to one partition, milliseconds. */
const PAUSE_MS = 20;
const NOBODY = { user: '', client: '' };

/** Publishes into each partition until it is told to stop, and notes when each record was acknowledged. */
class Publisher {
  readonly acknowledged = new Map<string, number>();
  readonly #producer: Producer;
  readonly #end = new AbortController();
  readonly #over: Promise<unknown>;

  constructor(producer: Producer) {
    this.#producer = producer;
    this.#over = Promise.all(Array.from({ length: PARTITIONS }, (_, partition) => this.#run(partition)));
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#over;
  }

  async #run(partition: number): Promise<void> {
    const value = encodeEnvelope(Payload.ofJson({}), NOBODY, Date.now());
    const messages = [{ partition, key: 'chat:a', value }];
    while (!this.#end.signal.aborted) {
      // While the partition has no leader: allowed, and it may be in Kafka or not.
      const answers = await this.#producer.send({ topic: TOPIC, messages }).catch(() => []);
      for (const { baseOffset } of answers)
        this.acknowledged.set(`${TOPIC}/${partition} ${baseOffset}`, performance.now());
      await delay(PAUSE_MS);
    }
  }
}

describe('two carriers of a group', { timeout: 240_000 }, () => {
  let kafka: Kafka;
  let admin: Admin;
  let producer: Producer;
  let publisher: Publisher;
  const carriers: Carrier[] = [];
  /** As whom each join was, in order. */
  const joins: string[] = [];
  const failures: string[] = [];
  const cameAt = new Map<string, number>();
  const streams = new MemoryStreams((record) => cameAt.set(record, performance.now()));

  before(async () => {
    kafka = await startKafka({
      brokers: 3,
      config: {
        // The order of replicas is enough to move a leader, within a second: by an election of the preferred one.
        'auto.leader.rebalance.enable': 'true',
        'leader.imbalance.check.interval.seconds': '1',
        // As docs/operations.md advises: or commits wait for the next leader's followers, and heartbeats for commits.
        'replica.fetch.backoff.ms': '50',
      },
    });
    const person = new KafkaClient({
      brokers: kafka.bootstrapServers.split(','),
      logLevel: logLevel.NOTHING,
    });
    admin = person.admin();
    producer = person.producer();
    await Promise.all([admin.connect(), producer.connect()]);
    await admin.createTopics({
      waitForLeaders: true,
      topics: [{ topic: TOPIC, numPartitions: PARTITIONS, replicationFactor: 3 }],
    });
    carry('one');
    carry('two');
  });
  after(async () => {
    await Promise.all(carriers.map((carrier) => carrier.close()));
    await Promise.all([admin.disconnect(), producer.disconnect()]);
    await kafka.stop();
  });
  beforeEach(() => {
    publisher = new Publisher(producer);
  });
  afterEach(() => publisher.stop());

  const log = createLog({ component: 'test' });
  /** A client whose consumers tell that they join. */
  const client = (clientId: string): KafkaClient => {
    const made = createKafka({
      connection: { brokers: kafka.bootstrapServers.split(',') },
      clientId,
      log,
    });
    const consumer = made.consumer.bind(made);
    made.consumer = (config) => {
      const one = consumer(config);
      one.on('consumer.group_join', ({ payload }) => joins.push(payload.memberId));
      return one;
    };
    return made;
  };
  const carry = (clientId: string): void => {
    const carrier = startCarrier({
      kafka: () => client(clientId),
      group: GROUP,
      topic: TOPIC,
      streams,
      failed: (what) => failures.push(what),
    });
    carriers.push(carrier);
  };
  /** As whom both are members; nothing while the group changes. */
  const members = async (): Promise<string[] | undefined> => {
    const [group] = (await admin.describeGroups([GROUP])).groups;
    if (group?.state !== 'Stable' || group.members.length !== 2) return undefined;
    return group.members.map(({ memberId }) => memberId).toSorted();
  };
  const committed = async (): Promise<number> => {
    const [topic] = await admin.fetchOffsets({ groupId: GROUP, topics: [TOPIC] });
    return Math.min(...(topic?.partitions ?? []).map(({ offset }) => Number(offset)));
  };
  const partitionsOf = async (topic: string) =>
    (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0]?.partitions ?? [];
  /** This broker leads all of Kafka's own topic of groups from then on. */
  const coordinateAt = async (broker: number): Promise<void> => {
    const partitionAssignment = (await partitionsOf(OFFSETS)).map(({ partitionId, replicas }) => ({
      partition: partitionId,
      replicas: [broker, ...replicas.filter((one) => one !== broker)],
    }));
    await admin.alterPartitionReassignments({ topics: [{ topic: OFFSETS, partitionAssignment }] });
  };
  /** The longest time that a record waited in Kafka, of those that came since then. */
  const longest = (since: number): number =>
    Math.max(
      ...[...publisher.acknowledged]
        .map(([record, at]) => ({ at, came: cameAt.get(record) ?? -1 }))
        .filter(({ came }) => came >= since)
        .map(({ at, came }) => came - at),
    );

  /** Makes the coordinator another broker each time, and sees that the members are none the wiser. */
  const goOn = async (
    t: TestContext,
    times: number,
    move: (from: number) => Promise<void>,
  ): Promise<void> => {
    await waitFor('offsets are committed', async () => (await committed()) > 0);
    const both = await waitFor('both are members', members);
    const joined = joins.length;
    for (let nth = 1; nth <= times; nth += 1) {
      const { id } = await waitFor('a coordinator', () => coordinatorOf(kafka, GROUP));
      const began = performance.now();
      await move(id);
      await waitFor('another one', async () => (await coordinatorOf(kafka, GROUP)).id !== id);
      // It is asked again while it is loading.
      const told = await waitFor('what is committed', committed);
      await waitFor('offsets are committed there', async () => (await committed()) > told + 50);
      t.diagnostic(
        `${nth}: a record waited for ${longest(began).toFixed()} ms, ${joins.length - joined} joins`,
      );
    }
    await publisher.stop();
    const all = [...publisher.acknowledged.keys()];
    await waitFor('all records', () => all.every((record) => cameAt.has(record)));
    assert.deepEqual(streams.again, [], 'none was read twice');
    assert.deepEqual(await members(), both);
    assert.equal(joins.length, joined, 'nobody joined anew');
    assert.deepEqual(failures, []);
  };

  it('go on as who they are when Kafka elects another broker', async (t) => {
    await goOn(t, 3, (from) => coordinateAt((from % 3) + 1));
  });

  it('go on as who they are when the broker that coordinates is shut down', async (t) => {
    await goOn(t, 1, async (from) => {
      await kafka.brokers.find(({ id }) => id === from)?.shutDown();
    });
  });
});
