import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { HomeRecord } from '@causeway/crds';
import { ConfigError, Field } from '../config/index.ts';
import {
  CheckpointError,
  coversPrefixes,
  decodeFence,
  decodeHomes,
  decodeCheckpoint,
  encodeCheckpoint,
  isOwnKey,
  mergeHomes,
  normalizePrefixes,
  prefixRange,
  unreplicated,
} from '../etcd/index.ts';
import type { Change, KeyValue } from '../etcd/index.ts';
import { aheadOfHome, historyGoesOn, snapshotNeeded } from './checkpoint.ts';
import type { Source } from './checkpoint.ts';
import { parseReplicatorConfig } from './config.ts';
import { difference, orphans } from './diff.ts';
import type { Dated, Leased } from './diff.ts';
import { LagTracker } from './lag.ts';
import { waitFor } from './replicator.ts';

describe('prefixes', () => {
  it('the range of a prefix holds the keys that begin with it, and no others', () => {
    const bytes = fc.uint8Array({ maxLength: 6 });
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 4 }), bytes, fc.boolean(), (prefix, tail, inside) => {
        const { start, end } = prefixRange(prefix);
        const key = Buffer.concat([inside ? Buffer.from(prefix) : Buffer.alloc(0), tail]);
        const within = key.compare(start) >= 0 && (end.equals(Buffer.from([0])) || key.compare(end) < 0);
        assert.equal(within, key.subarray(0, Buffer.byteLength(prefix)).equals(Buffer.from(prefix)));
      }),
    );
    assert.deepEqual(prefixRange(''), { start: Buffer.from([0]), end: Buffer.from([0]) });
  });

  it('covered prefixes fall away', () => {
    assert.deepEqual(normalizePrefixes(['/b/', '/a/x/', '/a/', '/b/']), ['/a/', '/b/']);
    assert.equal(coversPrefixes(['/a/'], ['/a/x/']), true);
    assert.equal(coversPrefixes(['/a/'], ['/a/', '/b/']), false);
  });

  it('own keys are known', () => {
    assert.equal(isOwnKey(Buffer.from('/causeway.dev/epoch')), true);
    assert.equal(isOwnKey(Buffer.from('/causeway.de')), false);
  });
});

describe('checkpoint', () => {
  const checkpoint = { sourceClusterId: '18446744073709551615', revision: '12', epoch: 3, prefixes: ['/a/'] };

  it('survives its encoding', () => {
    const marks = [
      {},
      { since: '11' },
      { homeZone: 'zone-a' },
      { last: { key: 'L2EvMQ==', revision: '12', sha256: '6e340b9cffb37a98' } },
      { last: { key: 'L2EvMQ==', revision: '12' } },
      { snapshot: { revision: '40' } },
      { partial: { revision: '13', changes: 7 } },
    ];
    for (const mark of marks) {
      assert.deepEqual(decodeCheckpoint(encodeCheckpoint({ ...checkpoint, ...mark })), {
        ...checkpoint,
        ...mark,
      });
    }
  });

  it('what is not a checkpoint is refused with the reason', () => {
    const bad: [unknown, RegExp][] = [
      [[], /sourceClusterId/],
      [{ ...checkpoint, revision: 12 }, /revision is not/],
      [{ ...checkpoint, revision: '-1' }, /revision is not/],
      [{ ...checkpoint, epoch: 1.5 }, /epoch/],
      [{ ...checkpoint, homeZone: 1 }, /homeZone/],
      [{ ...checkpoint, prefixes: undefined }, /prefixes/],
      [{ ...checkpoint, snapshot: true }, /snapshot/],
      [{ ...checkpoint, last: { key: 'L2EvMQ==' } }, /last is not/],
      [{ ...checkpoint, last: { key: 'L2EvMQ==', revision: '1', sha256: 7 } }, /last is not/],
      [{ ...checkpoint, partial: { revision: '1' } }, /partial/],
    ];
    for (const [value, message] of bad) {
      assert.throws(() => decodeCheckpoint(Buffer.from(JSON.stringify(value))), message);
    }
    assert.throws(() => decodeCheckpoint(Buffer.from('{')), CheckpointError);
  });

  it('says when a snapshot is needed', () => {
    const head: Source = {
      clusterId: checkpoint.sourceClusterId,
      revision: 20n,
      zone: 'zone-a',
      epoch: 3,
      homes: [],
      known: [],
      follower: 'zone-c',
    };
    const snapshot = { ...checkpoint, revision: '0', snapshot: { revision: '15' } };
    assert.equal(snapshotNeeded(checkpoint, head, ['/a/']), undefined);
    assert.equal(snapshotNeeded(checkpoint, head, []), undefined);
    assert.equal(snapshotNeeded(undefined, head, ['/a/']), 'first-start');
    assert.equal(snapshotNeeded(checkpoint, { ...head, clusterId: '9' }, ['/a/']), 'source-changed');
    assert.equal(snapshotNeeded(checkpoint, { ...head, revision: 11n }, ['/a/']), 'source-went-back');
    assert.equal(snapshotNeeded(checkpoint, head, ['/a/', '/b/']), 'prefixes-added');
    assert.equal(snapshotNeeded(snapshot, head, ['/a/']), 'interrupted');
    assert.equal(snapshotNeeded(snapshot, { ...head, revision: 14n }, ['/a/']), 'source-went-back');
  });

  it('a part of a revision is gone on from only where the prefixes and the revision are those of the part', () => {
    const prefixes = ['/a/', '/b/'];
    const part = { ...from, prefixes, partial: { revision: '13', changes: 7 } };
    const head = source('zone-a', 3, []);
    assert.equal(snapshotNeeded(part, head, prefixes), undefined);
    assert.equal(snapshotNeeded(part, head, ['/b/']), 'interrupted');
    assert.equal(snapshotNeeded(part, head, ['/a/', '/b/c/']), 'interrupted');
    assert.equal(snapshotNeeded(part, head, [...prefixes, '/c/']), 'prefixes-added');
    assert.equal(snapshotNeeded(part, { ...head, revision: 12n }, prefixes), 'source-went-back');
  });

  const source = (zone: string, epoch: number, homes: HomeRecord[]): Source => ({
    clusterId: checkpoint.sourceClusterId,
    revision: 20n,
    zone,
    epoch,
    homes,
    known: [],
    follower: 'zone-c',
  });
  const home = (epoch: number, zone: string): HomeRecord => ({ epoch, zone, at: '' });
  const from = { ...checkpoint, homeZone: 'zone-a' };

  it('a checkpoint of another home is of another history, whatever the cluster id says', () => {
    const moved = [home(4, 'zone-b')];
    assert.equal(snapshotNeeded(from, source('zone-b', 4, moved), ['/a/']), 'home-moved');
    assert.equal(snapshotNeeded(from, source('zone-b', 3, []), ['/a/']), 'home-moved');
    assert.equal(
      snapshotNeeded(from, source('zone-a', 5, [...moved, home(5, 'zone-a')]), ['/a/']),
      'home-moved',
    );
    assert.equal(
      snapshotNeeded(from, source('zone-a', 4, []), ['/a/']),
      'home-moved',
      'nothing is known of it',
    );
    assert.equal(snapshotNeeded(checkpoint, source('zone-a', 4, [home(4, 'zone-a')]), ['/a/']), 'home-moved');
  });

  it('a home that was given back goes on with its own history', () => {
    const homes = [home(4, 'zone-a'), home(5, 'zone-a')];
    assert.equal(snapshotNeeded(from, source('zone-a', 4, homes), ['/a/']), undefined);
    assert.equal(snapshotNeeded(from, source('zone-a', 5, homes), ['/a/']), undefined);
  });

  it('a zone may have more of the old home than the new one had', () => {
    const moved = { ...home(4, 'zone-b'), from: { zone: 'zone-a', revision: '11', epoch: 3 } };
    const ahead = { oldHome: 'zone-a', revision: '12', promotedAt: '11' };
    assert.deepEqual(aheadOfHome(from, [home(3, 'zone-a'), moved]), ahead);
    assert.equal(aheadOfHome({ ...from, revision: '11' }, [moved]), undefined);
    assert.equal(aheadOfHome({ ...from, epoch: 2 }, [moved]), undefined, 'of an earlier time as home');
    assert.equal(aheadOfHome({ ...from, homeZone: 'zone-c' }, [moved]), undefined);
    assert.equal(aheadOfHome(from, []), undefined);
  });

  it('a home that has forgotten its own promotion is another one', () => {
    const known = [home(3, 'zone-a')];
    const forgotten = { ...source('zone-a', 3, []), known };
    assert.equal(snapshotNeeded(from, forgotten, ['/a/']), 'source-changed');
    assert.equal(snapshotNeeded(from, { ...forgotten, homes: known }, ['/a/']), undefined);
  });

  it('only a history that goes on may empty the target, and a home whose promotion is on record', () => {
    const recorded = source('zone-b', 4, [home(4, 'zone-b')]);
    assert.equal(historyGoesOn('compacted', recorded), true);
    assert.equal(historyGoesOn('home-moved', recorded), true);
    assert.equal(historyGoesOn('home-moved', source('zone-b', 4, [home(4, 'zone-a')])), false);
    assert.equal(historyGoesOn('home-moved', source('zone-b', 4, [])), false);
    assert.equal(historyGoesOn('first-start', recorded), false);
    const old = { ...home(4, 'zone-b'), from: { zone: 'zone-a', revision: '9', epoch: 3 } };
    const toOld = { ...source('zone-b', 4, [old]), follower: 'zone-a' };
    assert.equal(historyGoesOn('first-start', toOld), true, 'an old home keeps aside what only it has');
    assert.equal(historyGoesOn('first-start', { ...toOld, follower: 'zone-c' }), false);
    assert.equal(historyGoesOn('first-start', { ...toOld, epoch: 5 }), false);
    assert.equal(historyGoesOn('source-changed', recorded), false);
    assert.equal(historyGoesOn('source-went-back', recorded), false);
  });
});

describe('difference', () => {
  it('given any two key spaces, applying it to the one gives the other, and equal keys are not written', async () => {
    const space = fc.dictionary(fc.string({ maxLength: 3 }), fc.string({ maxLength: 2 }), { maxKeys: 20 });
    await fc.assert(
      fc.asyncProperty(space, space, async (source, target) => {
        const result = new Map(
          sorted(target).map(({ key, value }) => [key.toString('hex'), value.toString('hex')]),
        );
        for await (const { key, value } of difference(each(source), each(target))) {
          const id = key.toString('hex');
          assert.notEqual(result.get(id), value?.toString('hex'), 'an equal key was written');
          if (value === undefined) result.delete(id);
          else result.set(id, value.toString('hex'));
        }
        const wanted = new Map(
          sorted(source).map(({ key, value }) => [key.toString('hex'), value.toString('hex')]),
        );
        assert.deepEqual(Object.fromEntries(result), Object.fromEntries(wanted));
      }),
    );
  });

  it('an equal key with a lease is written: put without one, it outlives the lease', async () => {
    async function* leased(lease: string): AsyncGenerator<Leased> {
      for (const kv of sorted({ a: '1' })) yield { ...kv, lease };
    }
    const written = async (lease: string): Promise<Change[]> => {
      const changes: Change[] = [];
      for await (const change of difference(each({ a: '1' }), leased(lease))) changes.push(change);
      return changes;
    };
    assert.deepEqual(await written('7587875290571'), sorted({ a: '1' }));
    assert.deepEqual(await written('0'), []);
  });

  const sorted = (space: Record<string, string>): KeyValue[] =>
    Object.entries(space)
      .map(([key, value]) => ({ key: Buffer.from(key), value: Buffer.from(value) }))
      .sort((a, b) => a.key.compare(b.key));
  async function* each(space: Record<string, string>): AsyncGenerator<KeyValue> {
    yield* sorted(space);
  }
});

describe('homes', () => {
  const moved = (epoch: number, zone: string, of: string, revision: string): HomeRecord => ({
    epoch,
    zone,
    at: '',
    from: { zone: of, revision, epoch: epoch - 1 },
  });
  const homes = [
    moved(2, 'zone-b', 'zone-a', '40'),
    moved(3, 'zone-c', 'zone-b', '90'),
    moved(4, 'zone-a', 'zone-c', '10'),
  ];

  it('a zone that was home, and has followed nobody since, may have what nobody else has', () => {
    assert.deepEqual(unreplicated(homes, 'zone-a', undefined), { epoch: 1, since: 40n, fencedAt: 2 });
    assert.deepEqual(unreplicated(homes, 'zone-c', { epoch: 2 }), { epoch: 3, since: 10n, fencedAt: 4 });
    assert.equal(unreplicated(homes, 'zone-a', { epoch: 2 }), undefined);
    assert.equal(unreplicated(homes, 'zone-b', { epoch: 3 }), undefined);
    assert.equal(unreplicated(homes, 'zone-d', undefined), undefined);
  });

  it('what either side knows is kept, bounded', () => {
    assert.deepEqual(mergeHomes(homes.slice(1), homes.slice(0, 2)), homes);
    const many = Array.from({ length: 30 }, (_, n) => moved(n + 2, 'zone-a', 'zone-b', '1'));
    assert.deepEqual(mergeHomes(many, []), many.slice(-16));
  });

  it('what is not ours is refused', () => {
    assert.deepEqual(decodeHomes(undefined), []);
    for (const bad of [
      '{',
      '{}',
      '[{"epoch":1}]',
      '[{"epoch":1,"zone":"a","from":{"zone":"b","revision":1}}]',
    ])
      assert.throws(() => decodeHomes(Buffer.from(bad)), /not ours/, bad);
    assert.throws(() => decodeFence(Buffer.from('{"epoch":"1"}')), /not ours/);
  });
});

describe('orphans', () => {
  /** A key's value and the revision that wrote it; undefined: not there. */
  const side = fc.dictionary(
    fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    fc.record({ value: fc.constantFrom('1', '2', '3'), at: fc.integer({ min: 1, max: 9 }) }),
  );
  const SINCE = 5;
  async function* each(keys: Record<string, { value: string; at: number }>): AsyncGenerator<Dated> {
    for (const [key, { value, at }] of Object.entries(keys).sort(([a], [b]) => (a < b ? -1 : 1)))
      yield { key: Buffer.from(key), value: Buffer.from(value), mod_revision: String(at) };
  }

  it('given any state of both, exactly what the old home changed alone and the new one has otherwise', async () => {
    await fc.assert(
      fc.asyncProperty(side, side, side, fc.boolean(), async (ours, theirs, before, known) => {
        const found: string[] = [];
        const sides = { ours: each(ours), theirs: each(theirs), before: known ? each(before) : undefined };
        for await (const { key, value, modRevision } of orphans(sides, BigInt(SINCE)))
          found.push(
            value === undefined
              ? `${key.toString()} deleted`
              : `${key.toString()}=${value.toString()}@${modRevision}`,
          );
        const wanted = ['a', 'b', 'c', 'd', 'e'].flatMap((key) => {
          const mine = ours[key];
          if (mine !== undefined) {
            const alone = mine.at > SINCE && theirs[key]?.value !== mine.value;
            return alone ? [`${key}=${mine.value}@${mine.at}`] : [];
          }
          return known && before[key] !== undefined && theirs[key] !== undefined ? [`${key} deleted`] : [];
        });
        assert.deepEqual(found, wanted);
      }),
    );
  });
});

describe('LagTracker', () => {
  it('nothing is missing: no lag, also when nothing is written for long', () => {
    const lag = new LagTracker(0);
    lag.observe(5n, 1000);
    lag.reach(5n);
    lag.observe(5n, 9000);
    assert.deepEqual(lag.lag(9500), { revisions: 0n, seconds: 0, isMeasured: true });
  });

  it('behind: since the target last had all', () => {
    const lag = new LagTracker(0);
    lag.observe(5n, 1000);
    lag.reach(5n);
    lag.observe(8n, 2000);
    lag.observe(20n, 3000);
    assert.deepEqual(lag.lag(5000), { revisions: 15n, seconds: 4, isMeasured: true });
    lag.reach(9n);
    assert.deepEqual(lag.lag(5000), { revisions: 11n, seconds: 3, isMeasured: true });
    lag.reach(20n);
    assert.deepEqual(lag.lag(5000), { revisions: 0n, seconds: 0, isMeasured: true });
  });

  it('the source is out of sight: the lag grows although nothing is known to be missing', () => {
    const lag = new LagTracker(0);
    lag.observe(5n, 1000);
    lag.reach(5n);
    assert.equal(lag.lag(31_000).seconds, 30);
  });

  it('before anything is known, revisions are unknown and time runs', () => {
    const lag = new LagTracker(0);
    assert.deepEqual(lag.lag(2000), { revisions: undefined, seconds: 2, isMeasured: false });
  });

  it('a target that begins behind: how long it is that is not known until it holds what the source was seen to have', () => {
    const lag = new LagTracker(0);
    lag.observe(1_000_000n, 1000);
    lag.reach(10n);
    assert.deepEqual(lag.lag(1500), { revisions: 999_990n, seconds: 1.5, isMeasured: false });
    lag.observe(1_000_100n, 2000);
    lag.reach(1_000_000n);
    assert.deepEqual(lag.lag(2500), { revisions: 100n, seconds: 1.5, isMeasured: true });
    lag.reset();
    lag.observe(50n, 3000);
    lag.reach(10n);
    assert.equal(lag.lag(3000).isMeasured, false, 'what was held of another source says nothing');
  });
});

describe('the wait before the next session', () => {
  it('a request that is too large is sent again at once, smaller, but not for ever', () => {
    const waits = Array.from({ length: 60 }, (_, n) => waitFor('too-large', { all: n + 1, tooLarge: n + 1 }));
    assert.ok(waits.slice(0, 20).every((ms) => ms === 0));
    assert.ok(waits.slice(20).every((ms) => ms >= 100));
    assert.ok(waits.slice(30).every((ms) => ms >= 2500 && ms <= 5000));
    assert.ok(waitFor('too-large', { all: 0, tooLarge: 60 }) >= 2500, 'also of long sessions');
  });

  it('a broken connection is made again soon, then less often', () => {
    assert.ok(waitFor('connection', { all: 1, tooLarge: 0 }) <= 200);
    assert.ok(waitFor('connection', { all: 20, tooLarge: 0 }) >= 2500);
  });
});

describe('replicator.json', () => {
  const good = {
    platform: 'orders',
    namespace: 'messaging',
    listen: { adminPort: 8081 },
    homeZone: 'zone-a',
    zone: 'zone-b',
    epoch: 1,
    source: { endpoints: ['https://orders-etcd-zone-a:2379'], dir: '/etc/causeway/internal' },
    target: { endpoints: ['http://127.0.0.1:2379'] },
    prefixes: ['/config/'],
  };
  const parse = (value: unknown): unknown => parseReplicatorConfig(new Field('replicator.json', '', value));

  it('a good one is taken as it is', () => assert.deepEqual(parse(good), good));

  it('a bad one is refused, with the field and what to do', () => {
    const bad: [object, RegExp][] = [
      [{ epoch: '1' }, /epoch: must be a whole number from 0/],
      [{ source: { endpoints: [] } }, /source\.endpoints: must be a list of at least one URL/],
      [{ target: { endpoints: ['etcd:2379'] } }, /target\.endpoints\[0\]: must be a URL such as/],
      [{ target: { endpoints: ['https://a:1', 'http://b:1'] } }, /all https or all http/],
      [{ prefixes: ['/causeway.dev/x/'] }, /prefixes\[0\]: must be outside \/causeway\.dev\//],
      [{ listen: {} }, /listen\.adminPort/],
    ];
    for (const [change, message] of bad) {
      assert.throws(
        () => parse({ ...good, ...change }),
        (error) => error instanceof ConfigError && message.test(error.message),
      );
    }
  });
});
