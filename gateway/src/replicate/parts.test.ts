import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ConfigError, Field } from '../config/index.ts';
import {
  CheckpointError,
  coversPrefixes,
  decodeCheckpoint,
  encodeCheckpoint,
  isOwnKey,
  normalizePrefixes,
  prefixRange,
} from '../etcd/index.ts';
import type { KeyValue } from '../etcd/index.ts';
import { historyGoesOn, snapshotNeeded } from './checkpoint.ts';
import { parseReplicatorConfig } from './config.ts';
import { difference } from './diff.ts';
import { LagTracker } from './lag.ts';

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
      [{ ...checkpoint, prefixes: undefined }, /prefixes/],
      [{ ...checkpoint, snapshot: true }, /snapshot/],
      [{ ...checkpoint, partial: { revision: '1' } }, /partial/],
    ];
    for (const [value, message] of bad) {
      assert.throws(() => decodeCheckpoint(Buffer.from(JSON.stringify(value))), message);
    }
    assert.throws(() => decodeCheckpoint(Buffer.from('{')), CheckpointError);
  });

  it('says when a snapshot is needed', () => {
    const head = { clusterId: checkpoint.sourceClusterId, revision: 20n };
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

  it('only a history that goes on may empty the target', () => {
    assert.equal(historyGoesOn('compacted'), true);
    assert.equal(historyGoesOn('first-start'), false);
    assert.equal(historyGoesOn('source-changed'), false);
    assert.equal(historyGoesOn('source-went-back'), false);
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

  const sorted = (space: Record<string, string>): KeyValue[] =>
    Object.entries(space)
      .map(([key, value]) => ({ key: Buffer.from(key), value: Buffer.from(value) }))
      .sort((a, b) => a.key.compare(b.key));
  async function* each(space: Record<string, string>): AsyncGenerator<KeyValue> {
    yield* sorted(space);
  }
});

describe('LagTracker', () => {
  it('nothing is missing: no lag, also when nothing is written for long', () => {
    const lag = new LagTracker(0);
    lag.observe(5n, 1000);
    lag.reach(5n);
    lag.observe(5n, 9000);
    assert.deepEqual(lag.lag(9500), { revisions: 0n, seconds: 0 });
  });

  it('behind: since the target last had all', () => {
    const lag = new LagTracker(0);
    lag.observe(5n, 1000);
    lag.reach(5n);
    lag.observe(8n, 2000);
    lag.observe(20n, 3000);
    assert.deepEqual(lag.lag(5000), { revisions: 15n, seconds: 4 });
    lag.reach(9n);
    assert.deepEqual(lag.lag(5000), { revisions: 11n, seconds: 3 });
    lag.reach(20n);
    assert.deepEqual(lag.lag(5000), { revisions: 0n, seconds: 0 });
  });

  it('the source is out of sight: the lag grows although nothing is known to be missing', () => {
    const lag = new LagTracker(0);
    lag.observe(5n, 1000);
    lag.reach(5n);
    assert.equal(lag.lag(31_000).seconds, 30);
  });

  it('before anything is known, revisions are unknown and time runs', () => {
    const lag = new LagTracker(0);
    assert.deepEqual(lag.lag(2000), { revisions: undefined, seconds: 2 });
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
