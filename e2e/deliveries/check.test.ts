import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { check, describeViolations, History } from './index.ts';
import type { Answer, Recovery } from './index.ts';

/** Writes histories of one channel, in words. Ten milliseconds pass with each. */
class Story {
  ms = 0;
  readonly history = new History(() => (this.ms += 10));

  publish(id: string, answer: Answer | 'none' = 'acknowledged', channel = 'c'): this {
    this.history.add({ kind: 'invoked', id, channel });
    if (answer !== 'none') this.history.add({ kind: 'answered', id, answer });
    return this;
  }

  begin(id: string): this {
    this.history.add({ kind: 'invoked', id, channel: 'c' });
    return this;
  }

  acknowledge(id: string): this {
    this.history.add({ kind: 'answered', id, answer: 'acknowledged' });
    return this;
  }

  subscribe(subscriber: string, at: string, recovery: Recovery = 'fresh'): this {
    this.history.add({ kind: 'subscribed', subscriber, channel: 'c', recovery, at: place(at) });
    return this;
  }

  /** `what`: publications and their places, such as `a@e/1 b@e/2`. */
  deliver(subscriber: string, what: string): this {
    for (const one of what.split(' ')) {
      const [id = '', at = ''] = one.split('@');
      this.history.add({ kind: 'delivered', subscriber, channel: 'c', id, at: place(at) });
    }
    return this;
  }

  store(what: string): this {
    for (const one of what.split(' ')) {
      const [id = '', at = ''] = one.split('@');
      this.history.add({ kind: 'stored', channel: 'c', id, at: place(at) });
    }
    return this;
  }

  leave(subscriber: string): this {
    this.history.add({ kind: 'left', subscriber, channel: 'c' });
    return this;
  }

  lose(): this {
    this.history.add({ kind: 'fault', what: 'streams lost', note: 'emptied' });
    this.history.add({ kind: 'fault', what: 'streams whole', note: 'emptied' });
    return this;
  }

  /** Long enough that no earlier loss can show. */
  wait(): this {
    this.ms += 60_000;
    return this;
  }

  kinds(historySize = Infinity): string[] {
    const violations = check(this.history.events, { historySize: () => historySize });
    return [...new Set(violations.map(({ kind }) => kind))].sort();
  }
}

function place(text: string): { epoch: string | undefined; offset: number } {
  const [epoch = '', offset = ''] = text.split('/');
  return { epoch: epoch === '?' ? undefined : epoch, offset: Number(offset) };
}

const two = (): Story => new Story().subscribe('s', 'e/0').publish('a').publish('b');

describe('a history of deliveries is right', () => {
  for (const [what, story] of [
    ['where all comes once and in order', two().deliver('s', 'a@e/1 b@e/2').store('a@e/1 b@e/2')],
    ['where what got no answer comes', two().publish('x', 'none').deliver('s', 'a@e/1 b@e/2 x@e/3')],
    ['where what got no answer does not come', two().publish('x', 'unknown').deliver('s', 'a@e/1 b@e/2')],
    ['where what was refused does not come', two().publish('x', 'refused').deliver('s', 'a@e/1 b@e/2')],
    [
      'where publications under way at once come in any order',
      new Story()
        .subscribe('s', 'e/0')
        .begin('a')
        .begin('b')
        .acknowledge('a')
        .acknowledge('b')
        .deliver('s', 'b@e/1 a@e/2'),
    ],
    [
      'where one comes back and gets what it missed',
      two().deliver('s', 'a@e/1').subscribe('s', 'e/1', 'recovered').deliver('s', 'b@e/2'),
    ],
    ['where one leaves and gets nothing more', two().deliver('s', 'a@e/1').leave('s')],
    [
      'where what was published before does not come',
      new Story().publish('a').subscribe('s', 'e/1').publish('b').deliver('s', 'b@e/2'),
    ],
    [
      'where a stream is rebuilt and goes on after what one had',
      two().deliver('s', 'a@e/1 b@e/2').lose().publish('c').deliver('s', 'c@f/3'),
    ],
    [
      'where a rebuilt stream begins again for one that had nothing',
      new Story().subscribe('s', 'e/0').lose().publish('a').deliver('s', 'a@f/1'),
    ],
    [
      'where one that came during a rebuild gets nothing old',
      new Story().publish('a').publish('b').lose().subscribe('s', 'f/0').publish('c').deliver('s', 'c@f/3'),
    ],
    [
      'where one is told that it lost something, after a loss',
      two().deliver('s', 'a@e/1').lose().subscribe('s', 'f/2', 'lost').publish('c').deliver('s', 'c@f/3'),
    ],
    [
      'where one was away for longer than history is',
      two().subscribe('s', 'e/2', 'lost').publish('c').deliver('s', 'c@e/3'),
    ],
    [
      'where the end of what one had comes again from a stream that is mended',
      two().deliver('s', 'a@e/1 b@e/2').lose().subscribe('s', 'e/1', 'lost').deliver('s', 'b@e/2'),
    ],
    ['where the observer cannot tell the epoch', two().deliver('s', 'a@?/1 b@?/2')],
  ] as [string, Story][]) {
    it(what, () => {
      assert.deepEqual(story.kinds(2), []);
    });
  }

  it('and needs no excuse for what it says was lost', () => {
    const away = two().subscribe('s', 'e/2', 'lost').publish('c').deliver('s', 'c@e/3');
    assert.deepEqual(away.kinds(2), []);
    assert.deepEqual(away.kinds(3), ['needless']);
    const lost = two().deliver('s', 'a@e/1').lose().subscribe('s', 'f/2', 'lost');
    assert.deepEqual(lost.kinds(), []);
  });
});

describe('a history of deliveries is wrong', () => {
  for (const [what, kinds, story] of [
    ['an acknowledged publication is missing at the end', ['lost'], two().deliver('s', 'a@e/1')],
    [
      'an acknowledged publication is missing in the middle',
      ['gap', 'lost'],
      two().publish('c').deliver('s', 'a@e/1 c@e/3'),
    ],
    [
      'what others know to be in the stream is missing',
      ['gap'],
      two()
        .publish('x', 'none')
        .publish('c')
        .subscribe('t', 'e/0')
        .deliver('t', 'a@e/1 b@e/2 x@e/3 c@e/4')
        .deliver('s', 'a@e/1 b@e/2 c@e/4'),
    ],
    [
      'what was under way when one came stands after its position and is missing',
      ['lost'],
      new Story()
        .subscribe('t', 'e/0')
        .begin('a')
        .subscribe('s', 'e/0')
        .acknowledge('a')
        .deliver('t', 'a@e/1'),
    ],
    [
      'an acknowledged publication is nowhere',
      ['lost', 'vanished'],
      two().deliver('s', 'a@e/1').store('a@e/1'),
    ],
    [
      'an acknowledged publication is nowhere, and nobody was there',
      ['vanished'],
      new Story().publish('a').publish('b').store('a@e/1'),
    ],
    [
      'a publication comes twice at one place',
      ['doubled', 'reordered'],
      two().deliver('s', 'a@e/1 a@e/1 b@e/2'),
    ],
    [
      'a publication comes twice at two places',
      ['doubled', 'reordered'],
      two().deliver('s', 'a@e/1 b@e/2 a@e/3'),
    ],
    [
      'a publication comes again in a rebuilt stream',
      ['doubled'],
      two().deliver('s', 'a@e/1 b@e/2').lose().deliver('s', 'b@f/2'),
    ],
    [
      'a stream has a publication twice',
      ['doubled', 'reordered'],
      two().store('a@e/1 b@e/2 a@e/3').leave('s'),
    ],
    [
      'a publication comes again after the subscriber was told a position before it',
      ['doubled'],
      two().deliver('s', 'a@e/1 b@e/2').subscribe('s', 'e/1').deliver('s', 'b@e/2'),
    ],
    [
      'two see another order',
      ['inconsistent', 'reordered'],
      new Story()
        .subscribe('s', 'e/0')
        .subscribe('t', 'e/0')
        .begin('a')
        .begin('b')
        .acknowledge('a')
        .acknowledge('b')
        .deliver('s', 'a@e/1 b@e/2')
        .deliver('t', 'b@e/1 a@e/2'),
    ],
    [
      'two see another order, in two streams',
      ['reordered'],
      new Story()
        .subscribe('s', 'e/0')
        .subscribe('t', 'e/0')
        .begin('a')
        .begin('b')
        .acknowledge('a')
        .acknowledge('b')
        .lose()
        .deliver('s', 'a@e/1 b@e/2')
        .deliver('t', 'b@f/1 a@f/2'),
    ],
    [
      'what was acknowledged comes after what was begun later',
      ['reordered'],
      two().deliver('s', 'b@e/1 a@e/2'),
    ],
    ['offsets go back', ['gap', 'reordered'], two().deliver('s', 'a@e/2 b@e/1')],
    ['nobody published it', ['invented'], two().deliver('s', 'a@e/1 b@e/2 x@e/3')],
    [
      'it was published into another channel',
      ['invented'],
      two().publish('x', 'acknowledged', 'd').deliver('s', 'a@e/1 b@e/2 x@e/3'),
    ],
    [
      'it came before it was published',
      ['invented'],
      new Story().subscribe('s', 'e/0').deliver('s', 'a@e/1').publish('a', 'unknown'),
    ],
    ['it came to one that was not subscribed', ['invented'], new Story().publish('a').deliver('s', 'a@e/1')],
    [
      'it was refused and comes',
      ['refused'],
      two().publish('x', 'refused').deliver('s', 'a@e/1 b@e/2 x@e/3'),
    ],
    [
      'one recovers with a hole',
      ['hole', 'lost'],
      two().publish('c').deliver('s', 'a@e/1').subscribe('s', 'e/1', 'recovered').deliver('s', 'c@e/3'),
    ],
    [
      'one recovers in another stream',
      ['epoch', 'lost'],
      two().deliver('s', 'a@e/1').lose().subscribe('s', 'f/1', 'recovered'),
    ],
    [
      'the stream is another one without a cause',
      ['epoch', 'gap'],
      two().deliver('s', 'a@e/1 b@e/2').publish('c').deliver('s', 'c@f/3'),
    ],
    [
      'the stream is another one long after a loss was mended',
      ['epoch', 'hole'],
      two()
        .deliver('s', 'a@e/1 b@e/2')
        .lose()
        .wait()
        .subscribe('s', 'e/2', 'recovered')
        .publish('c')
        .deliver('s', 'c@f/3'),
    ],
    [
      'a new stream goes on without what one had not',
      ['gap', 'lost'],
      two()
        .subscribe('t', 'e/0')
        .deliver('s', 'a@e/1')
        .lose()
        .deliver('t', 'a@f/1 b@f/2')
        .publish('c')
        .deliver('s', 'c@f/3')
        .deliver('t', 'c@f/3'),
    ],
    [
      'one is told that it lost something without a cause',
      ['needless'],
      two().deliver('s', 'a@e/1').subscribe('s', 'e/2', 'lost'),
    ],
    [
      'one place is two publications',
      ['inconsistent'],
      new Story().subscribe('s', 'e/0').begin('a').begin('b').deliver('s', 'a@e/1').store('b@e/1'),
    ],
  ] as [string, string[], Story][]) {
    it(`where ${what}`, () => {
      assert.deepEqual(story.kinds(), kinds);
    });
  }

  it('is said in a line for each, and not in too many', () => {
    const violations = check(two().history.events);
    assert.match(
      describeViolations(violations),
      /^lost · c · s · a · not delivered; it has up to e\/0\nlost · /,
    );
    assert.match(describeViolations(violations, 1), /^lost[^\n]*\n… and 1 more$/);
  });

  it('whatever single fault is put into a right one', () => {
    const fault = fc.constantFrom('drop', 'double', 'swap', 'forge', 'shift');
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 30 }), fault, fc.nat(), (length, what, where) => {
        const story = new Story().subscribe('s', 'e/0');
        const ids = Array.from({ length }, (_, index) => `m${index}`);
        for (const id of ids) story.publish(id);
        const right = ids.map((id, index) => ({ id, offset: index + 1 }));
        const at = where % (length - 1);
        const [here, next] = [right[at], right[at + 1]];
        assert.ok(here && next);
        if (what === 'drop') right.splice(at, 1);
        else if (what === 'double') right.splice(at, 0, { ...here });
        else if (what === 'swap') [here.id, next.id] = [next.id, here.id];
        else if (what === 'forge') here.id = 'forged';
        else for (const one of right.slice(at)) one.offset += 1;
        if (right.length > 0)
          story.deliver('s', right.map(({ id, offset }) => `${id}@e/${offset}`).join(' '));
        assert.notDeepEqual(story.kinds(), [], what);
      }),
    );
  });
});

describe('a history', () => {
  it('is refused where an id is used twice, or answered without being published', () => {
    assert.throws(() => new Story().publish('a').publish('a').kinds(), /two publications are named a/);
    assert.throws(() => new Story().acknowledge('a').kinds(), /a was answered and never published/);
  });
});
