/** A fence of a real Redis: it refuses writes, goes on to replicate, and is lifted by each change of role. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createClient } from 'redis';
import { startRedis, type Redis } from '../../../e2e/harness/index.ts';
import { waitFor } from '../../../e2e/tools/index.ts';
import { redisAdmin } from './redis-admin.ts';

let home: Redis;
let other: Redis;

before(async () => {
  home = await startRedis();
  other = await startRedis({ replicaOf: home });
});

after(async () => {
  await Promise.all([home?.stop(), other?.stop()]);
});

async function set(redis: Redis, value: string): Promise<string> {
  const client = createClient({ url: redis.url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await client.sendCommand<string>(['SET', 'key', value]);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    client.destroy();
  }
}

const at = ({ host, port }: Redis): { host: string; port: number } => ({ host, port });

describe('a fenced primary', () => {
  it('refuses writes, says so, and lets its replica have all that it took', async () => {
    await waitFor('the replica follows', async () => (await redisAdmin.look(at(other))).inSync === true);
    assert.equal(await set(home, 'one'), 'OK');
    await redisAdmin.act(at(home), { zone: 'zone-a', act: 'fence' });
    assert.match(await set(home, 'two'), /^NOREPLICAS/);
    const { role, fenced, offset = 0 } = await redisAdmin.look(at(home));
    assert.deepEqual([role, fenced], ['primary', true]);
    assert.ok(offset > 0);
    await waitFor(
      'the replica has all',
      async () => ((await redisAdmin.look(at(other))).offset ?? 0) >= offset,
    );
  });

  it('is lifted when it is promoted again', async () => {
    await redisAdmin.act(at(home), { zone: 'zone-a', act: 'promote' });
    assert.equal(await set(home, 'three'), 'OK');
    assert.equal((await redisAdmin.look(at(home))).fenced, undefined);
  });

  it('is lifted when it follows the next one, which takes writes', async () => {
    await redisAdmin.act(at(home), { zone: 'zone-a', act: 'fence' });
    await redisAdmin.act(at(other), { zone: 'zone-b', act: 'promote' });
    await redisAdmin.act(at(home), { zone: 'zone-a', act: 'follow', ...at(other) });
    assert.equal(await set(other, 'four'), 'OK');
    assert.match(await set(home, 'five'), /^READONLY/);
    await waitFor('the old one follows', async () => (await redisAdmin.look(at(home))).inSync === true);
  });

  it('may be guarded: it takes writes as long as a replica answers, and none alone', async () => {
    await redisAdmin.act(at(other), { zone: 'zone-b', act: 'guard' });
    const { guarded, fenced } = await redisAdmin.look(at(other));
    assert.deepEqual([guarded, fenced], [true, undefined]);
    await waitFor('it takes a write', async () => (await set(other, 'six')) === 'OK');
    assert.equal((await redisAdmin.look(at(other))).heard, 1);
    await redisAdmin.act(at(home), { zone: 'zone-a', act: 'promote' });
    await waitFor('it takes none alone', async () => (await set(other, 'seven')).startsWith('NOREPLICAS'), {
      timeoutMs: 30_000,
    });
    assert.equal((await redisAdmin.look(at(other))).heard, undefined);
    await redisAdmin.act(at(other), { zone: 'zone-b', act: 'promote' });
    assert.equal(await set(other, 'eight'), 'OK');
  });

  it('is reached by its address, whatever its name is', async () => {
    const { role } = await redisAdmin.look({ host: 'nobody.invalid', address: other.host, port: other.port });
    assert.equal(role, 'primary');
  });
});
