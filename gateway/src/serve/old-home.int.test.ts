/** What clients get from a gateway while the home moves, and from one that still has the Redis of a home that was. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Centrifuge } from 'centrifuge';
import { createClient } from 'redis';
import { startRedis } from '../../../e2e/harness/index.ts';
import type { Redis } from '../../../e2e/harness/index.ts';
import { waitFor } from '../../../e2e/tools/index.ts';
import {
  buildBundle,
  connected,
  listen,
  publish,
  RUNTIMES,
  sdk,
  startBackends,
  startGateway,
  startTcpProxy,
} from '../testing/index.ts';
import type { Backends, GatewayProcess, Platform, TcpProxy } from '../testing/index.ts';

/** Nobody listens there. */
const NO_KAFKA = ['127.0.0.1:1'];

for (const runtime of RUNTIMES) {
  describe(`a gateway whose home moves, on ${runtime}`, { timeout: 120_000 }, () => {
    let backends: Backends;
    let next: Redis;
    let platform: Platform;
    const ends: (() => void | Promise<void>)[] = [];

    before(async () => {
      [backends] = await Promise.all([startBackends(), buildBundle()]);
      const { host, port } = backends.redis;
      next = await startRedis({ replicaOf: { host, port } });
      platform = await backends.platform();
    });
    after(async () => {
      await next.stop();
      await backends.stop();
    });
    afterEach(async () => {
      for (const end of ends.splice(0).toReversed()) await end();
    });

    /** A gateway, and the Service that leads it to Redis: `moveTo` makes it lead to another one. */
    const start = async (
      zone: string,
      brokers?: string[],
    ): Promise<{ gateway: GatewayProcess; service: TcpProxy; moveTo: (redis: Redis) => void }> => {
      let { port } = backends.redis;
      const service: TcpProxy = await startTcpProxy(() => port);
      ends.push(() => service.close());
      const gateway = await startGateway({
        runtime,
        platform,
        zone,
        config: (config) => {
          config.redis.url = `redis://127.0.0.1:${service.port}`;
          if (brokers) config.kafka.brokers = brokers;
        },
      });
      ends.push(() => gateway.stop());
      const moveTo = (redis: Redis): void => {
        ({ port } = redis);
        service.reset();
      };
      return { gateway, service, moveTo };
    };
    const client = async (gateways: GatewayProcess[], user: string): Promise<Centrifuge> => {
      const made = await sdk(platform, gateways, { user });
      ends.push(() => made.disconnect());
      return connected(made);
    };
    const promote = async (redis: Redis): Promise<void> => {
      const admin = await createClient({ url: redis.url }).connect();
      await admin.sendCommand(['REPLICAOF', 'NO', 'ONE']);
      admin.destroy();
    };

    it('gives nobody twice what the next home has given already', async () => {
      // It serves, and carries nothing: what it has of Redis is the past from now on.
      const old = await start('zone-a', NO_KAFKA);
      const other = await start('zone-b');
      const ann = await client([other.gateway], 'ann');
      const bob = await client([other.gateway, old.gateway], 'bob');
      const heard = await listen(bob, 'chat:a');
      for (const n of [1, 2, 3]) await publish(ann, 'chat:a', n);
      await waitFor('the first three', () => heard.data.length === 3);

      await waitFor('all is in both', async () => {
        const both = await Promise.all([backends.redis, next].map(offsetIn));
        return both.every((offset) => offset === '3');
      });
      await promote(next);
      other.moveTo(next);
      for (const n of [4, 5, 6]) await publish(ann, 'chat:a', n);
      await waitFor('the next three', () => heard.data.length === 6);

      const refused: number[] = [];
      heard.subscription.on('error', ({ error }) => refused.push(error.code));
      const answers: [boolean, boolean][] = [];
      heard.subscription.on('subscribed', ({ wasRecovering, recovered }) =>
        answers.push([wasRecovering, recovered]),
      );
      bob.disconnect();
      bob.connect();
      await waitFor('it is told to come again, or something else', () => refused.length + answers.length > 0);
      old.moveTo(next);
      await publish(ann, 'chat:a', 7);
      await waitFor('the last', () => heard.data.includes(7));
      assert.deepEqual(heard.data, [1, 2, 3, 4, 5, 6, 7]);
      assert.deepEqual(answers, [[true, true]]);
      assert.ok(refused.length > 0 && refused.every((code) => code === 108), String(refused));
    });

    it('lets those wait who come before Redis is there', async () => {
      const { gateway, service } = await start('zone-c');
      const ann = await client([gateway], 'ann');
      service.cut();
      await waitFor(
        'it is without Redis',
        async () => (await gateway.metric('causeway_gateway_backend_up')) === 1,
      );
      const subscription = ann.newSubscription('news:a');
      const refused: number[] = [];
      subscription.on('error', ({ error }) => refused.push(error.code));
      subscription.subscribe();
      await delay(500);
      service.restore();
      await subscription.ready(10_000);
      assert.deepEqual(refused, []);
    });

    /** Where the channel's stream is in a Redis. */
    async function offsetIn(redis: Redis): Promise<string | null> {
      const reader = await createClient({ url: redis.url }).connect();
      const offset = await reader.hGet(`causeway:test/${platform.name}:meta:chat:a`, 'o');
      reader.destroy();
      return offset;
    }
  });
}
