import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { Drain } from './drain.ts';
import type { Log } from '../log/index.ts';

interface Client {
  name: number;
}

/** A gateway whose clients go when they are told to, or a while later. */
class FakeHost {
  readonly here = new Set<Client>();
  /** In the order in which they were told. */
  readonly told: number[] = [];
  /** What `close` was called with. */
  readonly closed: boolean[] = [];
  reachable = true;
  /** Those who are told stay until {@link leave}. */
  slow = false;
  readonly #leaving = new Set<Client>();

  get connections(): number {
    return this.here.size;
  }

  come(count: number): void {
    for (let i = 0; i < count; i++) this.here.add({ name: this.here.size + this.told.length });
  }

  clients(): Client[] {
    return [...this.here];
  }

  sendAway(client: Client): boolean {
    if (!this.here.has(client)) return false;
    this.told.push(client.name);
    if (this.slow) this.#leaving.add(client);
    else this.here.delete(client);
    return true;
  }

  leave(): void {
    for (const client of this.#leaving) this.here.delete(client);
  }

  close(last: boolean): void {
    this.closed.push(last);
  }
}

describe('a drain', () => {
  const ends: (() => void)[] = [];
  afterEach(() => ends.splice(0).forEach((end) => end()));

  const make = ({ clients = 0 }: { clients?: number } = {}) => {
    const host = new FakeHost();
    host.come(clients);
    const clock = { now: 1_000 };
    const lines: string[] = [];
    const log = { info: (line: string) => void lines.push(line) } as unknown as Log;
    const drain = new Drain({
      host,
      noticeMs: 2_000,
      log,
      now: () => clock.now,
      unixNow: () => clock.now + 1_000_000,
      random: Math.random,
    });
    ends.push(() => drain.ask(undefined));
    /** Time passes, in the steps of the timer. */
    const pass = (ms: number): void => {
      for (let step = 0; step < ms; step += 20) {
        clock.now += 20;
        drain.tick();
      }
    };
    return { host, drain, pass, lines };
  };

  it('is not ready first, gives notice, and then sends clients away at its rate', () => {
    const { host, drain, pass } = make({ clients: 100 });
    assert.deepEqual(drain.state, { phase: 'Serving', connections: 100, sent: 0 });
    assert.equal(drain.reason, undefined);
    drain.ask(50);
    assert.match(drain.reason ?? '', /asked/);
    assert.equal(drain.closed, false, 'load balancers still send us clients');
    pass(1_000);
    host.come(1);
    assert.equal(drain.state.phase, 'Noticing');
    assert.deepEqual(host.told, []);
    pass(1_000);
    assert.equal(drain.closed, true);
    assert.deepEqual(host.closed, [false]);
    pass(1_000);
    assert.ok(host.told.length >= 48 && host.told.length <= 52, String(host.told.length));
    const { phase, sent, atStart, connections, perSecond, endedAt } = drain.state;
    assert.deepEqual([phase, atStart, perSecond, endedAt], ['Draining', 100, 50, undefined]);
    assert.equal(sent + connections, 101);
    pass(1_200);
    assert.equal(drain.state.phase, 'Drained');
    assert.equal(host.connections, 0);
    assert.notDeepEqual(
      host.told,
      [...host.told].sort((a, b) => a - b),
      'not in the order in which they came',
    );
    assert.equal(drain.state.startedAt, new Date(1_001_000).toISOString());
    const seconds = (Date.parse(drain.state.endedAt ?? '') - Date.parse(drain.state.startedAt ?? '')) / 1000;
    assert.ok(seconds > 3.9 && seconds < 4.3, String(seconds));
  });

  it('is over only when those who were told have gone', () => {
    const { host, drain, pass } = make({ clients: 10 });
    host.slow = true;
    drain.ask(1_000);
    pass(2_500);
    assert.equal(host.told.length, 10, 'nobody is told twice');
    assert.equal(drain.state.phase, 'Draining');
    host.leave();
    pass(20);
    assert.equal(drain.state.phase, 'Drained');
  });

  it('reaches those who slipped in late, and counts those who were turned away', () => {
    const { host, drain, pass } = make({ clients: 2 });
    host.slow = true;
    drain.ask(1_000);
    pass(2_100);
    host.come(1);
    pass(100);
    drain.turnedAway();
    assert.equal(host.told.length, 3);
    assert.equal(drain.state.sent, 4);
  });

  it('takes nobody’s turn for one who went by itself', () => {
    const { host, drain, pass } = make({ clients: 100 });
    drain.ask(10);
    pass(2_020);
    for (const client of [...host.here].slice(0, 80)) host.here.delete(client);
    const before = host.told.length;
    pass(1_000);
    assert.ok(host.told.length - before >= 9, String(host.told.length - before));
  });

  it('goes on at another rate in the middle', () => {
    const { host, drain, pass } = make({ clients: 1_000 });
    drain.ask(10);
    pass(3_000);
    const slow = host.told.length;
    assert.ok(slow >= 9 && slow <= 11, String(slow));
    drain.ask(500);
    pass(1_000);
    const fast = host.told.length - slow;
    assert.ok(fast >= 498 && fast <= 502, String(fast));
    assert.equal(drain.state.perSecond, 500);
    assert.equal(drain.state.sent, slow + fast, 'it is the same drain');
    drain.ask(0.1);
    pass(5_000);
    assert.ok(host.told.length - slow - fast <= 2);
  });

  it('that is taken back serves again, and begins anew when it is asked for again', () => {
    const { host, drain, pass } = make({ clients: 100 });
    drain.ask(10);
    pass(3_000);
    drain.ask(undefined);
    assert.deepEqual(drain.state, { phase: 'Serving', connections: 100 - host.told.length, sent: 0 });
    assert.deepEqual([drain.reason, drain.closed], [undefined, false]);
    const told = host.told.length;
    pass(5_000);
    assert.equal(host.told.length, told);
    drain.ask(10);
    assert.deepEqual([drain.state.phase, drain.state.atStart], ['Noticing', 100 - told]);
  });

  it('lets nobody in from the beginning where nobody could come yet', () => {
    const { host, drain } = make();
    host.reachable = false;
    drain.ask(10);
    assert.deepEqual([drain.closed, drain.state.phase], [true, 'Drained']);
    assert.ok(drain.reason);
  });

  it('of a gateway that ends keeps its time, whatever was asked for', async () => {
    const { host, drain, pass } = make({ clients: 1_000 });
    drain.ask(1);
    pass(3_000);
    const ended = drain.leave({ perSecond: 10, noticeMs: 1_000, timeoutMs: 2_000 });
    assert.deepEqual(host.closed, [false, true], 'at once: notice was given');
    drain.ask(undefined);
    assert.equal(drain.last, true);
    pass(1_000);
    assert.ok(host.told.length > 450 && host.told.length < 550, String(host.told.length));
    pass(1_100);
    assert.equal(host.told.length, 1_000);
    await ended;
    assert.equal(drain.state.phase, 'Drained');
  });

  it('of a gateway that ends gives notice too, and does not wait for those who were told', async () => {
    const { host, drain, pass } = make({ clients: 10 });
    host.slow = true;
    drain.ask(1_000);
    const ended = drain.leave({ perSecond: 1_000, noticeMs: 1_000, timeoutMs: 2_000 });
    assert.match(drain.reason ?? '', /ends/);
    pass(980);
    assert.deepEqual([host.told.length, drain.closed], [0, false]);
    pass(200);
    assert.equal(host.told.length, 10);
    await ended;
  });

  it('of a gateway that ends is over at once where nobody is left', async () => {
    const { host, drain, pass } = make({ clients: 3 });
    drain.ask(1_000);
    pass(2_500);
    assert.equal(drain.state.phase, 'Drained');
    await drain.leave({ perSecond: 1, noticeMs: 1_000, timeoutMs: 2_000 });
    assert.deepEqual(host.closed, [false, true]);
  });

  it('says how far it is every few seconds', () => {
    const { drain, pass, lines } = make({ clients: 100 });
    drain.ask(10);
    pass(12_300);
    assert.deepEqual(lines, ['drain asked for', 'draining', 'draining', 'drained']);
  });
});
