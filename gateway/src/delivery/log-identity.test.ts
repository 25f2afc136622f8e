import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Log } from '../log/index.ts';
import { heed, LogJudge } from './log-identity.ts';
import type { KeptLogs, LogLook, Verdict } from './log-identity.ts';

/** Redis has ten records of log `a`, and so has Kafka. */
const FINE: LogLook = { position: 9, noted: 'a', id: 'a', end: 10 };
/** The other end of a broker that was cut off. */
const SHORT: LogLook = { ...FINE, end: 5 };
const OTHER: LogLook = { ...FINE, id: 'b', end: 3 };
const UNKNOWN: LogLook = { ...FINE, id: undefined, end: undefined };

/** What is said at each look. */
function judge(...looks: LogLook[]): Verdict[] {
  const made = new LogJudge();
  return looks.map((look) => made.judge(look));
}

/** What is said at the last look. */
const last = (...looks: LogLook[]): Verdict | undefined => judge(...looks).at(-1);
const times = (count: number, look: LogLook): LogLook[] => Array.from({ length: count }, () => look);

describe('a look at a log', () => {
  it('is fine where the log is the same and has what Redis has', () => {
    assert.deepEqual(judge(FINE, { ...FINE, end: 11 }, { ...FINE, position: undefined, end: 0 }), [
      'fine',
      'fine',
      'fine',
    ]);
  });

  it('is fine where Kafka says nothing', () => {
    assert.deepEqual(new Set(judge(...times(30, UNKNOWN))), new Set(['fine']));
  });

  it('has the id noted where none is, however early the log ends', () => {
    for (const end of [undefined, 5, 10]) assert.equal(last({ ...FINE, noted: undefined, end }), 'note');
  });

  it('has another id noted where nothing is in Redis', () => {
    assert.equal(last({ ...FINE, noted: 'b', position: undefined }), 'note');
  });

  it('shows a topic that was made anew at the third of another id, wherever it ends', () => {
    for (const end of [undefined, 0, 3, 10, 1_000])
      assert.deepEqual(judge(...times(4, { ...OTHER, end })), ['wait', 'wait', 'anew', 'anew']);
  });

  it('shows none where a broker with an old id comes and goes', () => {
    const comesAndGoes = times(20, OTHER).map((look, n) => (n % 3 === 2 ? FINE : look));
    assert.ok(!judge(...comesAndGoes).includes('anew'));
    assert.equal(last(OTHER, OTHER, UNKNOWN, OTHER, OTHER), 'wait');
    assert.equal(last(OTHER, OTHER, { ...OTHER, id: 'c' }, OTHER, OTHER), 'wait');
  });

  it('shows lost records after a minute only', () => {
    const said = judge(...times(21, SHORT));
    assert.deepEqual(new Set(said.slice(0, 19)), new Set(['wait']));
    assert.deepEqual(said.slice(19), ['lost', 'lost']);
  });

  it('shows lost records after a minute also where Kafka tells no id', () => {
    for (const noted of ['a', undefined]) {
      const said = judge(...times(20, { ...SHORT, noted, id: undefined }));
      assert.deepEqual([said.indexOf('lost'), said.length], [19, 20]);
    }
  });

  it('shows none where a broker with an end of long ago comes and goes', () => {
    for (const between of [FINE, UNKNOWN, OTHER]) {
      const said = judge(...times(19, SHORT), between, ...times(19, SHORT));
      assert.ok(!said.includes('lost'), JSON.stringify(between));
    }
  });

  it('says anew and lost at the end of a row of such looks, and never else', () => {
    const one = fc.record({
      position: fc.constantFrom(undefined, 0, 9, 9, 9),
      noted: fc.constantFrom(undefined, 'a', 'a', 'a', 'b'),
      id: fc.constantFrom(undefined, 'a', 'a', 'a', 'b', 'c'),
      end: fc.constantFrom(undefined, 5, 5, 5, 10),
    });
    // Long rows of the same look, or none would ever be as long as it takes.
    const looks = fc
      .array(fc.tuple(one, fc.integer({ min: 1, max: 25 })), { minLength: 1, maxLength: 8 })
      .map((rows) => rows.flatMap(([look, count]) => times(count, look)));
    const isAnother = ({ position, noted, id }: LogLook): boolean =>
      position !== undefined && noted !== undefined && id !== undefined && noted !== id;
    const isShort = (look: LogLook): boolean =>
      !isAnother(look) && look.position !== undefined && look.end !== undefined && look.end <= look.position;
    fc.assert(
      fc.property(looks, (all) => {
        const said = judge(...all);
        for (const [n, verdict] of said.entries()) {
          const look = all[n]!;
          const [three, twenty] = [
            all.slice(Math.max(0, n - 2), n + 1),
            all.slice(Math.max(0, n - 19), n + 1),
          ];
          const anew = three.length === 3 && three.every((other) => isAnother(other) && other.id === look.id);
          const isNew = !isAnother(look) && look.id !== undefined && look.id !== look.noted;
          const lost = twenty.length === 20 && twenty.every(isShort) && !isNew;
          assert.deepEqual([verdict === 'anew', verdict === 'lost', verdict === 'note'], [anew, lost, isNew]);
          assert.equal(verdict === 'fine', !isNew && !isAnother(look) && !isShort(look));
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('what a look asks for', () => {
  /** What Redis is told, and what is logged. */
  const done = async (verdict: Verdict, look: LogLook): Promise<unknown[]> => {
    const told: unknown[] = [];
    const kept: KeptLogs = {
      noteLog: async (...args) => void told.push(['note', ...args]),
      forget: async (...args) => (told.push(['forget', ...args]), true),
      replaceLog: async (...args) => (told.push(['replace', ...args]), false),
    };
    const lines: string[] = [];
    const ignore = (): void => undefined;
    const log: Log = { debug: ignore, info: ignore, warn: (line) => void lines.push(line), error: ignore };
    const isForgotten = await heed(verdict, { source: 't/0', ...look }, kept, log);
    return [isForgotten, ...told, ...lines];
  };

  it('is done, and says whether there is something to build anew', async () => {
    assert.deepEqual(await done('fine', FINE), [false]);
    assert.deepEqual(await done('wait', SHORT), [false]);
    assert.deepEqual(await done('note', { ...FINE, noted: undefined }), [false, ['note', 't/0', 'a']]);
    assert.deepEqual(await done('anew', OTHER), [
      false,
      ['replace', 't/0', 'a', 'b'],
      'the topic was made anew, starting over',
    ]);
    assert.deepEqual(await done('lost', SHORT), [
      true,
      ['forget', 't/0', 9],
      'Kafka has lost records that it had acknowledged, starting over with what it has',
    ]);
  });
});
