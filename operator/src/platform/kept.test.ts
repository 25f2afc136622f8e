import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { Kept, type Link } from './kept.ts';

class TestLink implements Link {
  isOpen = true;
  close(): void {
    this.isOpen = false;
  }
}

describe('a kept connection', () => {
  const made: TestLink[] = [];
  const open = (): TestLink => {
    const link = new TestLink();
    made.push(link);
    return link;
  };

  it('is used again, also by several at once, and each place has its own', async () => {
    const kept = new Kept<TestLink>();
    const links = await Promise.all([
      kept.use('a', open, async (link) => link),
      kept.use('a', open, async (link) => link),
      kept.use('b', open, async (link) => link),
    ]);
    assert.equal(links[0], links[1]);
    assert.notEqual(links[0], links[2]);
    assert.equal(await kept.use('a', open, async (link) => link), links[0]);
  });

  it('is closed and not used again once something failed, or once it broke', async () => {
    const kept = new Kept<TestLink>();
    const first = await kept.use('a', open, async (link) => link);
    await assert.rejects(
      kept.use('a', open, () => Promise.reject(new Error('no answer'))),
      /no answer/,
    );
    assert.equal(first.isOpen, false);
    const second = await kept.use('a', open, async (link) => link);
    assert.notEqual(second, first);
    second.close();
    assert.notEqual(await kept.use('a', open, async (link) => link), second);
  });

  it('is closed once', async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      let closed = 0;
      const counted = (): Link => ({ isOpen: true, close: () => void (closed += 1) });
      const failed = new Kept<Link>().use('a', counted, () => Promise.reject(new Error('no answer')));
      await assert.rejects(failed, /no answer/);
      mock.timers.tick(60_000);
      assert.equal(closed, 1);
    } finally {
      mock.timers.reset();
    }
  });

  it('does not take the one that came after it along when it fails late', async () => {
    const kept = new Kept<TestLink>();
    const late = Promise.withResolvers<never>();
    const slow = kept.use('a', open, () => late.promise);
    await assert.rejects(kept.use('a', open, () => Promise.reject(new Error('broken'))));
    const next = await kept.use('a', open, async (link) => link);
    late.reject(new Error('late'));
    await assert.rejects(slow, /late/);
    assert.equal(next.isOpen, true);
    assert.equal(await kept.use('a', open, async (link) => link), next);
  });

  it('is closed when nobody uses it for a while, and not under anybody’s hands', async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      const kept = new Kept<TestLink>();
      const busy = Promise.withResolvers<TestLink>();
      let used: TestLink | undefined;
      const work = kept.use('a', open, (link) => {
        used = link;
        return busy.promise;
      });
      mock.timers.tick(60_000);
      assert.equal(used?.isOpen, true);
      busy.resolve(used);
      await work;
      mock.timers.tick(2_900);
      assert.equal(used.isOpen, true);
      mock.timers.tick(200);
      assert.equal(used.isOpen, false);
    } finally {
      mock.timers.reset();
    }
  });
});
