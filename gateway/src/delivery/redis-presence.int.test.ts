import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { createClient } from 'redis';
import { startRedis } from '../../../e2e/harness/index.ts';
import type { Redis } from '../../../e2e/harness/index.ts';
import { waitFor } from '../../../e2e/tools/index.ts';
import { createLog } from '../log/index.ts';
import { RedisLink, RedisPresence, redisKeys } from './index.ts';

const keys = redisKeys('test', 'p');
const info = (user: string, client: string): string => JSON.stringify({ user, client });
const came = (user: string, client: string) => ({ client, info: info(user, client) });

describe('presence in Redis', { timeout: 60_000 }, () => {
  let redis: Redis;
  let admin: ReturnType<typeof createClient>;
  const links: RedisLink[] = [];

  before(async () => {
    redis = await startRedis();
    admin = createClient({ url: redis.url });
    await admin.connect();
  });
  after(async () => {
    admin.destroy();
    await redis.stop();
  });
  afterEach(async () => {
    for (const link of links.splice(0)) link.close();
    await admin.flushAll();
  });

  const gateway = async (name: string, ttlMs = 60_000): Promise<RedisPresence> => {
    const link = new RedisLink({
      redis: { url: redis.url },
      name,
      log: createLog({ component: 'test' }),
      prepare: (client) => presence.prepare(client),
      connected: () => undefined,
      failed: () => undefined,
    });
    const presence = new RedisPresence({ link, keys, gateway: name, ttlMs });
    links.push(link);
    link.start();
    await waitFor('connected', () => link.ready, { intervalMs: 5 });
    return presence;
  };
  const first = { channel: 'chat:a', base: undefined, version: 0 };

  it('is what all gateways say', async () => {
    const [a, b] = [await gateway('a'), await gateway('b')];
    await a.update({ ...first, changes: [came('ann', '1'), came('bob', '2')] });
    await b.update({ ...first, changes: [came('ann', '3')] });
    await b.update({ ...first, channel: 'chat:b', changes: [came('cleo', '4')] });
    const all = [info('ann', '1'), info('bob', '2'), info('ann', '3')];
    assert.deepEqual(((await a.list('chat:a', 10)) as string[]).sort(), all.sort());
    assert.deepEqual(await b.stats('chat:a', 10), { clients: 3, users: 2 });
    assert.deepEqual(await b.stats('chat:none', 10), { clients: 0, users: 0 });
    assert.equal(await a.list('chat:a', 2), 3);
    assert.equal(await a.stats('chat:a', 2), undefined);
    const change = { channel: 'chat:a', base: 0, version: 1, changes: [{ client: '1', info: undefined }] };
    assert.equal(await a.update(change), true);
    assert.deepEqual(await b.stats('chat:a', 10), { clients: 2, users: 2 });
  });

  it('counts users apart whatever their names hold', async () => {
    const a = await gateway('a');
    const users = ['x","client":"y', 'x', '\\', '"', 'ä😀', 'x'];
    await a.update({ ...first, changes: users.map((user, i) => came(user, String(i))) });
    assert.deepEqual(await a.stats('chat:a', 10), { clients: 6, users: 5 });
  });

  it('refuses a change to a part that is not where the gateway believes', async () => {
    const a = await gateway('a');
    await a.update({ ...first, changes: [came('ann', '1')] });
    const change = { channel: 'chat:a', base: 7, version: 8, changes: [came('bob', '2')] };
    assert.equal(await a.update(change), false);
    await admin.flushAll();
    assert.equal(await a.update({ ...change, base: 0 }), false);
    assert.deepEqual(await a.list('chat:a', 10), []);
  });

  it('says what it has lost when it is to be kept', async () => {
    const a = await gateway('a');
    for (const channel of ['chat:a', 'chat:b', 'chat:c', 'chat:d'])
      await a.update({ ...first, channel, changes: [came('ann', '1')] });
    await admin.del(keys.presence('chat:b'));
    await admin.del(keys.members('a:chat:c'));
    const parts = ['chat:a', 'chat:b', 'chat:c'].map((channel) => ({ channel, version: 0 }));
    const lost = await a.keep([...parts, { channel: 'chat:d', version: 1 }]);
    assert.deepEqual(
      lost.map(({ channel }) => channel),
      ['chat:b', 'chat:c', 'chat:d'],
    );
  });

  it('forgets a gateway that does not keep it, and all its keys', async () => {
    const [a, b] = [await gateway('a', 300), await gateway('b', 300)];
    await a.update({ ...first, changes: [came('ann', '1')] });
    await b.update({ ...first, changes: [came('bob', '2')] });
    await waitFor(
      'only b is left',
      async () => {
        assert.deepEqual(await b.keep([{ channel: 'chat:a', version: 0 }]), []);
        return ((await b.list('chat:a', 10)) as string[]).length === 1;
      },
      { intervalMs: 50 },
    );
    assert.deepEqual(await b.list('chat:a', 10), [info('bob', '2')]);
    assert.equal(await a.update({ channel: 'chat:a', base: 0, version: 1, changes: [] }), false);
    await waitFor('no keys', async () => (await admin.dbSize()) === 0, { intervalMs: 50 });
  });

  it('holds ten thousand clients of a channel, and says what that costs', async (t) => {
    const a = await gateway('a');
    for (let i = 0; i < 20; i++) {
      const changes = Array.from({ length: 500 }, (_, n) => came(`user ${n}`, `${i}-${n}`.padEnd(36, 'x')));
      const base = i === 0 ? undefined : i - 1;
      assert.equal(await a.update({ channel: 'chat:a', base, version: i, changes }), true);
    }
    const bytes = (await admin.memoryUsage(keys.members('a:chat:a'), { SAMPLES: 0 })) ?? 0;
    t.diagnostic(`${(bytes / 10_000).toFixed(0)} bytes for each client`);
    const took = async (what: string, call: () => Promise<unknown>): Promise<void> => {
      const began = performance.now();
      await call();
      t.diagnostic(`${what}: ${(performance.now() - began).toFixed(1)} ms`);
    };
    await took('kept', async () => assert.deepEqual(await a.keep([{ channel: 'chat:a', version: 19 }]), []));
    await took('counted', async () =>
      assert.deepEqual(await a.stats('chat:a', 50_000), { clients: 10_000, users: 500 }),
    );
    await took('refused to list', async () => assert.equal(await a.list('chat:a', 5_000), 10_000));
    await took('listed', async () =>
      assert.equal(((await a.list('chat:a', 10_000)) as string[]).length, 10_000),
    );
  });
});
