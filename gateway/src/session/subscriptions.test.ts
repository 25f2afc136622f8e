import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { ChannelOptions } from '@causeway/crds';
import type { Identity, SubscriptionGrant } from '../auth/index.ts';
import { Topics } from '../channels/index.ts';
import type { Receiver } from '../channels/index.ts';
import { JSON_CODEC, PerCodec } from '../protocol/index.ts';
import type { Disconnect } from '../protocol/index.ts';
import { Ahead, Session } from './index.ts';
import type { SessionServices } from './index.ts';

const ANN: Identity = {
  user: 'ann',
  tier: undefined,
  tenant: undefined,
  info: undefined,
  expiresAt: undefined,
  capabilities: undefined,
  subscriptions: undefined,
  sync: undefined,
};
const GRANT: SubscriptionGrant = {
  user: 'ann',
  channel: 'news:a',
  info: undefined,
  expiresAt: undefined,
  allow: new Set(),
};
const channels = (change: Partial<ChannelOptions>): ChannelOptions => ({
  subscribe: 'Authenticated',
  publish: 'Authenticated',
  history: { size: 10, seconds: 60 },
  recovery: true,
  presence: true,
  joinLeave: false,
  ...change,
});

/** One session, and all that it does. Nothing of it takes time but what a test holds back. */
class World {
  identity = ANN;
  grant: () => Promise<SubscriptionGrant> = async () => GRANT;
  redisAway = false;
  unixNow = 1_000_000_000;
  readonly subscribed = new Map<string, Receiver<PerCodec<string>>>();
  readonly shown: string[] = [];
  readonly lines: Record<string, unknown>[] = [];
  closed: Disconnect | undefined;
  readonly session = new Session<string>(
    this.#services(),
    {
      send: (message) => void this.lines.push(JSON.parse(String(message)) as Record<string, unknown>),
      known: () => undefined,
      sendFrame: () => undefined,
      close: (why) => (this.closed = why),
    },
    JSON_CODEC,
  );

  async send(...commands: object[]): Promise<void> {
    this.session.receive(Buffer.from(commands.map((one) => JSON.stringify(one)).join('\n')), false);
    await turn();
  }

  /** What the reply to a command is: its error's code, or ok. */
  answer(id: number): unknown {
    const reply = this.lines.find((line) => line['id'] === id);
    return reply && ((reply['error'] as { code: number } | undefined)?.code ?? 'ok');
  }

  get pushes(): unknown[] {
    return this.lines.flatMap((line) => (line['push'] === undefined ? [] : [line['push']]));
  }

  #services(): SessionServices<string> {
    const topics = [
      { name: 'chat', topic: 'p.chat', channels: channels({}) },
      { name: 'news', topic: 'p.news', channels: channels({ subscribe: 'Granted' }) },
    ];
    const unused = (): never => assert.fail('not part of these tests');
    return {
      verifier: { verify: async () => this.identity, verifySubscription: () => this.grant() },
      hub: {
        subscribe: async (channel, receiver) => {
          if (this.redisAway) throw new Error('away');
          this.subscribed.set(channel, receiver);
          await turn();
          if (this.subscribed.get(channel) !== receiver) return undefined;
          const snapshot = { epoch: 'e', offset: 0, kafka: undefined, entries: [] };
          return { snapshot, activate: () => undefined };
        },
        unsubscribe: (channel) => void this.subscribed.delete(channel),
      },
      streams: { read: unused },
      ahead: new Ahead(),
      presence: {
        join: (channel) => void this.shown.push(`+${channel}`),
        leave: (channel) => void this.shown.push(`-${channel}`),
        list: unused,
        stats: unused,
      },
      log: { append: unused, pending: 0 },
      limits: { allow: () => true },
      topics: new Topics(topics),
      methods: { has: () => false, call: unused },
      heartbeat: { intervalMs: 1_000_000, timeoutMs: 1_000_000 },
      pingFrame: new PerCodec(() => ''),
      version: 'test',
      events: {
        connected: () => undefined,
        disconnected: () => undefined,
        refused: () => undefined,
        failed: () => undefined,
        published: () => undefined,
        broken: (_, error) => assert.fail(error as Error),
      },
      now: () => 0,
      unixNow: () => this.unixNow * 1000,
    };
  }
}

const CONNECT = { id: 1, connect: { token: 't' } };
const subscribe = (id: number, channel: string, token = ''): object => ({
  id,
  subscribe: { channel, token },
});

describe('the subscriptions of a connection', () => {
  it('that its token makes are answered with the connection, or refuse it whole', async () => {
    const world = new World();
    const wish = { info: undefined, data: { a: 1 }, joinLeave: false };
    world.identity = { ...ANN, subscriptions: new Map([['news:a', wish]]) };
    world.redisAway = true;
    await world.send(CONNECT);
    await turn();
    assert.equal(world.answer(1), 108);
    world.redisAway = false;
    await world.send({ ...CONNECT, id: 2 });
    await turn();
    const reply = world.lines.at(-1) as { connect: { subs: unknown } };
    assert.deepEqual(reply.connect.subs, {
      'news:a': { recoverable: true, positioned: true, epoch: 'e', offset: 0, data: { a: 1 } },
    });
    assert.deepEqual(world.shown, ['+news:a']);
    world.subscribed.get('news:a')?.dropped('news:a', { code: 2500, reason: '' });
    assert.equal(world.closed?.code, 3010, 'only a new connection brings it back');
    assert.deepEqual(world.shown, ['+news:a', '-news:a']);
  });

  it('leave nothing when it ends while they come about', async () => {
    const world = new World();
    world.identity = { ...ANN, subscriptions: new Map([['news:a', { info: 1, data: 1, joinLeave: true }]]) };
    await world.send(CONNECT);
    world.session.ended();
    await turn();
    await turn();
    assert.equal(world.subscribed.size, 0);
    assert.deepEqual(world.lines, []);
    assert.deepEqual(world.shown, []);
  });

  it('can be taken back while their token is checked', async () => {
    const world = new World();
    await world.send(CONNECT);
    let check: (grant: SubscriptionGrant) => void = () => undefined;
    world.grant = () => new Promise((resolve) => (check = resolve));
    await world.send(subscribe(2, 'news:a', 's'), { id: 3, unsubscribe: { channel: 'news:a' } });
    check(GRANT);
    await turn();
    assert.equal(world.answer(2), 107);
    assert.equal(world.subscribed.size, 0);
    world.grant = async () => GRANT;
    await world.send(subscribe(4, 'news:a', 's'));
    await turn();
    assert.equal(world.answer(4), 'ok');
    assert.deepEqual(world.shown, ['+news:a']);
  });

  it('need a token for this user and channel that is not over', async () => {
    const world = new World();
    await world.send(CONNECT);
    const grants: [Partial<SubscriptionGrant>, unknown][] = [
      [{ user: 'bob' }, 103],
      [{ channel: 'news:b' }, 103],
      [{ expiresAt: world.unixNow - 1 }, 109],
      [{ expiresAt: world.unixNow + 60 }, 'ok'],
    ];
    for (const [index, [change, expected]] of grants.entries()) {
      world.grant = async () => ({ ...GRANT, ...change });
      await world.send(subscribe(index + 2, 'news:a', 's'));
      await turn();
      assert.equal(world.answer(index + 2), expected, JSON.stringify(change));
    }
    assert.deepEqual((world.lines.at(-1) as { subscribe: object }).subscribe, {
      recoverable: true,
      positioned: true,
      epoch: 'e',
      offset: 0,
      expires: true,
      ttl: 60,
    });
  });

  it('that end before they are answered are to be tried again, and no push says more', async () => {
    const world = new World();
    await world.send(CONNECT);
    world.session.receive(Buffer.from(JSON.stringify(subscribe(2, 'chat:a'))), false);
    world.subscribed.delete('chat:a');
    world.session.dropped('chat:a', { code: 2500, reason: 'insufficient state' });
    await turn();
    await turn();
    assert.deepEqual(world.lines.at(-1), {
      id: 2,
      error: { code: 108, message: 'not available', temporary: true },
    });
    assert.deepEqual(world.pushes, []);
    assert.deepEqual(world.shown, []);
    await world.send(subscribe(3, 'chat:a'));
    await turn();
    assert.equal(world.answer(3), 'ok');
  });

  it('are to be tried again where the stream is not yet where the client was, and else are not', async () => {
    const world = new World();
    await world.send(CONNECT);
    const from = (offset: number, epoch: string): object => ({
      channel: 'chat:a',
      recover: true,
      epoch,
      offset,
    });
    await world.send({ id: 2, subscribe: from(5, 'e') });
    await turn();
    assert.deepEqual(world.lines.at(-1), {
      id: 2,
      error: { code: 108, message: 'not available', temporary: true },
    });
    assert.equal(world.subscribed.size, 0);
    await world.send({ id: 3, subscribe: from(5, 'another') });
    await turn();
    assert.equal(world.answer(3), 'ok');
  });

  it('end 10 seconds after they expire, each in its time, unless they are renewed', async () => {
    const world = new World();
    await world.send(CONNECT);
    const begin = world.unixNow;
    for (const [index, channel] of ['news:a', 'news:b', 'news:c'].entries()) {
      world.grant = async () => ({ ...GRANT, channel, expiresAt: begin + 10 * (index + 1) });
      await world.send(subscribe(index + 2, channel, 's'));
      await turn();
    }
    world.grant = async () => ({ ...GRANT, channel: 'news:b', expiresAt: begin + 1_000 });
    await world.send({ id: 5, sub_refresh: { channel: 'news:b', token: 's' } });
    assert.equal(world.answer(5), 'ok');
    const left = (after: number): string[] => {
      world.session.tick(0, (begin + after) * 1000);
      return [...world.subscribed.keys()];
    };
    assert.deepEqual(left(20), ['news:a', 'news:b', 'news:c']);
    assert.deepEqual(left(20.1), ['news:b', 'news:c']);
    assert.deepEqual(left(40), ['news:b', 'news:c']);
    assert.deepEqual(left(40.1), ['news:b']);
    assert.deepEqual(left(1_010), ['news:b']);
    assert.deepEqual(left(1_010.1), []);
    assert.deepEqual(
      world.pushes,
      ['news:a', 'news:c', 'news:b'].map((channel) => ({
        channel,
        unsubscribe: { code: 2501, reason: 'subscription expired' },
      })),
    );
  });

  it('end when a renewed connection token no longer allows them, but for those that have their own', async () => {
    const world = new World();
    const allow = new Set(['sub'] as const);
    world.identity = {
      ...ANN,
      capabilities: [{ channels: ['news:b'], match: 'exact', allow }],
      subscriptions: new Map([['news:c', { info: undefined, data: undefined, joinLeave: false }]]),
    };
    await world.send(CONNECT);
    await turn();
    await world.send(subscribe(2, 'news:a', 's'), subscribe(3, 'news:b'), subscribe(4, 'chat:a'));
    await turn();
    assert.equal(world.subscribed.size, 4);
    world.identity = ANN;
    await world.send({ id: 5, refresh: { token: 't' } });
    assert.deepEqual([...world.subscribed.keys()].sort(), ['chat:a', 'news:a', 'news:c']);
    assert.deepEqual(world.pushes, [
      { channel: 'news:b', unsubscribe: { code: 2000, reason: 'server unsubscribe' } },
    ]);
  });
});
