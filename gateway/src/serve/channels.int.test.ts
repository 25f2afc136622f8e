import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { SubscriptionState } from 'centrifuge';
import type { Centrifuge, Subscription, SubscriptionOptions } from 'centrifuge';
import { createClient } from 'redis';
import type { ChannelOptions, GatewayConfig } from '@causeway/crds';
import { waitFor } from '../../../e2e/tools/index.ts';
import {
  buildBundle,
  connected,
  listen,
  publish,
  rawClient,
  RUNTIMES,
  sdk,
  startBackends,
  startGateway,
  token,
} from '../testing/index.ts';
import type { Backends, GatewayProcess, Platform } from '../testing/index.ts';

const EACH = { timeout: 90_000 };
const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;
const code = (expected: number) => (error: { code: number }) => {
  assert.equal(error.code, expected);
  return true;
};
const usersOf = async (client: Centrifuge, channel: string): Promise<string[]> =>
  Object.values((await client.presence(channel)).clients)
    .map(({ user }) => user)
    .sort();

for (const runtime of RUNTIMES) {
  describe(`channels of gateways on ${runtime}`, { timeout: 900_000 }, () => {
    let backends: Backends;
    let platform: Platform;
    const running: GatewayProcess[] = [];
    const clients: Centrifuge[] = [];

    before(async () => {
      [backends] = await Promise.all([startBackends(), buildBundle()]);
    });
    after(() => backends.stop());
    afterEach(async () => {
      for (const client of clients.splice(0)) client.disconnect();
      await Promise.all(running.splice(0).map((gateway) => gateway.stop()));
    });

    /** Topic chat has presence, join and leave; topic news is only for those whose token says so. */
    const start = async (
      news: Partial<ChannelOptions> = {},
      config?: (config: GatewayConfig) => void,
    ): Promise<GatewayProcess> => {
      if (running.length === 0) platform = await backends.platform();
      const gateway = await startGateway({
        runtime,
        platform,
        config: (all) => {
          for (const topic of all.kafka.topics) {
            if (topic.name === 'chat') Object.assign(topic.channels, { presence: true, joinLeave: true });
            else
              Object.assign(topic.channels, {
                subscribe: 'Granted',
                publish: 'Granted',
                presence: true,
                ...news,
              });
          }
          config?.(all);
        },
      });
      running.push(gateway);
      return gateway;
    };
    const made = async (
      gateways: GatewayProcess[],
      user: string,
      claims: Record<string, unknown> = {},
      options: Parameters<typeof sdk>[2] = {},
    ): Promise<Centrifuge> => {
      const client = await sdk(platform, gateways, { user, claims, ...options });
      clients.push(client);
      return client;
    };
    const client = async (...how: Parameters<typeof made>): Promise<Centrifuge> =>
      connected(await made(...how));
    /** Resolves with the code with which it ended, or with undefined when it is subscribed. */
    const subscribe = (
      to: Centrifuge,
      channel: string,
      options: Partial<SubscriptionOptions> = {},
    ): Promise<{ ended: number | undefined; subscription: Subscription }> => {
      const subscription = to.newSubscription(channel, options);
      return new Promise((resolve) => {
        subscription.once('subscribed', () => resolve({ ended: undefined, subscription }));
        subscription.once('unsubscribed', ({ code: ended }) => resolve({ ended, subscription }));
        subscription.subscribe();
      });
    };

    it(
      'subscribe those whose token says so, and recover what they missed when a gateway is killed',
      EACH,
      async () => {
        const [first, second] = [await start(), await start()];
        const subs = { 'chat:a': { data: { welcome: 1 }, info: { role: 'host' } }, 'news:a': {} };
        const ann = await made([first, second], 'ann', { subs });
        const got: string[] = [];
        const subscribed: { channel: string; recovered: boolean; data?: unknown }[] = [];
        ann.on('publication', ({ channel, data }) => got.push(`${channel} ${String(data)}`));
        ann.on('subscribed', (context) => subscribed.push(context));
        await connected(ann);
        assert.deepEqual(
          subscribed.map(({ channel, data }) => [channel, data]),
          [
            ['chat:a', { welcome: 1 }],
            ['news:a', undefined],
          ],
        );
        const bob = await client([second], 'bob', { caps: [{ channels: ['news:a'], allow: ['pub'] }] });
        await publish(bob, 'chat:a', 1);
        await waitFor('the first one', () => got.length === 1);
        const shown = Object.values((await bob.presence('chat:a')).clients);
        assert.deepEqual([shown[0]?.user, shown[0]?.chanInfo], ['ann', { role: 'host' }]);
        first.signal('SIGKILL');
        await first.exited;
        for (const n of [2, 3]) await publish(bob, 'chat:a', n);
        await publish(bob, 'news:a', 4);
        await ann.ready(20_000);
        await waitFor('what was missed', () => got.length === 4, { timeoutMs: 20_000 });
        assert.deepEqual(got.slice(1).sort(), ['chat:a 2', 'chat:a 3', 'news:a 4']);
        assert.deepEqual(
          subscribed.slice(-2).map(({ recovered }) => recovered),
          [true, true],
        );
        await assert.rejects(bob.presence('news:a'), code(103));
      },
    );

    it('refuse a connection whose token subscribes it to what is not there', EACH, async () => {
      const gateway = await start();
      const ann = await made([gateway], 'ann', { channels: ['chat:a', 'other:a'] });
      const ended = new Promise<{ code: number }>((resolve) => ann.on('disconnected', resolve));
      ann.connect();
      assert.equal((await ended).code, 102);
      await waitFor('nothing left', async () => (await gateway.metric('causeway_gateway_channels')) === 0);
    });

    it(
      'show who is subscribed at all gateways, and no longer those of one that was killed',
      EACH,
      async () => {
        const [first, second] = [await start(), await start()];
        const raw = await rawClient(platform, first);
        raw.send(
          { id: 1, connect: { token: await token('cleo') } },
          { id: 2, subscribe: { channel: 'chat:a' } },
        );
        await waitFor('subscribed', () => raw.lines.length === 2);
        const ann = await client([first], 'ann', { info: { name: 'Ann' } });
        const bob = await client([second], 'bob');
        const again = await client([second], 'bob');
        for (const one of [ann, bob, again]) await listen(one, 'chat:a');
        assert.deepEqual(await usersOf(ann, 'chat:a'), ['ann', 'bob', 'bob', 'cleo']);
        assert.deepEqual(await bob.presenceStats('chat:a'), { numClients: 4, numUsers: 3 });
        const entry = Object.entries((await bob.presence('chat:a')).clients).find(
          ([, { user }]) => user === 'ann',
        );
        assert.deepEqual(entry?.[1].connInfo, { name: 'Ann' });
        assert.equal(entry?.[0], entry?.[1].client);
        ann.getSubscription('chat:a')?.unsubscribe();
        await waitFor('ann is gone', async () => !(await usersOf(bob, 'chat:a')).includes('ann'));
        first.signal('SIGKILL');
        assert.deepEqual(await usersOf(bob, 'chat:a'), ['bob', 'bob', 'cleo']);
        await waitFor('cleo is gone', async () => !(await usersOf(bob, 'chat:a')).includes('cleo'), {
          timeoutMs: 40_000,
          intervalMs: 500,
        });
        const redis = await createClient({ url: platform.redisUrl }).connect();
        await redis.flushAll();
        await waitFor(
          'presence is back after Redis lost it',
          async () => (await usersOf(bob, 'chat:a')).length === 2,
          {
            timeoutMs: 20_000,
          },
        );
        redis.destroy();
        assert.ok((await second.metric('causeway_gateway_presence_repairs_total')) >= 1);
      },
    );

    it(
      'tell who comes and goes at another gateway to those who ask for it, and keep nothing of it',
      EACH,
      async () => {
        const [first, second] = [await start(), await start()];
        const ann = await client([first], 'ann', {
          subs: { 'chat:b': { override: { force_push_join_leave: { value: true } } } },
        });
        const told: string[] = [];
        ann.on('join', ({ channel, info }) => told.push(`${channel} +${info.user}`));
        ann.on('leave', ({ channel, info }) => told.push(`${channel} -${info.user}`));
        const listening = ann.newSubscription('chat:a', { joinLeave: true });
        listening.on('join', ({ channel, info }) => told.push(`${channel} +${info.user}`));
        listening.on('leave', ({ channel, info }) => told.push(`${channel} -${info.user}`));
        listening.subscribe();
        await listening.ready(10_000);
        await waitFor('ann itself', () => told.includes('chat:a +ann'));
        told.length = 0;
        const bob = await client([second], 'bob');
        const deaf = bob.newSubscription('chat:a');
        deaf.on('join', () => told.push('not asked for'));
        deaf.subscribe();
        await deaf.ready(10_000);
        await waitFor('bob came', () => told.length === 1);
        deaf.unsubscribe();
        await waitFor('bob left', () => told.length === 2);
        await listen(bob, 'chat:b');
        await waitFor('bob came to the other', () => told.length === 3);
        bob.disconnect();
        await waitFor('and left it', () => told.length === 4);
        assert.deepEqual(told, ['chat:a +bob', 'chat:a -bob', 'chat:b +bob', 'chat:b -bob']);
        assert.equal((await ann.history('chat:a')).offset, 0);
      },
    );

    it('keep a subscription whose token is renewed, and end one whose is not', EACH, async () => {
      const gateway = await start();
      const ann = await client([gateway], 'ann');
      const sign = (expiry: number, claims: object = {}): Promise<string> =>
        token('ann', { channel: 'news:a', exp: inSeconds(expiry), ...claims });
      let renewed = 0;
      const { ended, subscription } = await subscribe(ann, 'news:a', {
        token: await sign(-60),
        getToken: () => sign((renewed += 1) < 3 ? 2 : 60),
      });
      assert.equal(ended, undefined, 'an expired token is told to be renewed');
      const resubscribing: number[] = [];
      subscription.on('subscribing', ({ code: why }) => resubscribing.push(why));
      await waitFor('renewed twice more', () => renewed === 3, { timeoutMs: 20_000 });
      const raw = await rawClient(platform, gateway);
      raw.send(
        { id: 1, connect: { token: await token('ann') } },
        { id: 2, subscribe: { channel: 'news:a', token: await sign(1) } },
      );
      const began = Date.now();
      const push = (): unknown => raw.lines.find((line) => line['push'] !== undefined)?.['push'];
      await waitFor('its subscription is ended', () => push() !== undefined, { timeoutMs: 20_000 });
      assert.deepEqual(push(), {
        channel: 'news:a',
        unsubscribe: { code: 2501, reason: 'subscription expired' },
      });
      assert.ok(Date.now() - began > 9_000, 'there was time to renew it');
      assert.equal(subscription.state, SubscriptionState.Subscribed);
      assert.deepEqual(resubscribing, []);
      raw.send(
        { id: 3, sub_refresh: { channel: 'news:a', token: await sign(60) } },
        { id: 4, subscribe: { channel: 'news:a', token: await sign(60) } },
      );
      const reply = (id: number): Record<string, unknown> | undefined =>
        raw.lines.find((line) => line['id'] === id);
      await waitFor('answers', () => reply(3) && reply(4));
      assert.deepEqual(reply(3)?.['error'], { code: 107, message: 'bad request' });
      raw.send({ id: 5, sub_refresh: { channel: 'news:a', token: await sign(60, { channel: 'news:b' }) } });
      await waitFor('an answer', () => reply(5));
      assert.deepEqual(reply(5)?.['error'], { code: 103, message: 'permission denied' });
    });

    it('refuse what no token allows, and allow what one does', EACH, async () => {
      const gateway = await start();
      const eve = await client([gateway], 'eve');
      assert.equal((await subscribe(eve, 'news:a')).ended, 103);
      for (const [what, claims, user] of [
        ['of another channel', { channel: 'news:b' }, 'eve'],
        ['of another user', { channel: 'news:c' }, 'ann'],
        ['of a connection', {}, 'eve'],
      ] as const) {
        const held = { token: await token(user, claims) };
        assert.equal((await subscribe(eve, 'news:c', held)).ended, 103, what);
        eve.removeSubscription(eve.getSubscription('news:c'));
      }
      await assert.rejects(eve.publish('news:a', 1), code(103));
      await assert.rejects(eve.history('news:a'), code(103));
      await assert.rejects(eve.presence('news:a'), code(103));
      await assert.rejects(eve.presenceStats('news:a'), code(103));
      await assert.rejects(eve.presence('other:a'), code(102));

      const caps = [
        { channels: ['news:closed'], allow: [] },
        { channels: ['news:*'], match: 'wildcard', allow: ['sub', 'pub'] },
      ];
      const ann = await client([gateway], 'ann', { caps });
      const heard = await listen(ann, 'news:a');
      await publish(ann, 'news:a', 1);
      await waitFor('heard', () => heard.data.length === 1);
      assert.equal((await ann.history('news:a', { limit: 1 })).publications.length, 1);
      assert.deepEqual(await usersOf(ann, 'news:a'), ['ann']);
      assert.equal((await subscribe(ann, 'news:closed')).ended, 103);

      const allow = { channel: 'news:a', allow: ['pub'], info: { seat: 7 } };
      assert.equal(
        (await subscribe(eve, 'news:d', { token: await token('eve', { channel: 'news:d' }) })).ended,
        undefined,
      );
      await assert.rejects(eve.publish('news:d', 1), code(103));
      eve.removeSubscription(eve.getSubscription('news:a'));
      assert.equal((await subscribe(eve, 'news:a', { token: await token('eve', allow) })).ended, undefined);
      await publish(eve, 'news:a', 2);
      await waitFor('heard', () => heard.data.length === 2);
      assert.deepEqual(heard.publications[1]?.info?.chanInfo, { seat: 7 });
    });

    it('let subscribers alone publish where the topic says so', EACH, async () => {
      const gateway = await start({ subscribe: 'Authenticated', publish: 'Subscribers' });
      const ann = await client([gateway], 'ann');
      await assert.rejects(ann.publish('news:a', 1), code(103));
      const heard = await listen(ann, 'news:a');
      await publish(ann, 'news:a', 1);
      heard.subscription.unsubscribe();
      await waitFor('no longer', () => ann.publish('news:a', 1).then(() => false, code(103)));
    });

    it('end a subscription that a renewed connection token no longer allows', EACH, async () => {
      const gateway = await start();
      const claims = { caps: [{ channels: ['news:a'], allow: ['sub'] }], exp: inSeconds(3) };
      const ann = await client([gateway], 'ann', claims, { getToken: () => token('ann') });
      const { subscription } = await subscribe(ann, 'news:a');
      const ended = new Promise<number>((resolve) =>
        subscription.on('unsubscribed', ({ code: why }) => resolve(why)),
      );
      assert.equal(await ended, 2000);
    });

    it('keep as much history as the topic says, and recover only where it says so', EACH, async () => {
      const gateway = await start({
        subscribe: 'Authenticated',
        publish: 'Authenticated',
        history: { size: 5, seconds: 2 },
        recovery: false,
      });
      const ann = await client([gateway], 'ann');
      const subscription = ann.newSubscription('news:a');
      const recoverable = new Promise<boolean>((resolve) =>
        subscription.on('subscribed', (context) => resolve(context.recoverable)),
      );
      subscription.subscribe();
      assert.equal(await recoverable, false);
      for (let n = 1; n <= 8; n++) await publish(ann, 'news:a', n);
      await waitFor('all in history', async () => (await ann.history('news:a')).offset === 8);
      const { publications } = await ann.history('news:a', { limit: 100, reverse: true });
      assert.deepEqual(
        publications.map(({ offset }) => offset),
        [8, 7, 6, 5, 4],
      );
      await waitFor(
        'it is over',
        async () => (await ann.history('news:a', { limit: 1, reverse: true })).publications.length === 0,
      );
    });

    it('limit what a tenant sends, whoever sends it', EACH, async () => {
      const gateway = await start({}, (config) => {
        config.limits.tenant = { messagesPerSecond: 0.001, burst: 2 };
      });
      const [ann, bob] = [
        await client([gateway], 'ann', { tenant: 'acme' }),
        await client([gateway], 'bob', { tenant: 'acme' }),
      ];
      const other = await client([gateway], 'cleo', { tenant: 'other' });
      await publish(other, 'chat:a', 0);
      await ann.publish('chat:a', 1);
      await bob.publish('chat:a', 2);
      await assert.rejects(ann.publish('chat:a', 3), code(111));
      await assert.rejects(bob.publish('chat:a', 3), code(111));
      await other.publish('chat:a', 4);
    });

    it('leave nothing of 2,000 clients that came and went', EACH, async () => {
      const gateway = await start();
      for (let round = 0; round < 20; round++) {
        const raws = await Promise.all(Array.from({ length: 100 }, () => rawClient(platform, gateway)));
        await Promise.all(
          raws.map(async (raw, i) => {
            raw.send(
              { id: 1, connect: { token: await token(`user ${i}`, { channels: [`chat:${i % 7}`] }) } },
              { id: 2, subscribe: { channel: `chat:s${i % 11}`, join_leave: true } },
            );
            if (i % 2) await waitFor('answers', () => raw.lines.length >= 2, { intervalMs: 5 });
            if (i % 3) raw.ws.close();
            else raw.ws.terminate();
          }),
        );
      }
      for (const name of ['connections', 'presence_entries', 'channels']) {
        await waitFor(name, async () => (await gateway.metric(`causeway_gateway_${name}`)) === 0, {
          timeoutMs: 20_000,
        });
      }
      const redis = await createClient({ url: platform.redisUrl }).connect();
      const left = async (): Promise<string[]> =>
        (await redis.keys(`causeway:test/${platform.name}:*`)).filter((key) =>
          /:(presence|members):/.test(key),
        );
      assert.deepEqual(
        (await left()).filter((key) => key.includes(':members:')),
        [],
      );
      await waitFor('nothing in Redis', async () => (await left()).length === 0, { timeoutMs: 40_000 });
      redis.destroy();
      assert.equal(await gateway.metric('causeway_gateway_errors_total'), 0);
    });
  });
}
