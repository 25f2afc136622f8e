import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import type { Kafka } from 'kafkajs';
import type { Log } from '../log/index.ts';
import { GIVE_UP_MS } from './eviction.ts';
import type { ZoneSight } from './eviction.ts';
import { GroupEvictor } from './group-evictor.ts';
import type { ClusterBroker, DescribedMember } from './kafkajs-cluster.ts';

const STEP_MS = 50;

describe('an evictor', () => {
  let clock = 0;
  const ends: (() => void)[] = [];
  beforeEach(() => {
    clock = 1_000_000;
    mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  });
  afterEach(() => {
    for (const end of ends.splice(0)) end();
    mock.timers.reset();
  });

  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const make = () => {
    const world = {
      /** Those of zone-b, when it is silent. */
      lostAt: undefined as number | undefined,
      members: ['a-1 10.0.1.1', 'b-1 10.0.2.1', 'b-2 10.0.2.2', 'c-1 10.0.3.1'],
      /** How it answers those who look for the coordinator, those who ask it who is there, and those who let somebody leave. */
      find: async (): Promise<void> => undefined,
      describe: async (): Promise<void> => undefined,
      /** The coordinator has read the group from Kafka. */
      isRead: true,
      leave: (memberId: string): Promise<void> => Promise.resolve(void memberId),
    };
    const calls = { find: 0, told: 0, describe: 0, leave: [] as string[], made: 0, closed: 0 };
    const lines: string[] = [];
    const counted: string[] = [];
    const line = (text: string): void => void lines.push(text);
    /** Why a try failed is counted. */
    const info = (text: string): void => void (text.endsWith(' yet') ? (calls.told += 1) : line(text));
    const members = (): DescribedMember[] =>
      world.members.map((one) => {
        const [memberId = '', host = ''] = one.split(' ');
        return { memberId, clientId: `${memberId}-carry`, clientHost: `/${host}` };
      });
    const broker: Omit<ClusterBroker, 'versions' | 'connectionPool'> = {
      describeGroups: async () => {
        calls.describe += 1;
        await world.describe();
        return {
          groups: [world.isRead ? { state: 'Stable', members: members() } : { state: 'Dead', members: [] }],
        };
      },
      leaveGroup: async ({ memberId }) => {
        await world.leave(memberId);
        calls.leave.push(memberId);
      },
    };
    const cluster = {
      connect: async () => undefined,
      disconnect: async () => void (calls.closed += 1),
      findGroupCoordinator: async () => {
        calls.find += 1;
        await world.find();
        return broker;
      },
    };
    const zones = (): ZoneSight[] => {
      const since = world.lostAt;
      const pods = new Map([
        ['10.0.2.1', {}],
        ['10.0.2.2', {}],
      ]);
      return [
        {
          zone: 'zone-b',
          pods,
          answeredAt: since ?? clock,
          unreachableMs: since === undefined ? 0 : clock - since,
        },
        { zone: 'zone-c', pods: new Map([['10.0.3.1', {}]]), answeredAt: clock, unreachableMs: 0 },
      ];
    };
    const evictor = new GroupEvictor({
      kafka: () => {
        calls.made += 1;
        return { [Symbol('private:Kafka:createCluster')]: () => cluster } as unknown as Kafka;
      },
      group: 'g',
      ownClientId: 'a-1-carry',
      zones,
      log: { debug: () => undefined, warn: line, info } as unknown as Log,
      evicted: (zone) => counted.push(zone),
      now: () => clock,
    });
    ends.push(() => evictor.stop());
    evictor.start();
    return { world, calls, lines, counted, evictor };
  };
  const pass = async (ms: number): Promise<void> => {
    for (let step = 0; step < ms; step += STEP_MS) {
      clock += STEP_MS;
      mock.timers.tick(STEP_MS);
      await settle();
    }
  };
  const failing = (type: string) => async (): Promise<never> => {
    throw Object.assign(new Error(type), { name: 'KafkaJSProtocolError', type });
  };

  it('asks nothing while zones answer', async () => {
    const { calls } = make();
    await pass(60_000);
    assert.equal(calls.made, 0);
  });

  it('lets members of a lost zone leave, once, and says so', async () => {
    const { world, calls, lines, counted } = make();
    world.lostAt = clock;
    await pass(3_000);
    assert.deepEqual([calls.describe, calls.leave], [1, []], 'they are noted');
    await pass(1_500);
    assert.deepEqual(calls.leave, ['b-1', 'b-2']);
    assert.deepEqual(counted, ['zone-b', 'zone-b']);
    assert.deepEqual(lines, ['members of a lost zone left the group']);
    await pass(60_000);
    assert.deepEqual([calls.describe, calls.leave.length], [1, 2]);
    assert.equal(calls.closed, calls.made);
  });

  it('asks on while the next coordinator has not read the group', async () => {
    const { world, calls } = make();
    world.isRead = false;
    world.lostAt = clock;
    await pass(8_000);
    assert.ok(calls.describe > 1);
    assert.deepEqual(calls.leave, []);
    world.isRead = true;
    await pass(1_000);
    assert.deepEqual(calls.leave, ['b-1', 'b-2']);
  });

  it('leaves in peace who joined again, until the zone has answered', async () => {
    const { world, calls } = make();
    world.lostAt = clock;
    await pass(4_500);
    world.members = world.members.map((one) => one.replace('b-', 'new-'));
    await pass(60_000);
    assert.equal(calls.leave.length, 2);
    world.lostAt = undefined;
    await pass(1_000);
    world.lostAt = clock;
    await pass(4_500);
    assert.deepEqual(calls.leave.slice(2), ['new-1', 'new-2']);
  });

  it('takes out those whom it noted, not those who have joined since', async () => {
    const { world, calls } = make();
    world.lostAt = clock;
    await pass(3_000);
    world.members.push('b-3 10.0.2.1');
    await pass(3_000);
    assert.deepEqual(calls.leave, ['b-1', 'b-2']);
  });

  it('tries again all the time, on the same connections, while there is no coordinator, or it does not know the group yet', async () => {
    const { world, calls } = make();
    world.lostAt = clock;
    world.find = failing('GROUP_COORDINATOR_NOT_AVAILABLE');
    await pass(6_000);
    // From 2.5 s on, four times a second.
    assert.ok(calls.find >= 13 && calls.find <= 15, String(calls.find));
    assert.deepEqual([calls.describe, calls.told], [0, 1]);
    world.find = async () => undefined;
    world.describe = failing('GROUP_LOAD_IN_PROGRESS');
    await pass(3_000);
    assert.ok(calls.describe >= 11, String(calls.describe));
    assert.deepEqual([calls.leave, calls.told], [[], 2], 'it says why, once');
    world.describe = async () => undefined;
    await pass(500);
    assert.deepEqual(calls.leave, ['b-1', 'b-2']);
    await pass(500);
    assert.deepEqual([calls.made, calls.closed], [1, 1]);
  });

  it('tries again when it was no coordinator any more, and minds nobody who had gone', async () => {
    const { world, calls, counted, lines } = make();
    world.lostAt = clock;
    world.leave = failing('NOT_COORDINATOR_FOR_GROUP');
    await pass(4_600);
    assert.deepEqual([calls.leave, counted], [[], []]);
    world.leave = async (memberId) => (memberId === 'b-1' ? failing('UNKNOWN_MEMBER_ID')() : undefined);
    await pass(1_500);
    assert.deepEqual([calls.leave, counted, lines.length], [['b-2'], ['zone-b'], 1]);
    await pass(10_000);
    assert.deepEqual(calls.leave, ['b-2']);
  });

  it('gives a try up that takes long, and it does nothing later', async () => {
    const { world, calls } = make();
    const late = Promise.withResolvers<void>();
    world.lostAt = clock;
    await pass(3_000);
    world.find = () => late.promise;
    await pass(4_500);
    assert.deepEqual([calls.find >= 3, calls.leave], [true, []]);
    world.lostAt = undefined;
    await pass(1_000);
    late.resolve();
    await settle();
    assert.deepEqual(calls.leave, []);
    world.find = async () => undefined;
    world.lostAt = clock;
    await pass(4_500);
    assert.deepEqual(calls.leave, ['b-1', 'b-2'], 'and the next loss is one as any');
  });

  it('gives up after half a minute, and says so once', async () => {
    const { world, calls, lines } = make();
    world.lostAt = clock;
    world.find = failing('GROUP_AUTHORIZATION_FAILED');
    await pass(GIVE_UP_MS + 2_000);
    assert.deepEqual(lines, ['the group was not told who is gone']);
    const { find } = calls;
    await pass(60_000);
    assert.deepEqual([calls.find, lines.length], [find, 1]);
    assert.equal(calls.closed, calls.made);
  });

  it('does nothing once it is stopped', async () => {
    const { world, calls, evictor } = make();
    world.lostAt = clock;
    await pass(3_000);
    evictor.stop();
    const { find } = calls;
    await pass(20_000);
    assert.deepEqual([calls.find, calls.leave], [find, []]);
    assert.equal(calls.closed, calls.made);
  });
});
