import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { ETCD_KEY } from '@causeway/crds';
import type { ReplicationCheckpoint, ReplicatorConfig } from '@causeway/crds';
import { startEtcd } from '../../../e2e/harness/index.ts';
import type { Etcd } from '../../../e2e/harness/index.ts';
import { waitFor } from '../../../e2e/tools/index.ts';
import type { Log } from '../log/index.ts';
import { startAdmin } from './admin.ts';
import { EtcdClient, prefixRange } from '../etcd/index.ts';
import { startReplicator } from './replicator.ts';
import type { Replicator } from './replicator.ts';
import {
  RandomWriter,
  checkHistory,
  figures,
  readHistory,
  sameKeys,
  endReplicatorProcesses,
  startReplicatorProcess,
} from './testing/index.ts';

const PREFIXES = ['/config/', '/tenants/', '/zz/'];

/** Two real etcds for each test: histories are read from their beginning. */
let source: Etcd;
let target: Etcd;
let at: EtcdClient;
let to: EtcdClient;
let running: Replicator[] = [];
let lines: { level: string; message: string; fields: Record<string, unknown> }[] = [];

const log: Log = {
  debug: () => undefined,
  info: (message, fields = {}) => void lines.push({ level: 'info', message, fields }),
  warn: (message, fields = {}) => void lines.push({ level: 'warn', message, fields }),
  error: (message, fields = {}) => void lines.push({ level: 'error', message, fields }),
};
const connect = (etcd: Etcd): EtcdClient =>
  new EtcdClient({ endpoints: [etcd.endpoint] }, {}, () => undefined);

const config = (changes: Partial<ReplicatorConfig> = {}): ReplicatorConfig => ({
  platform: 'orders',
  namespace: 'messaging',
  listen: { adminPort: 0 },
  homeZone: 'zone-a',
  zone: 'zone-b',
  epoch: 3,
  source: { endpoints: [source.endpoint] },
  target: { endpoints: [target.endpoint] },
  prefixes: PREFIXES,
  ...changes,
});

const start = (changes: Partial<ReplicatorConfig> = {}): Replicator => {
  const replicator = startReplicator(config(changes), log);
  running.push(replicator);
  return replicator;
};
const stop = async (replicator: Replicator): Promise<void> => {
  running = running.filter((other) => other !== replicator);
  await replicator.stop();
};

const put = async (client: EtcdClient, ...pairs: [string, string][]): Promise<void> => {
  const success = pairs.map(([key, value]) => ({
    request_put: { key: Buffer.from(key), value: Buffer.from(value) },
  }));
  await client.transact({ compare: [], success, failure: [] });
};
const remove = async (client: EtcdClient, key: string): Promise<void> => {
  await client.transact({
    compare: [],
    success: [{ request_delete_range: { key: Buffer.from(key) } }],
    failure: [],
  });
};
const get = async (client: EtcdClient, key: string): Promise<string | undefined> =>
  (await client.range({ key: Buffer.from(key) })).kvs[0]?.value.toString();
/** All keys of the target as they were at one of its revisions. */
const keysAt = async (revision: bigint): Promise<Map<string, string>> => {
  const keys = new Map<string, string>();
  for await (const { key, value } of to.keys(prefixRange(''), revision))
    keys.set(key.toString(), value.toString());
  return keys;
};
/**
 * What any reader of the target can have seen since a revision, since etcd answers with the keys at one of its revisions: of
 * each key how its values begin, one after another (`undefined`: it was not there), and the checkpoint of each revision.
 */
const seenSince = async (
  from: bigint,
): Promise<{ values: Map<string, (string | undefined)[]>; checkpoints: ReplicationCheckpoint[] }> => {
  const { revision: end } = await to.head();
  const sights: Map<string, string>[] = [];
  for (let revision = from; revision <= end; revision++) sights.push(await keysAt(revision));
  const values = new Map<string, (string | undefined)[]>();
  for (const name of new Set(sights.flatMap((keys) => [...keys.keys()]))) {
    const all = sights.map((keys) => keys.get(name)?.slice(0, 3));
    values.set(
      name,
      all.filter((value, n) => n === 0 || value !== all[n - 1]),
    );
  }
  const checkpoints = sights.map(
    (keys) => JSON.parse(keys.get(ETCD_KEY.checkpoint) ?? '') as ReplicationCheckpoint,
  );
  return { values, checkpoints };
};
const modRevision = async (client: EtcdClient, key: string): Promise<string | undefined> =>
  (await client.range({ key: Buffer.from(key) })).kvs[0]?.mod_revision;
const checkpoint = async (): Promise<ReplicationCheckpoint | undefined> => {
  const text = await get(to, ETCD_KEY.checkpoint);
  return text === undefined ? undefined : (JSON.parse(text) as ReplicationCheckpoint);
};
const equal = (): Promise<boolean> =>
  waitFor('target equal to source', () => sameKeys(source.endpoint, target.endpoint, PREFIXES), {
    timeoutMs: 90_000,
    intervalMs: 50,
  });
const ready = (replicator: Replicator): Promise<boolean> =>
  waitFor(
    'replicator ready',
    () => {
      const missing = replicator.status.notReady();
      if (missing !== undefined) throw new Error(missing);
      return true;
    },
    { intervalMs: 20 },
  );
const histories = async (): Promise<ReturnType<typeof checkHistory>> =>
  checkHistory(await readHistory(source.endpoint, PREFIXES), await readHistory(target.endpoint, PREFIXES));

async function startPair(sourceArgs: string[] = [], targetArgs: string[] = []): Promise<void> {
  [source, target] = await Promise.all([startEtcd({ args: sourceArgs }), startEtcd({ args: targetArgs })]);
  at = connect(source);
  to = connect(target);
}

async function stopReplicators(): Promise<void> {
  await endReplicatorProcesses();
  await Promise.all(running.map((replicator) => replicator.stop()));
  running = [];
}

async function stopPair(): Promise<void> {
  await stopReplicators();
  at.close();
  to.close();
  await Promise.all([source.stop(), target.stop()]);
}

describe('replicate: two etcds', () => {
  beforeEach(async () => {
    lines = [];
    await startPair();
  });
  afterEach(stopPair);

  it('at first start the target becomes the source: stale keys go, equal ones stay untouched, others are left alone', async () => {
    await put(at, ['/config/a', '1'], ['/config/b', '2'], ['/tenants/t', 'x'], ['/other/o', 'source only']);
    await put(to, ['/config/a', '1'], ['/config/stale', 'old'], ['/other/mine', 'target only']);
    const untouched = await modRevision(to, '/config/a');
    const replicator = start();
    await ready(replicator);
    await equal();
    assert.equal(await modRevision(to, '/config/a'), untouched);
    assert.equal(await get(to, '/config/stale'), undefined);
    assert.equal(await get(to, '/other/mine'), 'target only');
    assert.equal(await get(to, '/other/o'), undefined);
    assert.equal(await get(to, ETCD_KEY.epoch), '3');
    assert.deepEqual((await checkpoint())?.prefixes, PREFIXES);
    assert.match(
      await replicator.status.metrics.registry.metrics(),
      /snapshots_total\{reason="first-start"\} 1/,
    );
  });

  it('changes and deletions follow, and the bookkeeping of the source stays there', async () => {
    await put(at, ['/config/a', '1'], [ETCD_KEY.epoch, '2'], [ETCD_KEY.checkpoint, 'of an earlier life']);
    await ready(start());
    await put(at, ['/config/a', '2'], ['/zz/new', 'n']);
    await remove(at, '/config/a');
    await equal();
    assert.equal(await get(to, '/zz/new'), 'n');
    assert.equal(await get(to, '/config/a'), undefined);
    assert.equal(await get(to, ETCD_KEY.epoch), '3');
    assert.equal((await checkpoint())?.epoch, 3);
  });

  it('under transactions over several prefixes every revision comes whole, once, in order', async () => {
    const writer = new RandomWriter(source.endpoint, PREFIXES);
    const replicator = start();
    await ready(replicator);
    await writer.run(1500);
    writer.close();
    await equal();
    const report = await histories();
    assert.ok(report.revisions > 1000, `only ${report.revisions} revisions`);
    assert.equal(
      (await replicator.status.metrics.snapshots.get()).values[0]?.value,
      1,
      'one snapshot, the first',
    );
  });

  it('values that are empty, binary, or large come over as they are', async () => {
    const binary = Buffer.from([0, 255, 1, 254]);
    await ready(start());
    const large = Buffer.alloc(1_200_000, 7);
    const key = Buffer.concat([Buffer.from('/config/'), binary]);
    for (const [name, value] of [
      [key, binary],
      [Buffer.from('/config/empty'), Buffer.alloc(0)],
      [Buffer.from('/config/large'), large],
    ] as const) {
      await at.transact({ compare: [], success: [{ request_put: { key: name, value } }], failure: [] });
    }
    await equal();
    assert.deepEqual((await to.range({ key })).kvs[0]?.value, binary);
    assert.deepEqual((await to.range({ key: Buffer.from('/config/large') })).kvs[0]?.value, large);
  });

  it('a lease is not copied: the key stays until the source deletes it', async () => {
    await ready(start());
    const { Etcd3 } = await import('etcd3');
    const client = new Etcd3({ hosts: source.endpoint });
    try {
      const { ID } = await client.leaseClient.leaseGrant({ TTL: 600 });
      await client.kv.put({ key: Buffer.from('/config/leased'), value: Buffer.from('v'), lease: ID });
      await equal();
      assert.equal((await to.range({ key: Buffer.from('/config/leased') })).kvs[0]?.lease, '0');
      await client.leaseClient.leaseRevoke({ ID });
      await waitFor(
        'deletion of the leased key',
        async () => (await get(to, '/config/leased')) === undefined,
      );
    } finally {
      client.close();
    }
  });

  it('the lag is known when nothing is written, and when only other keys are', async () => {
    await put(at, ['/config/a', '1']);
    const replicator = start();
    const admin = await startAdmin(0, replicator.status);
    try {
      await ready(replicator);
      const written = await modRevision(to, ETCD_KEY.checkpoint);
      for (let n = 0; n < 50; n++) await put(at, ['/other/x', String(n)]);
      const { revision } = await at.head();
      await waitFor(
        'position at the source',
        () => replicator.status.state().revision === revision.toString(),
      );
      assert.equal(replicator.status.state().lagRevisions, 0);
      assert.equal(replicator.status.state().lagSeconds, 0);
      assert.equal(await modRevision(to, ETCD_KEY.checkpoint), written, 'nothing was written for it');
      const ask = async (path: string): Promise<string> =>
        (await fetch(`http://127.0.0.1:${admin.port}${path}`)).text();
      assert.match(await ask('/metrics'), /causeway_replication_lag_revisions 0\n/);
      assert.equal(await ask('/readyz'), 'ok\n');
      assert.equal(await ask('/healthz'), 'ok\n');
      assert.equal((JSON.parse(await ask('/replication')) as { phase: string }).phase, 'Following');
    } finally {
      await admin.close();
    }
  });

  it('stopped and started again it goes on from the checkpoint, without a snapshot', async () => {
    await put(at, ['/config/a', '1']);
    const first = start();
    await ready(first);
    await stop(first);
    const writer = new RandomWriter(source.endpoint, PREFIXES);
    await writer.run(300);
    writer.close();
    const second = start();
    await ready(second);
    await equal();
    const report = await histories();
    assert.ok(report.batches > 0, 'what was missed comes in batches');
    assert.deepEqual((await second.status.metrics.snapshots.get()).values, []);
  });

  it('compacted while away: a snapshot, in which only differences are written and no key vanishes and returns', async () => {
    for (let n = 0; n < 300; n++) await put(at, [`/config/${n}`, 'same'], [`/tenants/${n}`, 'same']);
    const first = start();
    await ready(first);
    await stop(first);
    await put(at, ['/config/7', 'changed'], ['/zz/new', 'n']);
    for (const n of [1, 2, 3]) await remove(at, `/tenants/${n}`);
    const { revision } = await at.head();
    await compact(source, revision);
    const from = (await to.head()).revision + 1n;
    const second = start();
    await ready(second);
    await equal();
    assert.deepEqual(
      (await second.status.metrics.snapshots.get()).values.map(({ labels }) => labels['reason']),
      ['compacted'],
    );
    const written = (await readHistory(target.endpoint, PREFIXES, from)).flatMap(({ changes }) => changes);
    assert.deepEqual(written.sort(), [
      '/config/7=Y2hhbmdlZA==',
      '/tenants/1 deleted',
      '/tenants/2 deleted',
      '/tenants/3 deleted',
      '/zz/new=bg==',
    ]);
    await put(at, ['/config/after', '1']);
    await equal();
  });

  it('a snapshot of many transactions: readers see each key as it was, then as it is, and nothing else', async () => {
    const numbers = Array.from({ length: 150 }, (_, n) => String(n).padStart(3, '0'));
    const large = 'v'.repeat(20_000);
    for (const n of numbers)
      await put(
        at,
        [`/config/${n}-gone`, 'old'],
        [`/config/${n}-same`, 'old'],
        [`/config/${n}-stays`, 'old'],
      );
    const first = start();
    await ready(first);
    await equal();
    await stop(first);
    for (const n of numbers) {
      await put(at, [`/config/${n}-new`, large], [`/config/${n}-stays`, 'new']);
      await remove(at, `/config/${n}-gone`);
    }
    await compact(source, (await at.head()).revision);
    const begin = (await to.head()).revision;
    const second = start();
    await ready(second);
    await equal();
    const { values: snapshots } = await second.status.metrics.snapshots.get();
    assert.deepEqual(
      snapshots.map(({ labels }) => labels['reason']),
      ['compacted'],
    );
    const { values, checkpoints } = await seenSince(begin);
    const wanted = {
      gone: ['old', undefined],
      new: [undefined, 'vvv'],
      same: ['old'],
      stays: ['old', 'new'],
    };
    for (const n of numbers)
      for (const [kind, expected] of Object.entries(wanted))
        assert.deepEqual(values.get(`/config/${n}-${kind}`), expected, kind);
    const between = checkpoints.slice(1, -1);
    assert.ok(between.length > 2, `${checkpoints.length - 1} transactions`);
    assert.ok(
      between.every(({ revision, snapshot }) => revision === '0' && snapshot !== undefined),
      'until the last one the zone says that it is at no revision: it can neither become home nor be resumed from',
    );
    assert.equal(checkpoints.at(-1)?.snapshot, undefined);
  });

  it('only other keys change, and their history is compacted: no snapshot is needed after a restart', async () => {
    await put(at, ['/config/a', '1']);
    const first = start();
    await ready(first);
    const begun = BigInt((await checkpoint())?.revision ?? '0');
    for (let n = 0; n < 1100; n++) await put(at, ['/other/x', String(n)]);
    const moved = await waitFor('the checkpoint to move on', async () => {
      const revision = BigInt((await checkpoint())?.revision ?? '0');
      return revision > begun && revision;
    });
    await stop(first);
    await compact(source, moved);
    const second = start();
    await ready(second);
    await put(at, ['/config/a', '2']);
    await equal();
    assert.deepEqual((await second.status.metrics.snapshots.get()).values, []);
  });

  it('a snapshot that was interrupted is taken again', async () => {
    await put(at, ['/config/a', '1'], ['/config/b', '2']);
    const { clusterId, revision } = await at.head();
    const mark = {
      sourceClusterId: clusterId,
      revision: '0',
      epoch: 3,
      prefixes: PREFIXES,
      snapshot: { revision: revision.toString() },
    };
    await put(to, ['/config/a', '1'], ['/config/stale', 'x'], [ETCD_KEY.checkpoint, JSON.stringify(mark)]);
    const replicator = start();
    await ready(replicator);
    await equal();
    assert.equal((await checkpoint())?.snapshot, undefined);
    assert.match(await replicator.status.metrics.registry.metrics(), /reason="interrupted"\} 1/);
  });

  it('a prefix that is added later comes with all its keys', async () => {
    await put(at, ['/config/a', '1'], ['/zz/old', 'before']);
    const first = start({ prefixes: ['/config/'] });
    await ready(first);
    await stop(first);
    assert.equal(await get(to, '/zz/old'), undefined);
    await ready(start());
    await equal();
    assert.equal(await get(to, '/zz/old'), 'before');
  });

  it('without prefixes it holds the epoch, and is ready', async () => {
    await put(at, ['/config/a', '1']);
    await ready(start({ prefixes: [] }));
    assert.equal(await get(to, ETCD_KEY.epoch), '3');
    assert.equal(await get(to, '/config/a'), undefined);
  });

  it('a source that lost everything does not empty the target: it is blocked, and says why', async () => {
    await put(to, ['/config/a', 'the only copy']);
    const replicator = start();
    await waitFor('blocked', () => replicator.status.phase === 'Blocked');
    assert.match(replicator.status.notReady() ?? '', /has no key under .* Nothing is deleted/);
    assert.equal(await get(to, '/config/a'), 'the only copy');
    await put(at, ['/config/a', 'restored']);
    await ready(replicator);
    await equal();
  });

  it('the zone’s own bookkeeping is not counted among the keys that a source may have lost', async () => {
    const own = Array.from({ length: 9 }, (_, n): [string, string] => [
      `${ETCD_KEY.orphans}1/about/${n}`,
      '{}',
    ]);
    await put(to, ['/config/a', 'old'], ...own);
    await put(at, ['/config/a', 'new']);
    await ready(start({ prefixes: ['/'] }));
    assert.equal(await get(to, '/config/a'), 'new');
  });

  it('another source takes over: its keys become the keys of the target', async () => {
    await put(at, ['/config/a', '1'], ['/config/b', '2']);
    const first = start();
    await ready(first);
    await stop(first);
    const other = await startEtcd();
    const client = connect(other);
    try {
      await put(client, ['/config/b', '3']);
      const second = start({ source: { endpoints: [other.endpoint] }, epoch: 4 });
      await ready(second);
      await waitFor('the new source', () => sameKeys(other.endpoint, target.endpoint, PREFIXES));
      assert.equal(await get(to, ETCD_KEY.epoch), '4');
      assert.match(await second.status.metrics.registry.metrics(), /reason="home-moved"\} 1/);
    } finally {
      await stopReplicators();
      client.close();
      await other.stop();
    }
  });

  it('source and target that are one etcd are refused', async () => {
    await put(at, ['/config/a', '1']);
    const replicator = start({ target: { endpoints: [source.endpoint] } });
    await waitFor('blocked', () => replicator.status.phase === 'Blocked');
    assert.match(replicator.status.notReady() ?? '', /are the same etcd/);
  });

  it('a checkpoint that is not ours blocks, and says what to do', async () => {
    await put(to, [ETCD_KEY.checkpoint, 'nonsense']);
    const replicator = start();
    await waitFor('blocked', () => replicator.status.phase === 'Blocked');
    assert.match(replicator.status.notReady() ?? '', /delete the key/);
    await remove(to, ETCD_KEY.checkpoint);
    await ready(replicator);
  });
});

describe('replicate: fencing', () => {
  beforeEach(async () => {
    lines = [];
    await startPair();
  });
  afterEach(stopPair);

  it('a lower epoch in the target is raised', async () => {
    await put(to, [ETCD_KEY.epoch, '1']);
    await ready(start());
    assert.equal(await get(to, ETCD_KEY.epoch), '3');
  });

  it('a higher epoch: nothing is written, and it says so, until the epoch is ours again', async () => {
    await put(at, ['/config/a', '1']);
    await put(to, [ETCD_KEY.epoch, '4']);
    const unchanged = (await to.head()).revision;
    const replicator = start();
    await waitFor('fenced', () => replicator.status.phase === 'Fenced');
    assert.match(replicator.status.notReady() ?? '', /fenced: the target is at epoch 4/);
    assert.match(await replicator.status.metrics.registry.metrics(), /causeway_replication_fenced 1/);
    assert.equal((await to.head()).revision, unchanged);
    assert.ok(lines.some(({ level, fields }) => level === 'error' && fields['kind'] === 'fenced'));
    await put(to, [ETCD_KEY.epoch, '3']);
    await ready(replicator);
    await equal();
  });

  it('fenced in the middle of a load: not one write after the epoch changed', async () => {
    const writer = new RandomWriter(source.endpoint, PREFIXES);
    const replicator = start();
    await ready(replicator);
    const writing = writer.run(100_000);
    await waitFor('some writes', () => writer.written > 200, { intervalMs: 10 });
    await put(to, [ETCD_KEY.epoch, '9']);
    const fence = BigInt((await modRevision(to, ETCD_KEY.epoch)) ?? '0');
    await waitFor('fenced', () => replicator.status.phase === 'Fenced');
    const more = writer.written + 200;
    await waitFor('more writes at the source', () => writer.written > more, { intervalMs: 10 });
    writer.close();
    await writing;
    assert.equal((await to.head()).revision, fence);
    assert.equal(await get(to, ETCD_KEY.epoch), '9');
  });

  it('fenced while nothing is written: noticed all the same', async () => {
    const replicator = start();
    await ready(replicator);
    await put(to, [ETCD_KEY.epoch, '9']);
    await waitFor('fenced', () => replicator.status.phase === 'Fenced', { timeoutMs: 5000 });
  });

  it('two replicators for one target: each revision is still written once', async () => {
    const writer = new RandomWriter(source.endpoint, PREFIXES);
    const both = [start(), start()];
    await Promise.all(both.map(ready));
    await writer.run(600);
    writer.close();
    await equal();
    await histories();
    const texts = await Promise.all(both.map(({ status }) => status.metrics.registry.metrics()));
    assert.match(texts.join(), /causeway_replication_errors_total\{kind="conflict"\} [1-9]/);
  });
});

describe('replicate: crashes and restarts under writes', () => {
  beforeEach(async () => {
    lines = [];
    await startPair();
  });
  afterEach(stopPair);

  it('the replicator is killed at random points: nothing is skipped, repeated or halved', async () => {
    const writer = new RandomWriter(source.endpoint, PREFIXES);
    const writing = writer.run(100_000, 3);
    let kills = 0;
    for (; kills < 6; kills++) {
      const earlier = (await checkpoint())?.revision;
      const child = startReplicatorProcess(config());
      // Killed while it writes: some time after its first transaction.
      await waitFor('progress', async () => (await checkpoint())?.revision !== earlier, { intervalMs: 5 });
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 250));
      assert.equal(child.ended, false);
      await child.end('SIGKILL');
    }
    writer.stop();
    await writing;
    writer.close();
    const last = startReplicatorProcess(config());
    await equal();
    const { code, output } = await last.end('SIGTERM');
    assert.equal(code, 0, output);
    const report = await histories();
    assert.ok(report.revisions > 500, `only ${report.revisions} revisions`);
  });

  for (const which of ['source', 'target'] as const) {
    it(`the ${which} is killed and comes back: nothing is skipped, repeated or halved`, async () => {
      const writer = new RandomWriter(source.endpoint, PREFIXES);
      const replicator = start();
      await ready(replicator);
      const writing = writer.run(100_000, 3);
      for (let times = 0; times < 3; times++) {
        const written = writer.written + 150;
        await waitFor('writes', () => writer.written > written, { intervalMs: 10 });
        const etcd = which === 'source' ? source : target;
        await etcd.kill();
        await etcd.start();
      }
      writer.stop();
      await writing;
      writer.close();
      await equal();
      await histories();
      await ready(replicator);
    });
  }

  it('the target is away for long: the source is not read without end, and all comes over', async () => {
    const replicator = start();
    await ready(replicator);
    await target.kill();
    const value = 'v'.repeat(100_000);
    for (let n = 0; n < 400; n++) await put(at, [`/config/${n % 20}`, `${n}${value}`]);
    await target.start();
    await equal();
    await histories();
  });
});

describe('replicate: over the limits', () => {
  beforeEach(async () => {
    lines = [];
    await startPair(['--max-txn-ops', '10000', '--max-request-bytes', '12000000']);
  });
  // After each test: of two replicators either may write, and one that was left would do the next test's work.
  afterEach(stopPair);

  it('thousands of operations in one revision are still one revision in the target', async () => {
    await ready(start());
    await put(at, ...Array.from({ length: 6000 }, (_, n): [string, string] => [`/config/many/${n}`, 'v']));
    await equal();
    const { start: from, end } = prefixRange('/config/many/');
    await at.transact({
      compare: [],
      success: [{ request_delete_range: { key: from, range_end: end } }],
      failure: [],
    });
    await equal();
    const report = await histories();
    assert.equal(report.revisions, 2);
    const written = await readHistory(target.endpoint, PREFIXES);
    assert.deepEqual(
      written.map(({ changes }) => changes.length).filter((count) => count > 0),
      [6000, 6000],
    );
  });

  it('more bytes than a request takes: in parts that a crash in the middle goes on from', async () => {
    const first = start();
    await ready(first);
    await stop(first);
    const value = 'v'.repeat(90_000);
    await put(
      at,
      ...Array.from({ length: 110 }, (_, n): [string, string] => [`/tenants/${n}`, `${n}${value}`]),
    );
    await put(at, ['/zz/after', '1']);
    let partsSeen = 0;
    for (let tries = 0; tries < 20 && (await get(to, '/zz/after')) === undefined; tries++) {
      const child = startReplicatorProcess(config());
      await waitFor(
        'a part, or the end',
        async () => {
          const { partial } = (await checkpoint()) ?? {};
          if (partial && partial.changes > partsSeen) partsSeen = partial.changes;
          else if ((await get(to, '/zz/after')) === undefined) return false;
          return true;
        },
        { intervalMs: 2 },
      );
      await child.end('SIGKILL');
    }
    assert.ok(partsSeen > 0, 'killed at least once between two parts');
    const replicator = start();
    await ready(replicator);
    await equal();
    await histories();
  });

  it('the parts are counted and said, and revisions that are whole are not', async () => {
    const replicator = start();
    await ready(replicator);
    const parts = async (): Promise<number | undefined> =>
      (await figures(replicator.status.metrics.registry))['split_transactions_total'];
    await put(at, ['/config/small', '1']);
    await equal();
    assert.equal(await parts(), 0);
    const from = (await to.head()).revision + 1n;
    const value = 'v'.repeat(90_000);
    const pairs = Array.from({ length: 40 }, (_, n): [string, string] => [`/zz/${n}`, `${n}${value}`]);
    await put(at, ...pairs);
    await equal();
    const { length: written } = (await readHistory(target.endpoint, PREFIXES, from)).filter(
      ({ changes }) => changes.length > 0,
    );
    assert.ok(written > 1, `${written} transactions`);
    await waitFor('all parts to be counted', async () => (await parts()) === written);
    const said = lines.filter(({ message }) => message.includes('too large for one transaction'));
    assert.deepEqual(
      said.map(({ fields }) => fields['complete']),
      [...Array.from({ length: written - 1 }, () => false), true],
    );
  });

  it('a prefix is given up while a revision is there in part: of the others nothing is missing', async () => {
    const replicator = start();
    await ready(replicator);
    const value = 'v'.repeat(90_000);
    const names = Array.from({ length: 20 }, (_, n) => n);
    await put(
      at,
      ...names.map((n): [string, string] => [`/config/${n}`, value]),
      ['/config/huge', 'v'.repeat(3_000_000)],
      ...names.map((n): [string, string] => [`/tenants/${n}`, value]),
    );
    await waitFor('blocked', () => replicator.status.phase === 'Blocked');
    assert.equal(
      (await checkpoint())?.partial?.changes,
      names.length,
      'all up to the value that is too large',
    );
    await stop(replicator);
    const left = PREFIXES.filter((prefix) => prefix !== '/config/');
    await ready(start({ prefixes: left }));
    assert.equal(await to.count(prefixRange('/tenants/')), names.length);
    await put(at, ['/zz/after', '1']);
    await waitFor('what comes after', async () => (await get(to, '/zz/after')) === '1');
  });

  it('a single value that the target refuses blocks, and says which key and what to do; without it a snapshot goes on', async () => {
    const replicator = start();
    await ready(replicator);
    await put(at, ['/config/huge', 'v'.repeat(3_000_000)]);
    await waitFor('blocked', () => replicator.status.phase === 'Blocked');
    assert.match(replicator.status.notReady() ?? '', /"\/config\/huge".*--max-request-bytes/);
    await remove(at, '/config/huge');
    await put(at, ['/config/after', '1']);
    await remove(to, ETCD_KEY.checkpoint);
    await ready(replicator);
    await equal();
    assert.equal(await get(to, '/config/after'), '1');
  });
});

describe('replicate: a target with lower limits than usual', () => {
  before(() => startPair([], ['--max-txn-ops', '16', '--max-request-bytes', '200000']));
  after(stopPair);

  it('is found out, and written in smaller transactions', async () => {
    for (let n = 0; n < 200; n++) await put(at, [`/config/${n}`, 'v'.repeat(3000)]);
    await ready(start());
    await equal();
    await stop(running[0] as Replicator);
    for (let n = 0; n < 200; n++) await put(at, [`/config/${n}`, 'w'.repeat(3000)]);
    await ready(start());
    await equal();
    await histories();
  });
});

async function compact(etcd: Etcd, revision: bigint): Promise<void> {
  const { Etcd3 } = await import('etcd3');
  const client = new Etcd3({ hosts: etcd.endpoint });
  await client.kv.compact({ revision: revision.toString(), physical: true });
  client.close();
}
