/** Idempotency keys in Redis: which records are delivered, and that a Redis which is built anew decides the same. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { IDEMPOTENCY_WINDOW_MS as WINDOW } from './once.ts';
import type { Append, AppendOutcome } from './redis-streams.ts';
import { startStreams } from './testing/real-streams.ts';
import type { RealStreams } from './testing/real-streams.ts';

const SOURCE = 'p.chat/0';
const CHANNEL = 'chat:a';
const SECONDS_A_DAY = 86_400;

/** A record: whose key it has, and when it was written. */
interface Written {
  id: string | undefined;
  at: number;
}

describe('records with idempotency keys', { timeout: 60_000 }, () => {
  let admin: RealStreams['admin'];
  let keys: RealStreams['keys'];
  let streams: RealStreams['streams'];
  let stop: RealStreams['stop'];

  before(async () => {
    ({ admin, keys, streams, stop } = await startStreams());
  });
  after(() => stop());

  /** Forgets all but the scripts. */
  const empty = () => admin.flushAll();
  const record = ({ id, at }: Written, offset: number, previous: number): Append => ({
    source: SOURCE,
    kafka: { partition: 0, offset },
    previous,
    publication: {
      channel: CHANNEL,
      entry: `0 ${offset} 0 ${at} json\n\n${offset}`,
      once: id === undefined ? undefined : { id, at },
    },
  });
  /** Appends records from `begin` on, as a carrier that has just been given the partition. */
  const appendAll = (written: Written[], begin = 0): Promise<AppendOutcome[]> =>
    streams.append(
      written.slice(begin).map((one, n) => record(one, begin + n, n === 0 ? -1 : begin + n - 1)),
    );
  const delivered = async (): Promise<string[]> =>
    (await streams.read(CHANNEL, { limit: 1_000 })).entries.map(({ data }) => data.text);

  it('are delivered once in the window, which each of them begins anew', async () => {
    await empty();
    const outcomes = await appendAll([
      { id: 'k', at: 0 },
      { id: 'k', at: 0 },
      { id: 'k', at: WINDOW },
      { id: 'k', at: 2 * WINDOW },
      { id: 'k', at: 3 * WINDOW + 1 },
      { id: 'l', at: 3 * WINDOW + 1 },
      { id: undefined, at: 3 * WINDOW + 1 },
    ]);
    assert.deepEqual(outcomes, ['ok', 'doubled', 'doubled', 'doubled', 'ok', 'ok', 'ok']);
    assert.deepEqual(await delivered(), ['0', '4', '5', '6']);
  });

  it('are doubled too where the clock of the second writer is behind', async () => {
    await empty();
    assert.deepEqual(
      await appendAll([
        { id: 'k', at: WINDOW },
        { id: 'k', at: WINDOW - 30_000 },
        { id: 'k', at: 2 * WINDOW },
      ]),
      ['ok', 'doubled', 'doubled'],
    );
  });

  it('are seen, not doubled, when they are carried again', async () => {
    await empty();
    assert.deepEqual(await appendAll([{ id: 'k', at: 0 }]), ['ok']);
    assert.deepEqual(await appendAll([{ id: 'k', at: 0 }]), ['seen']);
    assert.deepEqual(await streams.append([record({ id: 'k', at: 1 }, 1, 0)]), ['doubled']);
    assert.deepEqual(await streams.append([record({ id: 'k', at: 1 }, 1, 0)]), ['seen']);
    assert.deepEqual(await streams.positions([SOURCE]), [1]);
  });

  it('leave nothing behind for longer than two windows of others, or a day', async () => {
    await empty();
    await appendAll([
      { id: 'old', at: 0 },
      { id: 'new', at: 2 * WINDOW + 1 },
    ]);
    assert.deepEqual(await admin.zRange(keys.once(CHANNEL), 0, -1), ['new']);
    const left = await admin.ttl(keys.once(CHANNEL));
    assert.ok(left > 0 && left <= SECONDS_A_DAY, `${left} s`);
  });

  it('without a key cost no key in Redis', async () => {
    await empty();
    await appendAll([{ id: undefined, at: 0 }]);
    assert.equal(await admin.exists(keys.once(CHANNEL)), 0);
  });

  it('are decided the same by a Redis that is built anew, from any record on', async () => {
    const written = fc
      .array(
        fc.record({
          id: fc.option(fc.constantFrom('k', 'l'), { nil: undefined }),
          pause: fc.integer({ min: -20_000, max: WINDOW }),
        }),
        { minLength: 1, maxLength: 30 },
      )
      .map((all) => {
        let at = 10 * WINDOW;
        return all.map(({ id, pause }) => ({ id, at: (at += pause) }));
      });
    await fc.assert(
      fc.asyncProperty(written, fc.nat(), async (all, n) => {
        await empty();
        const begin = n % all.length;
        const decided = (await appendAll(all)).slice(begin);
        await empty();
        // As the carrier does: of what is older, the keys that count still.
        const since = (all[begin]?.at ?? 0) - WINDOW - 60_000;
        const first = all.findIndex(({ at }) => at >= since);
        const notes = all
          .slice(first, begin)
          .flatMap(({ id, at }) => (id ? [{ channel: CHANNEL, once: { id, at } }] : []));
        await streams.note(notes);
        assert.deepEqual(await appendAll(all, begin), decided);
      }),
      { numRuns: 200 },
    );
  });
});
