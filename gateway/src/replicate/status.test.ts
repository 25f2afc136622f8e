import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { changesBytes } from '../etcd/index.ts';
import { Status } from './status.ts';
import { figures } from './testing/figures.ts';

describe('the metrics of a replicator', () => {
  it('call it stalled when it is more than a minute behind, and no longer when it has caught up', async () => {
    let now = 1_000_000;
    const status = new Status(7, () => now);
    const seen = async (): Promise<[number | undefined, number | undefined]> => {
      const { stalled, lag_seconds: lag } = await figures(status.metrics.registry);
      return [stalled, lag];
    };
    status.enter('Following', '');
    status.seen(5n);
    status.reached(5n);
    assert.deepEqual(await seen(), [0, 0]);
    now += 1000;
    status.seen(6n);
    now += 59_000;
    assert.deepEqual(await seen(), [0, 60]);
    now += 1000;
    assert.deepEqual(await seen(), [1, 61]);
    status.reached(6n);
    status.seen(6n);
    assert.deepEqual(await seen(), [0, 0]);
    assert.equal((await figures(status.metrics.registry))['epoch'], 7);
  });

  it('call it stalled when nothing is said of the source for a minute: what it has is not known', async () => {
    let now = 1_000_000;
    const status = new Status(1, () => now);
    status.enter('Following', '');
    status.seen(5n);
    status.reached(5n);
    now += 61_000;
    status.enter('Connecting', 'the source does not answer');
    assert.equal((await figures(status.metrics.registry))['stalled'], 1);
  });

  for (const phase of ['Fenced', 'Blocked'] as const) {
    it(`call it stalled at once while it is ${phase}`, async () => {
      const status = new Status(1);
      status.seen(5n);
      status.reached(5n);
      status.enter(phase, 'for a reason');
      assert.equal((await figures(status.metrics.registry))['stalled'], 1);
      assert.equal((await figures(status.metrics.registry))[phase.toLowerCase()], 1);
      status.enter('Following', '');
      assert.equal((await figures(status.metrics.registry))['stalled'], 0);
    });
  }

  it('count what was written, with the parts of large revisions apart, and say how far both sides are', async () => {
    const { metrics, bytes } = written();
    const seen = await figures(metrics.registry);
    assert.deepEqual(
      [seen['transactions_total'], seen['revisions_total'], seen['split_transactions_total']],
      [3, 3, 2],
    );
    assert.equal(seen['transaction_seconds_count'], 3);
    assert.equal(seen['bytes_total'], bytes);
    assert.deepEqual([seen['revision'], seen['source_revision'], seen['lag_revisions']], [7, 9, 2]);
    const text = await metrics.registry.metrics();
    assert.match(text, /causeway_replication_keys_total\{op="put"\} 3\n/);
    assert.match(text, /causeway_replication_keys_total\{op="delete"\} 1\n/);
  });

  it('say while a snapshot is written', async () => {
    const status = new Status(1);
    const writing = async (): Promise<number | undefined> =>
      (await figures(status.metrics.registry))['snapshot_in_progress'];
    status.enter('Snapshot', 'writing a snapshot');
    assert.equal(await writing(), 1);
    status.enter('Following', '');
    assert.equal(await writing(), 0);
  });
});

describe('a replicator is ready', () => {
  it('given it starts far behind, once it has what the source had then, and not at once', () => {
    let now = 1_000_000;
    const status = new Status(1, () => now);
    status.seen(1_000_000n);
    status.enter('Following', '');
    status.reached(10n);
    assert.equal(status.notReady(), 'catching up with the source');
    now += 1000;
    status.seen(1_000_500n);
    status.reached(999_999n);
    assert.equal(status.notReady(), 'catching up with the source');
    status.reached(1_000_000n);
    assert.equal(status.notReady(), undefined, 'the rest is of the last second');
  });

  it('given it takes long to get there, once the rest is of the last seconds', () => {
    let now = 1_000_000;
    const status = new Status(1, () => now);
    status.seen(100n);
    status.enter('Following', '');
    status.reached(10n);
    now += 20_000;
    status.seen(200n);
    status.reached(150n);
    assert.equal(status.notReady(), 'catching up with the source');
    status.reached(200n);
    assert.equal(status.notReady(), undefined);
  });

  it('given nothing is missing when it starts, at once', () => {
    const status = new Status(1);
    status.seen(10n);
    status.enter('Following', '');
    status.reached(10n);
    assert.equal(status.notReady(), undefined);
  });
});

/** Two revisions in one transaction, then one in two parts; the source is two ahead. */
function written(): { metrics: Status['metrics']; bytes: number } {
  const status = new Status(1);
  const checkpoint = { sourceClusterId: '7', revision: '7', epoch: 1, prefixes: ['/a/'] };
  const put = { key: Buffer.from('/a/1'), value: Buffer.from('v') };
  const gone = { key: Buffer.from('/a/2'), value: undefined };
  status.committed({ changes: [put, gone], checkpoint, revisions: 2, split: false }, 0.01);
  status.committed({ changes: [put], checkpoint, revisions: 0, split: true }, 0.01);
  status.committed({ changes: [put], checkpoint, revisions: 1, split: true }, 0.01);
  status.seen(9n);
  status.reached(7n);
  return { metrics: status.metrics, bytes: changesBytes([put, gone, put, put]) };
}
