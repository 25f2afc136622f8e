/** Members whose way to the coordinator breaks, or is lost, while they join their group in a real Kafka. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import type { Consumer, GroupDescription, Kafka as KafkaClient } from 'kafkajs';
import { waitFor } from '../../../e2e/tools/index.ts';
import { createLog } from '../log/index.ts';
import type { TcpProxy } from '../testing/index.ts';
import type { CarrierOptions } from './carrier.ts';
import { createKafka } from './index.ts';
import type { Carrier } from './index.ts';
import { startCarrier } from './testing/carrier.ts';
import { TOPIC } from './testing/group-clients.ts';
import type { GroupClients } from './testing/group-clients.ts';
import { startKafkaByProxy } from './testing/kafka-by-proxy.ts';
import type { KafkaByProxy } from './testing/kafka-by-proxy.ts';
import { MemoryStreams } from './testing/memory-streams.ts';

/** Less than a session, 6 s, for which a ghost holds up all. */
const SOON = { timeoutMs: 4_000, intervalMs: 50 };

describe('a member whose way to Kafka breaks while it joins', { timeout: 120_000 }, () => {
  let kafka: KafkaByProxy;
  let clients: GroupClients;
  /** The way of one member to Kafka. */
  let way: TcpProxy;
  let group: string;
  let nth = 0;
  const ends: (() => Promise<unknown>)[] = [];
  /** How often the one on that way was told who coordinates: then it joins there. */
  let looks = 0;
  const log = createLog({ component: 'test' });

  before(async () => {
    kafka = await startKafkaByProxy();
    ({ way, clients } = kafka);
  });
  after(() => kafka.stop());
  beforeEach(() => {
    nth += 1;
    group = `p-gateways-${nth}`;
    looks = 0;
  });
  afterEach(async () => {
    way.restore();
    await Promise.all(ends.splice(0).map((end) => end()));
  });

  const seen = (): Promise<GroupDescription> => clients.group(group);
  const isWhole = async (size: number): Promise<boolean> => {
    const { state, members } = await seen();
    return state === 'Stable' && members.length === size;
  };
  const block = async (): Promise<Consumer> => {
    const made = await clients.block(group);
    ends.push(() => made.disconnect());
    return made;
  };
  const carry = (clientId: string, broker: string, options: Partial<CarrierOptions> = {}) => {
    const streams = new MemoryStreams();
    const kafkas = (): KafkaClient => {
      const made = createKafka({ connection: { brokers: [broker] }, clientId, log });
      const consumer = made.consumer.bind(made);
      made.consumer = (config) => {
        const one = consumer(config);
        one.on('consumer.network.request', ({ payload }) => {
          if (clientId === 'here' && payload.apiName === 'GroupCoordinator') looks += 1;
        });
        return one;
      };
      return made;
    };
    const made: Carrier = startCarrier({ kafka: kafkas, group, topic: TOPIC, streams, ...options });
    ends.push(() => made.close());
    return streams;
  };
  /** Two that join, one of them on that way, and what holds them up. */
  const begin = async (options: Partial<CarrierOptions> = {}) => {
    const blocker = await block();
    const carried = [
      carry('there', kafka.bootstrapServers),
      carry('here', `127.0.0.1:${way.port}`, options),
    ].map((streams) => streams.carried);
    await waitFor('both join', async () => (await seen()).members.length === 3);
    return { blocker, carried };
  };
  /** Nothing holds them up any more: both carry soon. Tells who they are. */
  const goOn = async (t: TestContext, blocker: Consumer, carried: string[][]): Promise<string[]> => {
    const { members } = await seen();
    t.diagnostic(`${members.length} members join`);
    await blocker.disconnect();
    const since = performance.now();
    await waitFor('the group is whole', () => isWhole(2), SOON);
    await clients.publish();
    await waitFor('both carry', () => carried.every(({ length }) => length > 0), SOON);
    t.diagnostic(`all is carried after ${(performance.now() - since).toFixed()} ms`);
    return (await seen()).members.map(({ memberId }) => memberId);
  };

  it('is who it was, also when its connection breaks again and again', async (t) => {
    const { blocker, carried } = await begin();
    const earlierIds = (await seen()).members.map(({ memberId }) => memberId);
    for (let time = 1; time <= 3; time += 1) {
      const earlier = looks;
      way.reset();
      await waitFor('it joins again', () => looks > earlier);
    }
    const ids = await goOn(t, blocker, carried);
    assert.deepEqual(
      ids.filter((id) => !earlierIds.includes(id)),
      [],
    );
  });

  it('leaves no ghost when it is given up while its way is lost', async (t) => {
    let givenUp = 0;
    const { blocker, carried } = await begin({
      contact: { memberMs: 9_000, joiningMs: 2_500 },
      failed: (what) => {
        if (what === 'consume') givenUp += 1;
      },
    });
    way.stall();
    await waitFor('it is given up twice', () => givenUp >= 2);
    way.restore();
    const restored = looks;
    await waitFor('it joins again', () => looks > restored);
    await goOn(t, blocker, carried);
  });
});
