import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  decodeOffsetSync,
  mirrorLag,
  mirroredTopic,
  offsetSyncsTopic,
  type OffsetSync,
  type TopicEnds,
} from './mirror-lag.ts';
import { encodeOffsetSync } from './testing/offset-sync.ts';
import { lastOf } from './mirror-look.ts';

const TOPIC = 'orders.chat';
const nameOf = (topic: string): string => mirroredTopic(topic, 'Default', 'east');
const sync = (upstream: bigint, downstream: bigint, partition = 0): OffsetSync => ({
  topic: TOPIC,
  partition,
  upstream,
  downstream,
});

function ends(topic: string, ...of: [low: bigint, high: bigint][]): TopicEnds {
  return new Map([[topic, new Map(of.map(([low, high], partition) => [partition, { low, high }]))]]);
}

describe('names', () => {
  it('are those of MirrorMaker', () => {
    assert.equal(mirroredTopic(TOPIC, 'Default', 'east'), 'east.orders.chat');
    assert.equal(mirroredTopic(TOPIC, 'Identity', 'east'), TOPIC);
    assert.equal(offsetSyncsTopic('west'), 'mm2-offset-syncs.west.internal');
  });
});

describe('an offset sync', () => {
  it('is read as MirrorMaker writes it', () => {
    const key = Buffer.from('000b6f72646572732e6368617400000002', 'hex');
    const value = Buffer.from('00000000000000070000000000000005', 'hex');
    assert.deepEqual(decodeOffsetSync(key, value), sync(7n, 5n, 2));
  });

  it('is none when it is a tombstone, or of another form', () => {
    const { key, value } = encodeOffsetSync(sync(7n, 5n));
    for (const [k, v] of [
      [key, null],
      [null, value],
      [key.subarray(0, 1), value],
      [key.subarray(0, -1), value],
      [Buffer.concat([key, Buffer.of(0)]), value],
      [key, value.subarray(0, 15)],
      [Buffer.of(0xff, 0xff, 0, 0, 0, 0), value],
    ] as const)
      assert.equal(decodeOffsetSync(k, v), undefined);
  });
});

describe('the lag', () => {
  const lagOf = (source: TopicEnds, copies: TopicEnds, ...syncs: OffsetSync[]): unknown =>
    mirrorLag(source, copies, syncs, nameOf);

  it('is what the source has beyond the copy, over all partitions', () => {
    const source = ends(TOPIC, [0n, 100n], [0n, 50n]);
    const copies = ends('east.orders.chat', [0n, 90n], [0n, 45n]);
    assert.deepEqual(lagOf(source, copies, sync(0n, 0n), sync(0n, 0n, 1)), { lag: 15 });
  });

  it('is none when the mirror began after retention had taken records away', () => {
    const source = ends(TOPIC, [1_000n, 1_010n]);
    assert.deepEqual(lagOf(source, ends('east.orders.chat', [0n, 10n]), sync(1_000n, 0n)), { lag: 0 });
  });

  it('is none where there never was a record, and where all that the source has expired', () => {
    assert.deepEqual(lagOf(ends(TOPIC, [0n, 0n], [7n, 7n]), new Map()), { lag: 0 });
  });

  it('is unknown, never none, without a sync or without a copy', () => {
    const source = ends(TOPIC, [0n, 0n], [0n, 5n]);
    const copies = ends('east.orders.chat', [0n, 0n], [0n, 5n]);
    const unknown = (what: string): unknown => ({ lag: undefined, unknown: `${TOPIC}/1 has no ${what}` });
    assert.deepEqual(lagOf(source, copies), unknown('offset sync of MirrorMaker'));
    assert.deepEqual(lagOf(source, new Map(), sync(0n, 0n, 1)), unknown('copy'));
  });

  it('is unknown, never none, when somebody else writes to the copy, and when the source was made anew', () => {
    const others = {
      lag: undefined,
      unknown: `the copy of ${TOPIC}/0 has records that MirrorMaker told nothing of`,
    };
    const source = ends(TOPIC, [0n, 10n]);
    assert.deepEqual(lagOf(source, ends('east.orders.chat', [0n, 11n]), sync(0n, 0n)), others);
    assert.deepEqual(lagOf(source, ends('east.orders.chat', [0n, 5_100n]), sync(5_000n, 5_000n)), others);
  });

  it('is the whole of it when the copy was made anew, and is empty', () => {
    const source = ends(TOPIC, [0n, 200n]);
    assert.deepEqual(lagOf(source, ends('east.orders.chat', [0n, 0n]), sync(150n, 150n)), { lag: 200 });
  });

  it('is exact for any history of gaps and repeats, as long as MirrorMaker tells of them', () => {
    // Each step: offsets of the source that hold no record for others (compaction, markers), then a run of copied records.
    const step = fc.record({ gap: fc.bigInt(0n, 20n), again: fc.bigInt(0n, 5n), run: fc.bigInt(1n, 200n) });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 20 }), fc.bigInt(0n, 500n), (steps, more) => {
        let [upstream, downstream] = [0n, 0n];
        let last = sync(0n, 0n);
        for (const { gap, again, run } of steps) {
          const back = again > upstream ? upstream : again;
          upstream += gap - back;
          last = sync(upstream, downstream);
          upstream += run;
          downstream += run;
        }
        const copies = ends('east.orders.chat', [0n, downstream]);
        assert.deepEqual(lagOf(ends(TOPIC, [0n, upstream + more]), copies, last), { lag: Number(more) });
      }),
    );
  });
});

describe('the search for the last syncs', () => {
  const wanted = [0, 1].map((partition) => ({ topic: TOPIC, partition }));
  const record = (offset: bigint, of: OffsetSync): { offset: string; key: Buffer; value: Buffer } => ({
    offset: String(offset),
    ...encodeOffsetSync(of),
  });

  it('goes back until each partition has its last one, and no further', async () => {
    const log = [
      record(10n, sync(1n, 1n, 1)),
      record(30_010n, sync(2n, 2n, 1)),
      record(99_000n, sync(3n, 3n, 0)),
      record(99_001n, sync(4n, 4n, 0)),
    ];
    const read: [bigint, bigint][] = [];
    const found = await lastOf(wanted, { low: 0n, high: 100_000n }, async (from, to) => {
      read.push([from, to]);
      return log.filter(({ offset }) => BigInt(offset) >= from && BigInt(offset) < to);
    });
    assert.deepEqual(found, [sync(4n, 4n, 0), sync(2n, 2n, 1)]);
    assert.deepEqual(read.at(-1), [20_000n, 40_000n]);
  });

  it('ends at the begin of the topic, and after a million offsets', async () => {
    let windows = 0;
    const nothing = async (): Promise<[]> => {
      windows += 1;
      return [];
    };
    assert.deepEqual(await lastOf(wanted, { low: 5n, high: 45_000n }, nothing), []);
    assert.equal(windows, 3);
    await lastOf(wanted, { low: 0n, high: 1_000_000_000n }, nothing);
    assert.equal(windows, 53);
  });
});
