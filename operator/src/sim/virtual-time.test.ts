import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Random } from './random.ts';
import { SimProcess } from './sim-process.ts';
import { VirtualTime } from './virtual-time.ts';

function processAt(time: VirtualTime): SimProcess {
  return new SimProcess('a', time, new Random(1));
}

describe('virtual time', () => {
  it('passes in no time, and in order', async () => {
    const time = new VirtualTime(0);
    const seen: string[] = [];
    time.after(2_000, () => seen.push(`b at ${time.now}`));
    time.after(1_000, () => seen.push(`a at ${time.now}`));
    time.after(2_000, () => seen.push(`c at ${time.now}`));
    time.after(500, () => seen.push('never')).cancel();
    assert.equal(await time.run(() => seen.length === 3, 3_600_000), true);
    assert.deepEqual(seen, ['a at 1000', 'b at 2000', 'c at 2000']);
  });

  it('stops at its limit when what is waited for does not come', async () => {
    const time = new VirtualTime(0);
    time.after(10_000, () => assert.fail('it is not time yet'));
    assert.equal(await time.run(() => false, 5_000), false);
    assert.equal(time.now, 5_000);
  });

  it('waits until all that needs no time is done', async () => {
    const time = new VirtualTime(0);
    let steps = 0;
    time.after(1, () => {
      void (async () => {
        for (let n = 0; n < 50; n += 1) {
          await Promise.resolve();
          steps += 1;
        }
      })();
    });
    time.after(2, () => assert.equal(steps, 50));
    await time.run(() => time.now === 2, 10);
    assert.equal(steps, 50);
  });
});

describe('a process', () => {
  it('that was killed does nothing more', async () => {
    const time = new VirtualTime(0);
    const victim = processAt(time);
    let woke = false;
    void victim.clock.sleep(100).then(() => (woke = true));
    victim.kill();
    await time.run(() => false, 1_000);
    assert.equal(woke, false);
  });

  it('that stands still gets all that reached it meanwhile, in order', async () => {
    const time = new VirtualTime(0);
    const held = processAt(time);
    const seen: string[] = [];
    held.hold(1_000);
    time.after(10, () => held.deliver(() => seen.push(`a at ${time.now}`)));
    time.after(500, () => held.hold(1_000));
    time.after(900, () => held.deliver(() => seen.push(`b at ${time.now}`)));
    await time.run(() => false, 5_000);
    assert.deepEqual(seen, ['a at 1500', 'b at 1500']);
  });

  it('wakes a sleeper whose signal aborts', async () => {
    const time = new VirtualTime(0);
    const stop = new AbortController();
    const sleep = processAt(time).clock.sleep(60_000, stop.signal);
    stop.abort(new Error('enough'));
    await assert.rejects(sleep, /enough/);
  });
});
