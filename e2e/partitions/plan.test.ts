import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeEpisodes, episodesOf, everyBuild, shortStory } from './plan.ts';

describe('the plan of a run', () => {
  it('is the same for the same seed, and another for another', () => {
    assert.deepEqual(episodesOf(7, 4), episodesOf(7, 4));
    assert.notDeepEqual(episodesOf(7, 4), episodesOf(8, 4));
    assert.equal(episodesOf(7, 4).length, 4);
  });

  it('has every kind of move, gap and cut in it sooner or later', () => {
    const all = episodesOf(1, 200);
    const gaps = all.flatMap(({ interferences }) => interferences);
    assert.deepEqual([...new Set(all.map(({ mode }) => mode))].sort(), ['Drill', 'Emergency', 'Planned']);
    assert.deepEqual([...new Set(gaps.map(({ gap }) => gap.side))].sort(), ['operator', 'way', 'zones']);
    assert.deepEqual([...new Set(gaps.map(({ how }) => how))].sort(), ['cut', 'stall']);
    assert.ok(all.some(({ crashAt }) => crashAt !== undefined) && all.some(({ lingering }) => lingering));
  });

  it('begins an Emergency with a home that the operator cannot see', () => {
    for (const { mode, interferences } of episodesOf(1, 200)) {
      if (mode !== 'Emergency') continue;
      assert.deepEqual(interferences[0]?.gap, { side: 'operator', zone: 0 });
    }
  });

  it('of every build is a move and an outage of everything, and can be read', () => {
    for (let seed = 1; seed < 50; seed += 1) {
      const [move, outage, ...more] = shortStory(seed);
      assert.ok(move?.mode !== 'Emergency' && outage?.mode === 'Emergency' && more.length === 0);
      assert.deepEqual(
        outage.interferences.map(({ gap }) => gap.side),
        ['operator', 'zones'],
      );
      const text = describeEpisodes(shortStory(seed));
      assert.match(text, /^1\. (Planned|Drill), asked for after \d+ ms/);
      assert.match(text, /\n {9}0 ms {2}operator and the home: stall, for 13500 ms\n/);
    }
  });

  it('of every build has two moves besides that do not go through, and nothing else goes wrong in them', () => {
    const [, , person, lost, ...more] = everyBuild(3);
    assert.deepEqual([person?.turn, lost?.turn, more], ['person', 'lost', []]);
    assert.deepEqual([person?.interferences, lost?.interferences], [[], []]);
    const text = describeEpisodes(everyBuild(3));
    assert.match(
      text,
      /\n3\. Drill, asked for after 200 ms\n +paused in Drain, and aborted in Hold\n4\. Planned/,
    );
  });
});
