import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ADMIN_PATH, ETCD_KEY } from '@causeway/crds';
import type { KeyDifference, ReplicationCheckpoint, ReplicatorConfig, Verification } from '@causeway/crds';
import { waitFor } from '../../../e2e/tools/index.ts';
import { startAdmin } from './admin.ts';
import type { Admin } from './admin.ts';
import { startReplicator } from './replicator.ts';
import type { Replicator } from './replicator.ts';
import { RandomWriter, silent, Zone } from './testing/index.ts';
import { verifier } from './verify.ts';

const PREFIXES = ['/config/', '/tenants/'];

describe('verify', () => {
  let home: Zone;
  let zone: Zone;
  let replicator: Replicator;
  let admin: Admin;
  let config: ReplicatorConfig;
  const ending = new AbortController();

  before(async () => {
    [home, zone] = await Promise.all([Zone.start('zone-a'), Zone.start('zone-b')]);
    config = {
      platform: 'orders',
      namespace: 'messaging',
      listen: { adminPort: 0 },
      homeZone: 'zone-a',
      zone: 'zone-b',
      epoch: 1,
      source: { endpoints: [home.etcd.endpoint] },
      target: { endpoints: [zone.etcd.endpoint] },
      prefixes: PREFIXES,
    };
    replicator = startReplicator(config, silent);
    admin = await startAdmin(0, replicator.status, verifier(config, ending.signal));
  });
  after(async () => {
    ending.abort();
    await Promise.all([admin.close(), replicator.stop()]);
    await Promise.all([home.stop(), zone.stop()]);
  });

  const ask = async (): Promise<Verification> => {
    const response = await fetch(`http://127.0.0.1:${admin.port}${ADMIN_PATH.verify}`);
    return (await response.json()) as Verification;
  };
  const following = (): Promise<boolean> =>
    waitFor('following', () => replicator.status.phase === 'Following', { intervalMs: 10 });

  it('an empty zone that follows an empty home is equal', async () => {
    await following();
    const { equal, keys, sha256 } = await ask();
    assert.deepEqual({ equal, keys }, { equal: true, keys: { home: 0, zone: 0 } });
    assert.equal(sha256.home, sha256.zone);
  });

  it('under a load of writes both sides are compared at revisions that belong together', async () => {
    const writer = new RandomWriter(home.etcd.endpoint, PREFIXES);
    const writing = writer.run(100_000);
    try {
      await waitFor('some writes', () => writer.written > 100, { intervalMs: 10 });
      const revisions = new Set<string>();
      for (let times = 0; times < 10; times++) {
        const { equal, differences, keys, revision, sha256 } = await ask();
        assert.deepEqual({ equal, differences }, { equal: true, differences: 0 });
        assert.equal(keys.home, keys.zone);
        assert.equal(sha256.home, sha256.zone);
        revisions.add(revision);
      }
      assert.ok(revisions.size > 5, 'the load went on meanwhile');
    } finally {
      writer.stop();
      await writing;
      writer.close();
    }
  });

  it('given the home is compacted while it is read, it is read again at what the zone holds by then', async () => {
    await home.put(
      ...Array.from({ length: 120 }, (_, n): [string, string] => [`/config/page${n}`, 'v'.repeat(300)]),
    );
    const compact = async (): Promise<void> => {
      const revision = await home.put(['/tenants/meanwhile', '1']);
      await waitFor('replicated', async () => {
        const text = (await zone.get(ETCD_KEY.checkpoint)) ?? '';
        return BigInt((JSON.parse(text) as ReplicationCheckpoint).revision) >= revision;
      });
      await home.compact();
    };
    await waitFor('replicated', async () => (await zone.get('/config/page119')) !== undefined);
    const { revision: begun } = await home.client.head();
    let compacting: Promise<void> | undefined;
    let isCompacted = false;
    // Asked for at each key: the first one is read, and the others of its page take as long as the compaction.
    const limits = {
      shown: 2,
      get bytesPerSecond() {
        compacting ??= compact().then(() => void (isCompacted = true));
        return isCompacted ? 1e9 : 5000;
      },
    };
    const { equal, revision } = await verifier(config, ending.signal, limits)();
    await compacting;
    assert.equal(equal, true);
    assert.ok(BigInt(revision) > begun, `${revision} is what the first reading began with, ${begun}`);
  });

  it('each difference is told with its kind, in order, and never a value', async () => {
    const binary = Buffer.concat([Buffer.from('/tenants/'), Buffer.from([0xff, 0])]);
    await home.put(['/config/hidden', 'hunter2'], ['/config/lost', 'hunter3'], ['/config/same', 's']);
    await waitFor('replicated', async () => (await zone.get('/config/same')) === 's');
    await zone.put(['/config/hidden', 'hunter22'], ['/config/stray', 'hunter4']);
    await zone.put(['/causeway.dev/mine', 'not compared']);
    await zone.client.transact({
      compare: [],
      success: [{ request_put: { key: binary, value: Buffer.from('x') } }],
      failure: [],
    });
    await zone.remove('/config/lost');
    const result = await ask();
    assert.equal(result.equal, false);
    assert.equal(result.differences, 4);
    assert.notEqual(result.sha256.home, result.sha256.zone);
    const kind = ({ key, home: left, zone: right }: KeyDifference): string =>
      `${key} ${left?.bytes ?? '-'} ${right?.bytes ?? '-'}`;
    assert.deepEqual(result.shown.map(kind), [
      '/config/hidden 7 8',
      '/config/lost 7 -',
      '/config/stray - 7',
      '/tenants/\ufffd\0 - 1',
    ]);
    assert.equal(result.shown[3]?.keyBase64, binary.toString('base64'));
    assert.doesNotMatch(JSON.stringify(result), /hunter/);
    const again = await ask();
    const hashes = (one: Verification): unknown[] => one.shown.map(({ home: left }) => left?.hash);
    assert.notDeepEqual(hashes(again), hashes(result), 'a hash is worth nothing outside of its answer');
  });

  it('all are counted, and a bounded number is told', async () => {
    const few = verifier(config, ending.signal, { bytesPerSecond: 1e9, shown: 2 });
    const { differences, shown } = await few();
    assert.equal(differences, 4);
    assert.equal(shown.length, 2);
  });

  it('it reads no faster than it may, once for all who ask at the same time, and ends with the process', async () => {
    await home.put(
      ...Array.from({ length: 20 }, (_, n): [string, string] => [`/config/big${n}`, 'v'.repeat(5000)]),
    );
    await waitFor('replicated', async () => (await zone.get('/config/big19')) !== undefined);
    const stop = new AbortController();
    const slow = verifier(config, stop.signal, { bytesPerSecond: 200_000, shown: 2 });
    const [first, second] = await Promise.all([slow(), slow()]);
    assert.equal(first, second);
    assert.ok(first.ms >= 400, `100 kB at 200 kB a second took ${first.ms} ms`);
    const running = slow();
    stop.abort();
    await assert.rejects(running, /abort/i);
  });

  it('while there is nothing whole to compare, it says why', async () => {
    const stored = (await zone.get(ETCD_KEY.checkpoint)) ?? '';
    const checkpoint = JSON.parse(stored) as ReplicationCheckpoint;
    await replicator.stop();
    const cases: [Partial<ReplicationCheckpoint>, RegExp][] = [
      [{ snapshot: { revision: '9' } }, /zone-b is at no revision now/],
      [{ epoch: 0 }, /has not caught up with zone-a, the home of epoch 1, yet/],
      [{ homeZone: 'zone-c' }, /has not caught up with zone-a/],
    ];
    for (const [change, message] of cases) {
      await zone.put([ETCD_KEY.checkpoint, JSON.stringify({ ...checkpoint, ...change })]);
      assert.match(((await ask()) as unknown as { error: string }).error, message);
    }
    await zone.remove(ETCD_KEY.checkpoint);
    assert.match(((await ask()) as unknown as { error: string }).error, /has not replicated anything yet/);
    await zone.put([ETCD_KEY.checkpoint, stored]);
    await home.put(['/config/later', '1']);
    await home.compact();
    const { error } = (await ask()) as unknown as { error: string };
    assert.match(error, /zone-a no longer has the state that zone-b holds: either zone-b is far behind, or/);
  });
});
