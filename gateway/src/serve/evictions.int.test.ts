/**
 * Gateways of a zone that is gone leave the group before their sessions are over. On Node alone: it is about when, and most of it is
 * waiting for Kafka; each comes from an address of its own, which Bun cannot be told.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Kafka, logLevel } from 'kafkajs';
import type { Admin, GroupDescription } from 'kafkajs';
import { ADMIN_PATH } from '@causeway/crds';
import type { GatewayConfig, ZoneView } from '@causeway/crds';
import { waitFor } from '../../../e2e/tools/index.ts';
import {
  buildBundle,
  CAN_BE_CUT_OFF,
  coordinatorOf,
  cutOff,
  sourceAddress,
  startBackends,
  startGateway,
  startTcpProxy,
} from '../testing/index.ts';
import type { Backends, GatewayProcess, Platform, TcpProxy } from '../testing/index.ts';

/** What is over this hangs. */
const BOUND = { timeoutMs: 40_000 };
const ZONES = ['zone-a', 'zone-b', 'zone-c'];

interface Member {
  zone: string;
  gateway: GatewayProcess;
}

describe('gateways that miss a zone', { timeout: 300_000 }, () => {
  let backends: Backends;
  let platform: Platform;
  let admin: Admin;
  const ends: (() => void | Promise<void>)[] = [];

  before(async () => {
    [backends] = await Promise.all([
      startBackends({ kafka: { brokers: 3, config: CAN_BE_CUT_OFF } }),
      buildBundle(),
    ]);
  });
  after(() => backends.stop());
  afterEach(async () => {
    for (const end of ends.splice(0).toReversed()) await end();
  });

  const groupName = (): string => `${platform.name}.causeway-delivery`;
  const group = async (): Promise<GroupDescription> => {
    const [found] = (await admin.describeGroups([groupName()])).groups;
    assert.ok(found);
    return found;
  };
  const joins = ({ gateway }: Member): number =>
    gateway.logs.filter(({ message }) => message === 'partitions assigned').length;
  /** What it was given last. */
  const assigned = ({ gateway }: Member): string[] =>
    gateway.logs.findLast(({ message }) => message === 'partitions assigned')?.['partitions'] as string[];
  const evictions = ({ gateway }: Member): Promise<number> =>
    gateway.metric('causeway_gateway_group_evictions_total');

  const seesAll = async ({ gateway }: Member): Promise<boolean> => {
    const { seen } = JSON.parse((await gateway.admin(ADMIN_PATH.zones)).body) as ZoneView;
    return seen.length > 0 && seen.every(({ reachable }) => reachable > 0);
  };
  const isWhole = async (size: number): Promise<boolean> => {
    const { state, members } = await group();
    return state === 'Stable' && members.length === size;
  };

  /** The way of one gateway to ask another one's zone, at the address that the other one comes to Kafka from. */
  const wayTo = async (target: number, members: Member[]): Promise<TcpProxy> => {
    const way = await startTcpProxy(() => members[target]?.gateway.adminPort ?? 0, addressOf(target));
    ends.push(() => way.close());
    return way;
  };
  /** One gateway in each of these zones, all in the group. `ways`: by zone, how each of them asks there. */
  const startAll = async (
    zones: string[],
  ): Promise<{ members: Member[]; ways: Record<string, TcpProxy>[] }> => {
    platform = await backends.platform();
    const client = new Kafka({ brokers: platform.brokers, logLevel: logLevel.NOTHING });
    admin = client.admin();
    await admin.connect();
    ends.push(() => admin.disconnect());
    const members: Member[] = [];
    const ways: Record<string, TcpProxy>[] = [];
    for (const [index, zone] of zones.entries()) {
      const peers: GatewayConfig['peers'] = [];
      ways[index] = {};
      for (const other of new Set(zones)) {
        const target = zones.indexOf(other);
        const way = await wayTo(target, members);
        ways[index][other] = way;
        peers.push({ zone: other, host: addressOf(target), port: way.port });
      }
      const environment = sourceAddress(addressOf(index), platform);
      const config = (made: GatewayConfig): void => void (made.peers = peers);
      const gateway = await startGateway({ runtime: 'node', platform, zone, environment, config });
      ends.push(() => gateway.stop());
      members.push({ zone, gateway });
    }
    await waitFor('all are in the group', () => isWhole(zones.length));
    await waitFor('they see each other', async () =>
      (await Promise.all(members.map(seesAll))).every(Boolean),
    );
    return { members, ways };
  };
  /** When those that are left have all partitions; one that only met another coordinator has the same ones as before. */
  const whole = async (left: Member[], since: number): Promise<number> => {
    const earlier = left.map(joins);
    await waitFor(
      'they have all partitions',
      () =>
        left.every((one, index) => joins(one) > (earlier[index] ?? 0)) &&
        new Set(left.flatMap(assigned)).size === 3 * platform.topics.length,
      BOUND,
    );
    return performance.now() - since;
  };

  it('take its gateways out of the group before their session is over', async (t) => {
    const { members } = await startAll(ZONES);
    const [lost, ...left] = members as [Member, Member, Member];
    const since = performance.now();
    lost.gateway.signal('SIGSTOP');
    ends.push(() => lost.gateway.signal('SIGCONT'));
    const took = await whole(left, since);
    t.diagnostic(`whole after ${(took / 1_000).toFixed(1)} s`);
    const counts = await Promise.all(left.map(evictions));
    assert.deepEqual(
      counts.toSorted((a, b) => a - b),
      [0, 1],
      'one of them was first: whose session is over is in the group no more',
    );
    lost.gateway.signal('SIGCONT');
    await waitFor('it is a member again', () => isWhole(ZONES.length));
  });

  it('do so as soon as there is a coordinator, where it was lost with the zone', async (t) => {
    const { members } = await startAll(ZONES);
    const [lost, ...left] = members as [Member, Member, Member];
    const broker = await coordinatorOf(backends.kafka, groupName());
    const since = performance.now();
    ends.push(await cutOff(broker));
    lost.gateway.signal('SIGSTOP');
    ends.push(() => lost.gateway.signal('SIGCONT'));
    const others = backends.kafka.brokers.filter((one) => one !== broker).map(({ address }) => address);
    const [took, next] = await Promise.all([
      whole(left, since),
      nextCoordinator(others, groupName(), addressOf(0)),
    ]);
    const [loaded, out, all] = [next.loadedAt - since, next.outAt - since, took].map((ms) =>
      (ms / 1_000).toFixed(1),
    );
    t.diagnostic(`loaded after ${loaded} s, out after ${out} s, whole after ${all} s`);
    const counts = await Promise.all(left.map(evictions));
    // None, where a busy machine found the coordinator only when the session was over.
    assert.ok(counts.reduce((a, b) => a + b, 0) <= 1, `taken out once at most: ${counts.join()}`);
    t.diagnostic(`taken out: ${counts.join()}`);
  });

  it('leave in peace who joins again, since it is only they who do not reach it', async () => {
    const zones = ['zone-a', 'zone-d', 'zone-b', 'zone-c'];
    const { members, ways } = await startAll(zones);
    const [first, second, lost] = members as [Member, Member, Member];
    const earlier = joins(lost);
    for (const index of [0, 1]) ways[index]?.['zone-b']?.cut();
    await waitFor('it is taken out, and joins again', () => joins(lost) > earlier, BOUND);
    // Long enough for both to have acted, and acted again.
    await waitFor('both have missed it for long', async () => {
      const silent = await Promise.all(
        [first, second].map(({ gateway }) => gateway.metric('causeway_gateway_zone_unreachable_seconds')),
      );
      return silent.every((seconds) => seconds > 10);
    });
    const counts = await Promise.all(members.map(evictions));
    assert.deepEqual(
      counts.toSorted((a, b) => a - b),
      [0, 0, 0, 1],
    );
    assert.ok(await isWhole(zones.length));
    assert.equal(joins(lost), earlier + 1, 'it was taken out once');
  });

  it('do nothing where they are cut off themselves', async () => {
    const { members, ways } = await startAll(ZONES);
    const [alone] = members as [Member];
    const earlier = members.map(joins);
    for (const way of Object.values(ways[0] ?? {})) way.cut();
    await waitFor(
      'it misses all for long',
      async () => (await alone.gateway.metric('causeway_gateway_zone_unreachable_seconds')) > 2 * 8,
    );
    assert.equal(await evictions(alone), 0);
    assert.deepEqual(members.map(joins), earlier);
  });
});

/** Where the pod of a gateway is. */
function addressOf(index: number): string {
  return `127.0.1.${index + 1}`;
}

/** When one of these brokers first knows the group as its coordinator, and when no member from that address is in it any more. */
async function nextCoordinator(
  brokers: string[],
  group: string,
  lost: string,
): Promise<{ loadedAt: number; outAt: number }> {
  const client = new Kafka({
    brokers,
    logLevel: logLevel.NOTHING,
    connectionTimeout: 500,
    requestTimeout: 1_000,
    retry: { initialRetryTime: 50, retries: 1 },
  });
  const admin = client.admin();
  const described = async (): Promise<GroupDescription | undefined> =>
    (await admin.describeGroups([group])).groups[0];
  await admin.connect();
  try {
    await waitFor(
      'there is another coordinator',
      async () => {
        const { state = 'Dead' } = (await described()) ?? {};
        return state !== 'Dead';
      },
      BOUND,
    );
    const loadedAt = performance.now();
    await waitFor(
      'those who are gone are out',
      async () => {
        const { state = 'Dead', members = [] } = (await described()) ?? {};
        return state !== 'Dead' && members.every(({ clientHost }) => !clientHost.endsWith(`/${lost}`));
      },
      BOUND,
    );
    return { loadedAt, outAt: performance.now() };
  } finally {
    await admin.disconnect();
  }
}
