/** A carrier as a member of its group in a real Kafka; what it carries is kept in memory. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import type { Consumer, GroupDescription } from 'kafkajs';
import { startKafka } from '../../../e2e/harness/index.ts';
import type { Kafka } from '../../../e2e/harness/index.ts';
import { waitFor } from '../../../e2e/tools/index.ts';
import { createLog } from '../log/index.ts';
import type { Log } from '../log/index.ts';
import { Payload } from '../protocol/index.ts';
import type { CarrierOptions, Streams } from './carrier.ts';
import { createKafka, encodeEnvelope } from './index.ts';
import type { Carrier } from './index.ts';
import { TopicIds } from './kafkajs-topic-ids.ts';
import { startCarrier } from './testing/carrier.ts';
import { GroupClients, PARTITIONS, TOPIC } from './testing/group-clients.ts';
import { MemoryStreams } from './testing/memory-streams.ts';

const GROUP = 'p-gateways';

describe('a carrier in its group', { timeout: 120_000 }, () => {
  let kafka: Kafka;
  let clients: GroupClients;
  const carriers: Carrier[] = [];
  const log = createLog({ component: 'test' });
  let blocker: Consumer | undefined;

  before(async () => {
    kafka = await startKafka();
    clients = await GroupClients.connect(kafka);
  });
  after(async () => {
    await clients.close();
    await kafka.stop();
  });
  afterEach(async () => {
    await Promise.all([blocker?.disconnect(), ...carriers.splice(0).map((one) => one.close())]);
  });

  const group = (): Promise<GroupDescription> => clients.group(GROUP);
  const members = async (): Promise<number> => (await group()).members.length;

  const carry = (streams: Streams, options: Partial<CarrierOptions> = {}): Carrier => {
    const made = startCarrier({
      kafka: () =>
        createKafka({ connection: { brokers: kafka.bootstrapServers.split(',') }, clientId: 'carrier', log }),
      group: GROUP,
      topic: TOPIC,
      streams,
      ...options,
    });
    carriers.push(made);
    return made;
  };

  it('is one member, also when it gave up consumers that joined', async () => {
    const streams = new MemoryStreams();
    let givenUp = 0;
    await clients.publish();
    blocker = await clients.block(GROUP);
    carry(streams, {
      failed: (what) => {
        if (what === 'consume') givenUp += 1;
      },
      contact: { memberMs: 9_000, joiningMs: 2_500 },
    });
    await waitFor('two are given up', () => givenUp >= 2);
    await waitFor('another one joins', async () => (await members()) === 2);
    await blocker.disconnect();

    await waitFor('one member', async () => {
      const { state, members: all } = await group();
      return state === 'Stable' && all.length === 1;
    });
    await clients.publish();
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
      const { state, members: all } = await group();
      return state === 'Stable' && all.length === 1;
    };
    await waitFor('the first', isOneMember);
    const [alone] = (await group()).members;
    carry(streams, { enough: 1, log: noting });
    await waitFor('the second to see it', () => told.some((message) => message.startsWith('enough')));
    await clients.publish();
    await waitFor(
      'all records',
      () => streams.carried.length % PARTITIONS === 0 && streams.carried.length > 0,
    );
    assert.deepEqual(
      (await group()).members.map(({ memberId }) => memberId),
      [alone?.memberId],
    );

    await first.close();
    await waitFor('the second in its place', isOneMember);
    const carried = streams.carried.length;
    await clients.publish();
    await waitFor('what was published then', () => streams.carried.length === carried + PARTITIONS);
  });

  it('says once for each partition that Redis takes nothing for long, and carries all when it does', async () => {
    const told: string[] = [];
    const silent = (): undefined => undefined;
    const noting: Log = { debug: silent, info: silent, error: silent, warn: (text) => void told.push(text) };
    const streams = new MemoryStreams();
    const append = streams.append.bind(streams);
    let tries = 0;
    streams.append = () => {
      tries += 1;
      return Promise.reject(new Error('NOREPLICAS Not enough good replicas to write.'));
    };
    const began = performance.now();
    carry(streams, { group: 'p-refused', log: noting });
    await clients.publish();
    await waitFor('it to be told', () => told.length > 0);
    assert.ok(performance.now() - began >= 5_000, 'not at once');
    assert.ok(
      told.every((text) => text.startsWith('records are not appended')),
      told.join(),
    );
    const some = tries;
    await waitFor('more tries', () => tries >= some + 15 * PARTITIONS);
    assert.equal(told.length, PARTITIONS);
    streams.append = append;
    const isCarried = (): boolean =>
      Array.from({ length: PARTITIONS }, (_, partition) => `${TOPIC}/${partition} `).every((name) =>
        streams.carried.some((record) => record.startsWith(name)),
      );
    await waitFor('all partitions to be carried', isCarried);
  });

  it('carries all records of a topic that was made anew, and was longer than the old one when that was seen', async () => {
    const topic = 'p.anew';
    const options = { group: 'p-anew', namespaces: new Map([[topic, 'chat']]) };
    const publishTo = async (count: number): Promise<void> => {
      const value = encodeEnvelope(Payload.ofJson({}), { user: '', client: '' }, Date.now());
      await clients.producer.send({
        topic,
        messages: Array.from({ length: count }, () => ({ key: 'chat:a', value })),
      });
    };
    const make = () =>
      clients.admin
        .createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 1 }] })
        .catch(() => false);
    const streams = new MemoryStreams();
    await make();
    await publishTo(3);
    const earlier = carry(streams, options);
    await waitFor('the old ones', () => streams.carried.length === 3);
    await earlier.close();
    const [old] = await streams.logs([`${topic}/0`]);
    assert.ok(old);

    await clients.admin.deleteTopics({ topics: [topic] });
    await waitFor('it is made anew', make);
    await publishTo(6);
    streams.carried.length = 0;
    carry(streams, options);
    await waitFor('the first of the new ones', () => streams.carried.includes(`${topic}/0 0`));
    const all = Array.from({ length: 6 }, (_, offset) => `${topic}/0 ${offset}`);
    await waitFor('the last', () => streams.carried.slice(streams.carried.indexOf(all[0]!)).length === 6);
    assert.deepEqual(streams.carried.slice(-6), all);
    const [anew] = await streams.logs([`${topic}/0`]);
    assert.ok(anew !== undefined && anew !== old);
  });

  it("can ask for its topics' ids", async () => {
    const ids = new TopicIds(
      createKafka({ connection: { brokers: kafka.bootstrapServers.split(',') }, clientId: 'ids', log }),
    );
    await clients.admin.createTopics({
      waitForLeaders: true,
      topics: [{ topic: 'p.other', numPartitions: 1 }],
    });
    const found = await ids.of([TOPIC, 'p.other', 'p.none']);
    assert.deepEqual([...found.keys()].toSorted(), [TOPIC, 'p.other']);
    for (const id of found.values()) assert.match(id, /^[\w-]{22}$/);
    assert.equal(new Set(found.values()).size, 2);
    assert.deepEqual(await ids.of(['p.other', TOPIC]), found);
    await ids.close();
  });
});
