/** Which log a position in Redis is of. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { startStreams } from './testing/real-streams.ts';
import type { RealStreams } from './testing/real-streams.ts';

const SOURCE = 'p.chat/0';

describe('the log that a position is of', { timeout: 60_000 }, () => {
  let admin: RealStreams['admin'];
  let streams: RealStreams['streams'];
  let stop: RealStreams['stop'];

  before(async () => {
    ({ admin, streams, stop } = await startStreams());
  });
  after(() => stop());
  beforeEach(async () => {
    await admin.flushAll();
  });

  /** The position, and the log. */
  const kept = async (): Promise<unknown[]> => [
    ...(await streams.positions([SOURCE])),
    ...(await streams.logs([SOURCE])),
  ];
  const carryTo = (offset: number) =>
    streams.append([
      { source: SOURCE, kafka: { partition: 0, offset }, previous: -1, publication: undefined },
    ]);

  it('is the last that is noted before there is a position, the first from then on', async () => {
    assert.deepEqual(await kept(), [undefined, undefined]);
    for (const id of ['a', 'b']) await streams.noteLog(SOURCE, id);
    assert.deepEqual(await kept(), [undefined, 'b']);
    await carryTo(7);
    await streams.noteLog(SOURCE, 'c');
    assert.deepEqual(await kept(), [7, 'b']);
  });

  it('is noted for a position that had none', async () => {
    await carryTo(7);
    for (const id of ['a', 'b']) await streams.noteLog(SOURCE, id);
    assert.deepEqual(await kept(), [7, 'a']);
  });

  it('is replaced by one gateway only, whose position stays', async () => {
    await carryTo(7);
    await streams.noteLog(SOURCE, 'a');
    assert.equal(await streams.replaceLog(SOURCE, 'a', 'b'), true);
    assert.deepEqual(await kept(), [undefined, 'b']);
    await carryTo(0);
    assert.equal(await streams.replaceLog(SOURCE, 'a', 'b'), false);
    assert.deepEqual(await kept(), [0, 'b']);
  });

  it('stays where a position is forgotten, by one gateway only', async () => {
    await carryTo(7);
    await streams.noteLog(SOURCE, 'a');
    assert.equal(await streams.forget(SOURCE, 7), true);
    assert.deepEqual(await kept(), [undefined, 'a']);
    assert.equal(await streams.forget(SOURCE, 7), false);
    await carryTo(3);
    assert.equal(await streams.forget(SOURCE, 7), false);
    assert.deepEqual(await kept(), [3, 'a']);
  });
});
