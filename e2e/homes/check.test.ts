import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { check, describeViolations, HomesHistory, measure } from './index.ts';
import type { HomeNote, Result, Store, Violation } from './index.ts';

const PROMISES = { guardMs: 100, fenceMs: 50 };
const ZONES = ['a', 'b', 'c'];

/** A write of an old home; default: of zone a, home of the first epoch, to etcd, with a key of its own. */
interface Strayed {
  store?: Store;
  zone?: string;
  epoch?: number;
  key?: string;
}

/** Tells a history, and plays the stores meanwhile as they should be. Ten milliseconds pass with each step. */
class Story {
  ms = 0;
  readonly history = new HomesHistory(() => this.ms);
  /** What the home has at the end. */
  readonly line: Record<Store, Map<string, string>> = { etcd: new Map(), redis: new Map() };
  readonly aside = new Map(ZONES.map((zone) => [zone, new Map<string, string>()]));
  readonly homes: HomeNote[] = [];
  home = 'a';
  epoch = 1;
  #revision = 0n;

  wait(ms: number): this {
    this.ms += ms;
    return this;
  }

  /** Begins a write; what it returns answers it. Each has a key of its own, unless one is named. */
  begin(
    store: Store,
    zone: string,
    value: string,
    key = `/${value}`,
  ): (result: Result, reign?: string) => void {
    this.ms += 10;
    const answer = this.history.begin({ client: `${store} of ${zone}`, store, zone, key, value });
    return (result, reign = String(this.epoch)) => {
      this.ms += 10;
      const seen = result === 'acknowledged' ? { reign, revision: (this.#revision += 1n) } : {};
      answer({ result, ...seen });
    };
  }

  /** The home takes a write. */
  write(value: string, { store = 'etcd', key = `/${value}` }: { store?: Store; key?: string } = {}): this {
    this.begin(store, this.home, value, key)('acknowledged');
    this.line[store].set(key, value);
    return this;
  }

  /** An old home takes a write, which only it has. */
  strayed(value: string, { store = 'etcd', zone = 'a', epoch = 1, key = `/${value}` }: Strayed = {}): this {
    this.begin(store, zone, value, key)('acknowledged', String(epoch));
    if (store === 'etcd') this.aside.get(zone)?.set(key, value);
    return this;
  }

  refuse(zone: string, value: string): this {
    this.begin('etcd', zone, value)('refused');
    return this;
  }

  /** The home moves; all up to now has gone over. */
  move(to: string): this {
    this.ms += 10;
    const from = this.home === to ? {} : { from: { zone: this.home, revision: this.#revision } };
    this.homes.push({ epoch: (this.epoch += 1), zone: to, ...from });
    this.home = to;
    return this;
  }

  /** The zone is cut off from all, and declared gone. */
  lose(zone: string): this {
    for (const side of ['operator', 'zones'] as const) this.history.add({ kind: 'cut', zone, side });
    this.ms += 10;
    this.history.add({ kind: 'emergency', zone });
    return this;
  }

  find(zone: string): this {
    for (const side of ['operator', 'zones'] as const) this.history.add({ kind: 'mended', zone, side });
    return this;
  }

  /** What is there at the end: `change` puts something wrong in. */
  end(change: (entries: Map<string, string>, zone: string, store: Store) => void = () => undefined): this {
    this.history.add({ kind: 'homes', homes: this.homes });
    for (const zone of ZONES) {
      for (const store of ['etcd', 'redis'] as const) {
        const entries = new Map(this.line[store]);
        change(entries, zone, store);
        this.history.add({ kind: 'state', store, zone, isHome: zone === this.home, entries });
      }
      this.history.add({ kind: 'aside', zone, entries: this.aside.get(zone) ?? new Map() });
    }
    return this;
  }

  get violations(): Violation[] {
    return check(this.history.events, PROMISES);
  }

  get kinds(): string[] {
    return [...new Set(this.violations.map(({ kind }) => kind))].sort();
  }
}

/** An Emergency: b takes over, and a goes on alone for a while. */
const emergency = (): Story =>
  new Story().write('one').lose('a').move('b').write('two').strayed('three').write('four').find('a');

/** A story with something put in that no platform should do. */
function changed(story: Story, change: (told: Story) => void): Story {
  change(story);
  return story;
}

describe('a history of homes is right', () => {
  for (const [what, story] of [
    ['where nothing moves', new Story().write('one').write('two').end()],
    [
      'where the home moves, and each zone takes writes in its time',
      new Story().write('one').move('b').write('two').move('a').write('three').end(),
    ],
    ['where a home that was fenced is given back', new Story().write('one').move('a').write('two').end()],
    [
      'where others refuse',
      new Story().refuse('b', 'no').write('one').move('b').refuse('a', 'no more').write('two').end(),
    ],
    [
      'where a later write takes the place',
      new Story().write('one', { key: '/k' }).move('b').write('two', { key: '/k' }).end(),
    ],
    ['where a home that was declared gone goes on alone, and what it took is kept aside', emergency().end()],
    ['where it goes on a moment after it was found', emergency().strayed('late').end()],
    [
      'where of what it took alone the last of each key is kept',
      emergency().strayed('first', { key: '/k' }).strayed('last', { key: '/k' }).end(),
    ],
    [
      'where Redis of a home that is gone loses its last writes',
      new Story()
        .write('one', { store: 'redis' })
        .lose('a')
        .strayed('two', { store: 'redis' })
        .move('b')
        .write('three', { store: 'redis' })
        .end(),
    ],
  ] as [string, Story][]) {
    it(what, () => {
      assert.equal(describeViolations(story.violations), '');
    });
  }

  it('where a write that got no answer is there, and where it is not', () => {
    const there = new Story().write('one');
    there.begin('etcd', 'a', 'open');
    there.line.etcd.set('/open', 'open');
    assert.deepEqual(there.end().kinds, []);
    const not = new Story().write('one');
    not.begin('etcd', 'a', 'open')('unknown');
    assert.deepEqual(not.end().kinds, []);
  });

  it('where writes under way while the home moves are taken by either', () => {
    const story = new Story();
    const old = story.begin('etcd', 'a', 'old');
    old('acknowledged');
    story.line.etcd.set('/old', 'old');
    story.move('b');
    const late = story.begin('etcd', 'a', 'late');
    const next = story.begin('etcd', 'b', 'next');
    late('refused');
    next('acknowledged');
    story.line.etcd.set('/next', 'next');
    assert.deepEqual(story.end().kinds, []);
  });
});

describe('a history of homes is wrong', () => {
  for (const [what, kinds, story] of [
    [
      'an old home goes on',
      ['two-homes'],
      new Story().write('one').move('b').write('two').strayed('three').end(),
    ],
    [
      'two zones take writes in one epoch',
      ['lost', 'two-homes'],
      new Story().write('one').strayed('two', { zone: 'b' }).end(),
    ],
    [
      'an old home goes on that could be reached, though it was declared gone',
      ['two-homes'],
      changed(new Story().write('one'), (told) => {
        told.history.add({ kind: 'emergency', zone: 'a' });
      })
        .move('b')
        .write('two')
        .strayed('three')
        .end(),
    ],
    [
      'a home is cut off and replaced without a word',
      ['two-homes'],
      changed(new Story().write('one'), (told) => {
        told.history.add({ kind: 'cut', zone: 'a', side: 'operator' });
      })
        .move('b')
        .write('two')
        .strayed('three')
        .end(),
    ],
    [
      'an old home goes on that was cut off only when the next one had begun',
      ['two-homes'],
      changed(new Story().write('one'), (told) => {
        told.history.add({ kind: 'emergency', zone: 'a' });
        told.move('b').write('two').wait(10).lose('a').strayed('three').find('a');
      }).end(),
    ],
    [
      'an old home goes on long after it was found',
      ['two-homes'],
      emergency().wait(60).strayed('late').end(),
    ],
    [
      'an epoch comes after a later one',
      ['two-homes'],
      new Story()
        .write('one')
        .move('b')
        .move('c')
        .write('two')
        .strayed('three', { zone: 'b', epoch: 2 })
        .end(),
    ],
    [
      'a Redis goes on alone for too long',
      ['unguarded'],
      new Story()
        .write('one', { store: 'redis' })
        .lose('a')
        .wait(110)
        .write('two', { store: 'redis' })
        .find('a')
        .end(),
    ],
    [
      'two Redis take writes for too long',
      ['two-homes', 'unguarded'],
      new Story()
        .write('one', { store: 'redis' })
        .lose('a')
        .move('b')
        .write('two', { store: 'redis' })
        .wait(110)
        .strayed('three', { store: 'redis' })
        .find('a')
        .end(),
    ],
    [
      'what was acknowledged is nowhere',
      ['lost'],
      new Story()
        .write('one')
        .move('b')
        .end((entries) => void entries.delete('/one')),
    ],
    [
      'what Redis acknowledged is lost in a planned move',
      ['lost'],
      new Story()
        .write('one', { store: 'redis' })
        .move('b')
        .end((entries, _zone, store) => void (store === 'redis' && entries.delete('/one'))),
    ],
    [
      'what Redis acknowledged is lost, though the zone that was cut off was never declared gone',
      ['lost'],
      changed(new Story().write('one', { store: 'redis' }), (told) => {
        told.history.add({ kind: 'cut', zone: 'a', side: 'zones' });
        told.history.add({ kind: 'mended', zone: 'a', side: 'zones' });
        told.line.redis.clear();
      }).end(),
    ],
    [
      'what Redis acknowledged long before the home was gone is lost',
      ['lost'],
      new Story()
        .write('one', { store: 'redis' })
        .wait(1_100)
        .lose('a')
        .move('b')
        .end((entries, _zone, store) => void (store === 'redis' && entries.delete('/one'))),
    ],
    [
      'what an old home took alone is not kept',
      ['lost'],
      changed(emergency(), (told) => {
        told.aside.get('a')?.clear();
      }).end(),
    ],
    [
      'what an old home took alone is kept as something else',
      ['lost'],
      changed(emergency(), (told) => {
        told.aside.get('a')?.set('/three', 'another');
      }).end(),
    ],
    [
      'the first of two is kept of what an old home took alone',
      ['lost'],
      changed(emergency().strayed('first', { key: '/k' }).strayed('last', { key: '/k' }), (told) => {
        told.aside.get('a')?.set('/k', 'first');
      }).end(),
    ],
    [
      'what only an old home had is at the new one',
      ['merged'],
      changed(emergency(), (told) => {
        told.line.etcd.set('/three', 'three');
      }).end(),
    ],
    [
      'an earlier value came back',
      ['lost'],
      changed(new Story().write('one', { key: '/k' }).move('b').write('two', { key: '/k' }), (told) => {
        told.line.etcd.set('/k', 'one');
      }).end(),
    ],
    [
      'what was refused is there',
      ['refused'],
      changed(new Story().write('one').refuse('b', 'no'), (told) => {
        told.line.etcd.set('/no', 'no');
      }).end(),
    ],
    [
      'what nobody wrote is there',
      ['invented'],
      new Story()
        .write('one')
        .end((entries, _zone, store) => void (store === 'etcd' && entries.set('/x', 'x'))),
    ],
    [
      'a value is at another key',
      ['invented'],
      new Story()
        .write('one')
        .end((entries, _zone, store) => void (store === 'etcd' && entries.set('/x', 'one'))),
    ],
    [
      'a follower lacks something',
      ['diverged'],
      new Story().write('one').end((entries, zone) => void (zone === 'b' && entries.delete('/one'))),
    ],
    [
      'a follower has kept something',
      ['diverged'],
      emergency().end(
        (entries, zone, store) => void (zone === 'a' && store === 'etcd' && entries.set('/three', 'three')),
      ),
    ],
  ] as [string, string[], Story][]) {
    it(`where ${what}`, () => {
      assert.deepEqual(story.kinds, kinds, describeViolations(story.violations));
    });
  }

  it('and is told in a line for each violation, and not in too many', () => {
    const { violations } = new Story()
      .write('one')
      .write('two')
      .end((entries) => entries.clear());
    assert.match(
      describeViolations(violations),
      /^lost · etcd · a · one · \/one at revision 1 of epoch 1: it went over, and home has nothing\nlost/,
    );
    assert.match(describeViolations(violations, 1), /^lost[^\n]*\n… and 1 more$/);
  });

  it('also where it did not come to its end, by what writers were told', () => {
    const story = new Story().write('one').move('b').write('two').strayed('three');
    assert.deepEqual(story.kinds, ['two-homes']);
  });

  it('and is none where a value is written twice, or nobody says under which home', () => {
    assert.throws(() => new Story().write('one').write('one').violations, /two writes have the value one/);
    const story = new Story();
    story.history.begin({ client: 'x', store: 'etcd', zone: 'a', key: '/k', value: 'v' })({
      result: 'acknowledged',
    });
    assert.throws(() => story.violations, /nobody says under which home/);
    assert.throws(() => new Story().find('a').violations, /a was mended, and was not cut off/);
  });
});

/** One time as home, and what the zone still takes when it is over. */
interface Chapter {
  zone: string;
  writes: number;
  refused: number;
  /** It is cut off and declared gone, and takes so many alone; undefined: a planned move ends it. */
  alone: number | undefined;
}

const chapter = fc.record<Chapter>({
  zone: fc.constantFrom(...ZONES),
  writes: fc.integer({ min: 1, max: 3 }),
  refused: fc.integer({ min: 0, max: 2 }),
  alone: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
});

/** Tells chapters as a platform that does no wrong would have them. */
function tell(chapters: readonly Chapter[]): Story {
  const story = new Story();
  let count = 0;
  for (const [index, { zone, writes, refused, alone }] of chapters.entries()) {
    if (index > 0) story.move(zone);
    for (let n = 0; n < writes; n += 1) story.write(`v${(count += 1)}`);
    for (const other of ZONES.filter((one) => one !== story.home).slice(0, refused))
      story.refuse(other, `v${(count += 1)}`);
    const next = chapters[index + 1];
    if (alone === undefined || next === undefined || next.zone === story.home) continue;
    const { home, epoch } = story;
    story.lose(home).move(next.zone);
    // The home that it moved to takes one before the old one goes on.
    story.write(`v${(count += 1)}`);
    for (let n = 0; n < alone; n += 1) story.strayed(`v${(count += 1)}`, { zone: home, epoch });
    story.find(home).wait(100);
  }
  return story;
}

describe('any history of homes', () => {
  const chapters = fc.array(chapter, { minLength: 2, maxLength: 6 });

  it('is right where a platform does no wrong', () => {
    fc.assert(
      fc.property(chapters, (all) => {
        assert.equal(describeViolations(tell(all).end().violations), '');
      }),
    );
  });

  it('is wrong where one acknowledged write is gone from all zones, and it says which', () => {
    fc.assert(
      fc.property(chapters, fc.nat(), (all, where) => {
        const story = tell(all);
        const kept = [story.line.etcd, ...story.aside.values()].flatMap((entries) =>
          [...entries].map(([key, value]) => ({ entries, key, value })),
        );
        const one = kept[where % kept.length];
        assert.ok(one);
        one.entries.delete(one.key);
        const [found, ...more] = story.end().violations;
        assert.deepEqual([found?.kind, found?.value, more], ['lost', one.value, []]);
      }),
    );
  });

  it('is wrong where a zone that is not home takes one write more, whichever and whenever', () => {
    fc.assert(
      fc.property(chapters, fc.constantFrom(...ZONES), fc.nat(), (all, zone, back) => {
        const story = tell(all).move('a').write('last');
        fc.pre(zone !== 'a');
        story.strayed('forged', { zone, epoch: Math.max(1, story.epoch - (back % story.epoch)) });
        assert.ok(story.end().kinds.includes('two-homes'));
      }),
    );
  });

  it('is wrong where a follower differs in one key', () => {
    fc.assert(
      fc.property(chapters, fc.nat(), (all, where) => {
        const story = tell(all);
        const keys = [...story.line.etcd.keys()];
        const follower = ZONES.find((zone) => zone !== story.home);
        story.end((entries, zone) => {
          if (zone === follower) entries.delete(keys[where % keys.length] ?? '');
        });
        assert.deepEqual(story.kinds, ['diverged']);
      }),
    );
  });
});

describe('what was measured', () => {
  it('is how much of each promise was used', () => {
    const story = new Story().write('one', { store: 'redis' }).lose('a');
    story.strayed('two', { store: 'redis' }).move('b').write('three', { store: 'redis' });
    story.find('a').wait(5).strayed('four', { store: 'redis' });
    const { ms: _ms, ...redis } = { ms: 0, ...measure(story.end().history.events, 'redis') };
    const counts = { acknowledged: 4, refused: 0, unknown: 0, reigns: 2, stale: 1, lost: 2 };
    assert.deepEqual(redis, { ...counts, aloneMs: 20, unfencedMs: 15 });
    assert.equal(measure(story.history.events, 'etcd').acknowledged, 0);
  });

  it('counts from the last time that a zone was found, and not while it is away again', () => {
    const story = new Story().write('one').lose('a').move('b').write('two').find('a').wait(20);
    story.lose('a').strayed('three');
    assert.equal(measure(story.history.events, 'etcd').unfencedMs, 0);
    story.find('a').wait(5).strayed('four');
    assert.equal(measure(story.history.events, 'etcd').unfencedMs, 15);
  });
});
