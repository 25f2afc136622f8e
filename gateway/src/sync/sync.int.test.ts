import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ETCD_KEY } from '@causeway/crds';
import { startEtcd } from '../../../e2e/harness/index.ts';
import type { Etcd } from '../../../e2e/harness/index.ts';
import { waitFor } from '../../../e2e/tools/index.ts';
import { EtcdClient, prefixRange } from '../etcd/index.ts';
import { startReplicator } from '../replicate/replicator.ts';
import type { Replicator } from '../replicate/replicator.ts';
import { RandomWriter, silent } from '../replicate/testing/index.ts';
import { Feed } from './feed.ts';
import type { Role } from './transaction.ts';
import { Follower } from './testing/index.ts';

const PREFIXES = ['/config/', '/tenants/'];

/** Two zones, each with a real etcd; `a` is home at first. */
let etcds: { a: Etcd; b: Etcd };
let clients: { a: EtcdClient; b: EtcdClient };
let feeds: Feed[] = [];
let replicators: Replicator[] = [];
let followers: Follower[] = [];

type Zone = 'a' | 'b';

const feedOf = (zone: Zone, role: Role): Feed => {
  const etcd = { endpoints: [etcds[zone].endpoint] };
  const feed = new Feed({ etcd, prefixes: PREFIXES, role, log: silent, failed: () => undefined });
  feeds.push(feed);
  feed.start();
  return feed;
};
const replicate = (from: Zone, to: Zone, epoch: number): Replicator => {
  const replicator = startReplicator(
    {
      platform: 'orders',
      namespace: 'messaging',
      listen: { adminPort: 0 },
      homeZone: from,
      zone: to,
      epoch,
      source: { endpoints: [etcds[from].endpoint] },
      target: { endpoints: [etcds[to].endpoint] },
      prefixes: PREFIXES,
    },
    silent,
  );
  replicators.push(replicator);
  return replicator;
};
const follower = (): Follower => {
  const made = new Follower();
  followers.push(made);
  return made;
};
const put = async (zone: Zone, ...pairs: [string, string][]): Promise<bigint> => {
  const success = pairs.map(([key, value]) => ({
    request_put: { key: Buffer.from(key), value: Buffer.from(value) },
  }));
  const { header } = await clients[zone].transact({ compare: [], success, failure: [] });
  return BigInt(header.revision);
};
const remove = async (zone: Zone, key: string): Promise<void> => {
  await clients[zone].transact({
    compare: [],
    success: [{ request_delete_range: { key: Buffer.from(key) } }],
    failure: [],
  });
};
const stateOf = async (zone: Zone): Promise<Map<string, string>> => {
  const state = new Map<string, string>();
  for (const prefix of PREFIXES) {
    for await (const { key, value } of clients[zone].keys(prefixRange(prefix))) {
      state.set(key.toString(), value.toString());
    }
  }
  return state;
};
const compact = async (zone: Zone, revision: bigint): Promise<void> => {
  const { Etcd3 } = await import('etcd3');
  const client = new Etcd3({ hosts: etcds[zone].endpoint });
  try {
    await client.kv.compact({ revision: revision.toString(), physical: true });
  } finally {
    client.close();
  }
};
const filled = (replicator: Replicator): Promise<boolean> =>
  until('the zone is filled', () => replicator.status.phase === 'Following');
const until = (what: string, check: () => boolean): Promise<boolean> =>
  waitFor(what, async () => check(), { timeoutMs: 30_000, intervalMs: 20 });
const sorted = (state: ReadonlyMap<string, string>): string[] =>
  Array.from(state, ([key, value]) => `${key}=${value}`).sort();
const same = async (client: Follower, zone: Zone): Promise<void> => {
  const wanted = sorted(await stateOf(zone));
  await until(`the client has what zone ${zone} has`, () => {
    assert.deepEqual(sorted(client.state), wanted);
    return true;
  });
};

async function startZones(argsOfA: string[] = []): Promise<void> {
  const [a, b] = await Promise.all([startEtcd({ args: argsOfA }), startEtcd()]);
  etcds = { a, b };
  const connect = (etcd: Etcd): EtcdClient =>
    new EtcdClient({ endpoints: [etcd.endpoint] }, {}, () => undefined);
  clients = { a: connect(a), b: connect(b) };
}

async function stopZones(): Promise<void> {
  await Promise.all(followers.map((one) => one.leave()));
  await Promise.all([...feeds, ...replicators].map((one) => one.stop()));
  [followers, feeds, replicators] = [[], [], []];
  clients.a.close();
  clients.b.close();
  await Promise.all([etcds.a.stop(), etcds.b.stop()]);
}

describe('sync: two zones', () => {
  beforeEach(() => startZones());
  afterEach(stopZones);

  it('gives the present state, says that it is whole, and then each change with the value before', async () => {
    await put('a', ['/config/a', '1'], ['/tenants/t', 'x'], ['/other/o', 'no']);
    const client = follower().follow(feedOf('a', { home: true, epoch: 1 }));
    await until('the state', () => client.position !== undefined);
    assert.deepEqual(sorted(client.state), ['/config/a=1', '/tenants/t=x']);
    const revision = await put('a', ['/config/a', '2'], ['/tenants/new', 'n']);
    await remove('a', '/tenants/t');
    await until('the changes', () => client.state.size === 2 && client.state.get('/config/a') === '2');
    const [changes] = client.messages.filter(({ kind }) => kind === 'KIND_CHANGES');
    assert.deepEqual(
      changes?.events?.map(({ prev_value: before, mod_revision: at }) => [before, at]),
      [
        [Buffer.from('1').toString('base64'), String(revision)],
        [undefined, String(revision)],
      ],
    );
    assert.deepEqual(changes?.position, { rev: String(revision), epoch: '1' });
  });

  it('shows only what was asked for', async () => {
    const client = follower().follow(feedOf('a', { home: true, epoch: 1 }), { prefixes: ['/tenants/acme/'] });
    await until('the state', () => client.position !== undefined);
    await put('a', ['/config/a', '1'], ['/tenants/acme/x', '1'], ['/tenants/acmeX', '1']);
    await until('the change', () => client.state.size > 0);
    await put('a', ['/tenants/acme/y', '2']);
    await until('the next change', () => client.state.size > 1);
    assert.deepEqual([...client.state.keys()], ['/tenants/acme/x', '/tenants/acme/y']);
  });

  it('tells a quiet client that it is current, and from there it resumes', async () => {
    const feed = feedOf('a', { home: true, epoch: 1 });
    const client = follower().follow(feed, { limits: { progressMs: 100 } });
    await until('the state', () => client.position !== undefined);
    const revision = await put('a', ['/other/o', '1']);
    await until('progress', () => (client.position?.revision ?? 0n) >= revision);
    assert.ok(client.count('KIND_PROGRESS') > 0);
    await client.leave();
    await put('a', ['/config/a', '1']);
    client.follow(feed);
    await same(client, 'a');
  });

  it('a client that changes zones under load ends with what the home has', async () => {
    const home = feedOf('a', { home: true, epoch: 1 });
    const other = feedOf('b', { home: false, epoch: 1 });
    // Before anything is written: a position from before the zone's first snapshot can't be resumed from there.
    await filled(replicate('a', 'b', 1));
    const writer = new RandomWriter(etcds.a.endpoint, PREFIXES);
    const writing = writer.run(2_000);
    const client = follower();
    try {
      for (let turn = 0; turn < 10; turn++) {
        const before = client.messages.length;
        client.follow(turn % 2 === 0 ? home : other);
        await until(`turn ${turn}`, () => client.messages.length > before + 5 || writer.written >= 2_000);
        await client.leave();
        assert.equal(await client.ended, undefined, `turn ${turn}`);
      }
      await writing;
    } finally {
      writer.close();
    }
    assert.equal(client.count('KIND_SNAPSHOT'), 1, 'the state was read once, all else was resumed');
    client.follow(other);
    await same(client, 'a');
  });

  it('a fresh gateway of the other zone finds a position that it never saw', async () => {
    await filled(replicate('a', 'b', 1));
    const client = follower().follow(feedOf('a', { home: true, epoch: 1 }));
    await until('the state', () => client.position !== undefined);
    await put('a', ['/config/a', '1']);
    await until('the change', () => client.state.size === 1);
    await client.leave();
    // More than what a gateway reads back at its start.
    const writer = new RandomWriter(etcds.a.endpoint, ['/config/']);
    await writer.run(2_500, 8);
    writer.close();
    await waitFor('replicated', async () => {
      assert.deepEqual(await stateOf('b'), await stateOf('a'));
      return true;
    });
    client.follow(feedOf('b', { home: false, epoch: 1 }));
    await same(client, 'a');
    assert.equal(client.count('KIND_SNAPSHOT'), 1);
  });

  it('what is compacted is said, with the oldest revision there is', async () => {
    await put('a', ['/config/a', '1']);
    for (let i = 0; i < 5; i++) await put('a', ['/config/a', String(i)]);
    const last = await put('a', ['/config/a', 'last']);
    await compact('a', last);
    const feed = feedOf('a', { home: true, epoch: 1 });
    const client = follower().follow(feed, { from: { epoch: 1, revision: 2n } });
    const failure = await client.ended;
    assert.equal(failure?.reason, 'compacted');
    assert.deepEqual(failure?.oldest, { epoch: 1, revision: last });
    assert.match(failure?.message ?? '', /start over without one/);
    client.follow(feed, { from: undefined });
    await same(client, 'a');
  });

  it('positions inside a gap that a snapshot bridged are refused, the one before it is good', async () => {
    const first = replicate('a', 'b', 1);
    await put('a', ['/config/a', '1']);
    const other = feedOf('b', { home: false, epoch: 1 });
    const exact = follower().follow(other);
    await until('replicated', () => exact.state.size === 1);
    await exact.leave();
    await first.stop();
    const home = feedOf('a', { home: true, epoch: 1 });
    const between = follower().follow(home);
    await put('a', ['/config/short-lived', 'x']);
    await until('the short-lived key', () => between.state.has('/config/short-lived'));
    await between.leave();
    await remove('a', '/config/short-lived');
    const last = await put('a', ['/config/a', '2']);
    await compact('a', last);
    replicate('a', 'b', 1);
    await waitFor('replicated', async () => (await stateOf('b')).get('/config/a') === '2');
    between.follow(other);
    assert.equal((await between.ended)?.reason, 'unknown-position');
    exact.follow(other);
    await same(exact, 'a');
    assert.equal(exact.count('KIND_SNAPSHOT'), 1);
  });

  it('when the home moves, clients resume at the new home and in the zone that was home', async () => {
    const first = replicate('a', 'b', 1);
    const [a, b] = [feedOf('a', { home: true, epoch: 1 }), feedOf('b', { home: false, epoch: 1 })];
    await put('a', ['/config/a', '1']);
    const [one, two] = [follower().follow(a), follower().follow(b)];
    await until('the state in both zones', () => one.state.size === 1 && two.state.size === 1);
    await first.stop();
    a.setRole({ home: false, epoch: 2 });
    b.setRole({ home: true, epoch: 2 });
    assert.deepEqual([(await one.ended)?.reason, (await two.ended)?.reason], ['home-moved', 'home-moved']);
    replicate('b', 'a', 2);
    await put('b', ['/config/b', '2']);
    one.follow(b);
    two.follow(b);
    await Promise.all([same(one, 'b'), same(two, 'b')]);
    assert.deepEqual([one.position?.epoch, two.position?.epoch], [2, 2]);
    await one.leave();
    one.follow(a);
    await put('b', ['/config/c', '3']);
    await same(one, 'b');
    assert.deepEqual([one.count('KIND_SNAPSHOT'), two.count('KIND_SNAPSHOT')], [1, 1]);
  });

  it('a zone that is filled before and after goes on when it is told of the next home: its streams notice nothing', async () => {
    const first = replicate('a', 'b', 1);
    const feed = feedOf('b', { home: false, epoch: 1 });
    await put('a', ['/config/a', '1']);
    const client = follower().follow(feed);
    await until('the state', () => client.state.size === 1);
    await first.stop();
    feed.setRole({ home: false, epoch: 2 });
    assert.equal(feed.epoch, 2);
    await put('b', [ETCD_KEY.epoch, '2']);
    replicate('a', 'b', 2);
    await put('a', ['/config/b', '2']);
    await same(client, 'a');
    assert.equal(client.position?.epoch, 2);
    assert.equal(client.count('KIND_SNAPSHOT'), 1);
    await put('b', [ETCD_KEY.epoch, '3']);
    assert.equal((await client.ended)?.reason, 'home-moved', 'etcd knew of the next one first');
    await until('it serves nothing', () => feed.epoch === 0);
  });

  it('a position of another history is refused, one that the zone has yet to reach waits', async () => {
    const feed = feedOf('b', { home: false, epoch: 1 });
    replicate('a', 'b', 1);
    await put('a', ['/config/a', '1']);
    const limits = { startMs: 1_500 };
    const ahead = follower().follow(feed, { from: { epoch: 1, revision: 1_000n }, limits });
    assert.equal((await ahead.ended)?.reason, 'behind');
    const atHome = feedOf('a', { home: true, epoch: 1 });
    const restored = follower().follow(atHome, { from: { epoch: 1, revision: 1_000n }, limits });
    assert.equal((await restored.ended)?.reason, 'unknown-position');
    const waiting = follower().follow(feed, {
      from: { epoch: 1, revision: 10n },
      limits: { startMs: 20_000 },
    });
    for (let i = 0; i < 12; i++) await put('a', ['/config/a', String(i)]);
    await until('reached', () => waiting.state.get('/config/a') === '11');
  });

  it('an etcd that is killed and comes back: the stream goes on and misses nothing', async () => {
    const feed = feedOf('a', { home: true, epoch: 1 });
    const client = follower().follow(feed);
    await until('the state', () => client.position !== undefined);
    await etcds.a.kill();
    await until('noticed', () => feed.away > 0);
    const late = follower().follow(feed, { limits: { startMs: 500 } });
    assert.equal((await late.ended)?.reason, 'etcd-away');
    await etcds.a.start();
    await put('a', ['/config/a', 'after']);
    await same(client, 'a');
    assert.equal(client.count('KIND_SNAPSHOT'), 1);
    await etcds.a.kill();
    const ends = follower();
    await until('noticed again', () => feed.away > 0);
    client.follow(feed, { limits: { awayMs: 300, startMs: 300 } });
    assert.equal((await client.ended)?.reason, 'etcd-away');
    await ends.leave();
  });

  it('500 streams are one watch for each prefix, a slow one is ended, and nothing is left', async () => {
    const feed = feedOf('a', { home: true, epoch: 1 });
    const clients500 = Array.from({ length: 500 }, () => follower().follow(feed));
    const stuck = follower().follow(feed, { stuck: true, limits: { stallMs: 1_000 } });
    await put('a', ['/config/a', '1']);
    await until('all have it', () => clients500.every(({ state }) => state.size === 1));
    const metrics = await (await fetch(`${etcds.a.endpoint}/metrics`)).text();
    assert.match(metrics, /^etcd_debugging_mvcc_watcher_total 3$/m);
    for (let i = 0; i < 6; i++) await put('a', [`/config/large-${i}`, 'x'.repeat(200_000)]);
    assert.equal((await stuck.ended)?.reason, 'slow-reader');
    await until('all have the rest', () => clients500.every(({ state }) => state.size === 7));
    await Promise.all(clients500.map((client) => client.leave()));
  });

  it('a token that expires ends its stream', async () => {
    const feed = feedOf('a', { home: true, epoch: 1 });
    const client = follower().follow(feed, { expiresAt: Date.now() + 1_500 });
    await until('the state', () => client.position !== undefined);
    assert.equal((await client.ended)?.reason, 'token-expired');
  });
});

describe('sync: a zone in the middle of a snapshot', () => {
  beforeEach(() => startZones(['--max-request-bytes=12000000']));
  afterEach(stopZones);

  it('is at no position: streams get its keys without one, new ones are told to come later, and its end is whole', async () => {
    const first = replicate('a', 'b', 1);
    await put('a', ['/config/00', 'old'], ['/config/gone', 'old'], ['/tenants/t', 'old']);
    const feed = feedOf('b', { home: false, epoch: 1 });
    const client = follower().follow(feed);
    await until('the state', () => client.state.size === 3);
    await first.stop();
    const before = client.position;
    const large = 'v'.repeat(90_000);
    for (let n = 0; n < 20; n++) await put('a', [`/config/${String(n).padStart(2, '0')}`, large]);
    await remove('a', '/config/gone');
    await put('a', ['/tenants/t', 'new']);
    // Too large for the zone: the snapshot comes as far as this key.
    await compact('a', await put('a', ['/config/huge', 'v'.repeat(3_000_000)]));
    const told = client.messages.length;
    const second = replicate('a', 'b', 1);
    await until('in the middle', () => second.status.phase === 'Blocked');
    await until('the keys until there', () =>
      client.messages.slice(told).some(({ events = [] }) => events.length > 0),
    );
    assert.ok(client.messages.slice(told).every(({ position }) => position === undefined));
    assert.deepEqual(client.position, before);
    const fresh = follower().follow(feed, { limits: { startMs: 500 } });
    assert.equal((await fresh.ended)?.reason, 'behind');
    await remove('a', '/config/huge');
    await same(client, 'a');
    assert.equal(client.count('KIND_SNAPSHOT'), 1, 'it never started over');
    fresh.follow(feed);
    await same(fresh, 'a');
    assert.deepEqual(fresh.position, client.position);
  });
});
