/** A carrier as a member of its group in a real Kafka; what it carries is kept in memory. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Kafka as KafkaClient, logLevel } from 'kafkajs';
import type { Admin, Consumer, GroupDescription, Producer } from 'kafkajs';
import { startKafka } from '../../../e2e/harness/index.ts';
import type { Kafka } from '../../../e2e/harness/index.ts';
import { waitFor } from '../../../e2e/tools/index.ts';
import { createLog } from '../log/index.ts';
import type { Log } from '../log/index.ts';
import { Payload } from '../protocol/index.ts';
import type { CarrierOptions, Streams } from './carrier.ts';
import { Carrier, createKafka, encodeEnvelope } from './index.ts';
import type { Append, AppendOutcome } from './redis-streams.ts';

const TOPIC = 'p.chat';
const GROUP = 'p-gateways';
const PARTITIONS = 4;
const NOBODY = { user: '', client: '' };

/** Decides as Redis does, see APPEND. */
class MemoryStreams implements Streams {
  readonly connected = true;
  /** `<topic>/<partition>` and offset of each record, in order. */
  readonly carried: string[] = [];
  readonly #positions = new Map<string, number>();

  async connection(): Promise<void> {}

  async append(records: Append[]): Promise<AppendOutcome[]> {
    return records.map((record) => this.#append(record));
  }

  #append({ source, kafka: { offset }, previous }: Append): AppendOutcome {
    const last = this.#positions.get(source);
    if (last !== undefined && last >= offset) return 'seen';
    if (last !== undefined && last !== previous) return 'elsewhere';
    if (last === undefined && previous !== -1) return 'lost';
    this.#positions.set(source, offset);
    this.carried.push(`${source} ${offset}`);
    return 'ok';
  }

  async note(): Promise<void> {}

  async positions(sources: string[]): Promise<(number | undefined)[]> {
    return sources.map((source) => this.#positions.get(source));
  }

  async forget(source: string): Promise<void> {
    this.#positions.delete(source);
  }
}

describe('a carrier in its group', { timeout: 120_000 }, () => {
  let kafka: Kafka;
  let client: KafkaClient;
  let admin: Admin;
  let producer: Producer;
  const carriers: Carrier[] = [];
  const log = createLog({ component: 'test' });
  let blocker: Consumer | undefined;

  before(async () => {
    kafka = await startKafka();
    client = new KafkaClient({ brokers: [kafka.bootstrapServers], logLevel: logLevel.NOTHING });
    admin = client.admin();
    producer = client.producer();
    await Promise.all([admin.connect(), producer.connect()]);
    await admin.createTopics({
      waitForLeaders: true,
      topics: [{ topic: TOPIC, numPartitions: PARTITIONS }],
    });
  });
  after(async () => {
    await Promise.all([admin.disconnect(), producer.disconnect()]);
    await kafka.stop();
  });
  afterEach(async () => {
    await Promise.all([blocker?.disconnect(), ...carriers.splice(0).map((one) => one.close())]);
  });

  const group = async (): Promise<GroupDescription | undefined> =>
    (await admin.describeGroups([GROUP])).groups[0];
  const members = async (): Promise<number> => (await group())?.members.length ?? 0;
  /** One record into each partition. */
  const publish = async (): Promise<void> => {
    const value = encodeEnvelope(Payload.ofJson({}), NOBODY, Date.now());
    const messages = Array.from({ length: PARTITIONS }, (_, partition) => ({
      partition,
      key: 'chat:a',
      value,
    }));
    await producer.send({ topic: TOPIC, messages });
  };
  /** Joins, and then never hears that the group changes: whoever joins waits until it leaves. */
  const block = async (): Promise<Consumer> => {
    const made = client.consumer({
      groupId: GROUP,
      sessionTimeout: 60_000,
      rebalanceTimeout: 60_000,
      heartbeatInterval: 59_000,
    });
    await made.connect();
    await made.subscribe({ topics: [TOPIC] });
    await made.run({ autoCommit: false, eachMessage: async () => undefined });
    return made;
  };

  const carry = (streams: Streams, options: Partial<CarrierOptions> = {}): Carrier => {
    const made = new Carrier({
      kafka: () =>
        createKafka({ connection: { brokers: [kafka.bootstrapServers] }, clientId: 'carrier', log }),
      group: GROUP,
      namespaces: new Map([[TOPIC, 'chat']]),
      historySeconds: () => 3_600,
      streams,
      tracer: undefined,
      log,
      carried: () => undefined,
      failed: () => undefined,
      ...options,
    });
    carriers.push(made);
    made.start();
    return made;
  };

  it('is one member, also when it gave up a consumer that joined', async () => {
    const streams = new MemoryStreams();
    let givenUp = 0;
    await publish();
    blocker = await block();
    carry(streams, {
      failed: (what) => {
        if (what === 'consume') givenUp += 1;
      },
      contact: { memberMs: 9_000, joiningMs: 2_500 },
    });
    // On a busy machine more than one.
    await waitFor('one is given up, and another one joins', async () => (await members()) >= 3);
    assert.ok(givenUp >= 1);
    await blocker.disconnect();

    await waitFor('one member', async () => {
      const { state, members: all } = (await group()) ?? {};
      return state === 'Stable' && all?.length === 1;
    });
    await publish();
    const expected = Array.from({ length: PARTITIONS }, (_, partition) =>
      [0, 1].map((offset) => `${TOPIC}/${partition} ${offset}`),
    ).flat();
    await waitFor('all records', () => streams.carried.length >= expected.length);
    assert.deepEqual(streams.carried.toSorted(), expected);
    assert.equal(await members(), 1);
  });

  it('stays out of a group that has enough members, and joins when one leaves', async () => {
    const told: string[] = [];
    const silent = (): undefined => undefined;
    const noting: Log = { debug: silent, warn: silent, error: silent, info: (text) => void told.push(text) };
    const streams = new MemoryStreams();
    const first = carry(streams, { enough: 1 });
    const isOneMember = async (): Promise<boolean> => {
      const { state, members: all } = (await group()) ?? {};
      return state === 'Stable' && all?.length === 1;
    };
    await waitFor('the first', isOneMember);
    const [before] = (await group())?.members ?? [];
    carry(streams, { enough: 1, log: noting });
    await waitFor('the second to see it', () => told.some((message) => message.startsWith('enough')));
    await publish();
    await waitFor(
      'all records',
      () => streams.carried.length % PARTITIONS === 0 && streams.carried.length > 0,
    );
    assert.deepEqual(
      (await group())?.members.map(({ memberId }) => memberId),
      [before?.memberId],
    );

    await first.close();
    await waitFor('the second in its place', isOneMember);
    const carried = streams.carried.length;
    await publish();
    await waitFor('what was published then', () => streams.carried.length === carried + PARTITIONS);
  });
});
