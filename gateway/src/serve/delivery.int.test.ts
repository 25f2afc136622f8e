import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { SubscriptionState } from 'centrifuge';
import type { Centrifuge } from 'centrifuge';
import { Kafka, logLevel } from 'kafkajs';
import { createClient } from 'redis';
import { ADMIN_PATH } from '@causeway/crds';
import type { GatewayConfig } from '@causeway/crds';
import { waitFor } from '../../../e2e/tools/index.ts';
import { encodeEnvelope } from '../delivery/index.ts';
import { Payload } from '../protocol/index.ts';
import {
  buildBundle,
  connected,
  listen,
  mountSecret,
  publish,
  RUNTIMES,
  sdk,
  startBackends,
  startGateway,
  testTopic,
} from '../testing/index.ts';
import type { Backends, GatewayProcess, MountedSecret, Platform } from '../testing/index.ts';

const EACH = { timeout: 90_000 };
/** Enough that each of the three partitions has some. */
const CHANNELS = ['chat:a', 'chat:b', 'chat:c', 'chat:d', 'chat:e', 'chat:f'];

for (const runtime of RUNTIMES) {
  describe(`delivery by gateways on ${runtime}`, { timeout: 600_000 }, () => {
    let backends: Backends;
    let platform: Platform;
    let internal: MountedSecret;
    const running: GatewayProcess[] = [];
    const clients: Centrifuge[] = [];

    before(async () => {
      [backends] = await Promise.all([
        startBackends({
          // Mutual TLS to Redis, as in the cluster.
          redis: async (pki) => {
            const server = await pki.issue('redis', ['localhost', '127.0.0.1']);
            return { tls: { ...server, caFile: pki.caFile, clientCertificates: true } };
          },
        }),
        buildBundle(),
      ]);
      const client = await backends.pki
        .issue('gateway', [])
        .catch(() => backends.pki.issue('gateway', ['gateway']));
      internal = mountSecret({
        'ca.crt': readFileSync(backends.pki.caFile),
        'tls.crt': readFileSync(client.certFile),
        'tls.key': readFileSync(client.keyFile),
      });
    });
    after(async () => {
      await backends.stop();
      internal.remove();
    });
    afterEach(async () => {
      for (const client of clients.splice(0)) client.disconnect();
      await Promise.all(running.splice(0).map((gateway) => gateway.stop()));
    });

    const start = async (config?: (config: GatewayConfig) => void): Promise<GatewayProcess> => {
      if (running.length === 0) platform = await backends.platform();
      return startHere(config);
    };
    /** On the platform of now. */
    const startHere = async (config?: (config: GatewayConfig) => void): Promise<GatewayProcess> => {
      const gateway = await startGateway({
        runtime,
        platform,
        config: (all) => {
          all.redis.tlsDir = internal.dir;
          config?.(all);
        },
      });
      running.push(gateway);
      return gateway;
    };
    /** Records that a gateway has still to carry. */
    const lag = (gateway: GatewayProcess): Promise<number> =>
      gateway.metric('causeway_gateway_carry_lag_records');
    const client = async (gateways: GatewayProcess[], user: string): Promise<Centrifuge> => {
      const made = await sdk(platform, gateways, { user });
      clients.push(made);
      return connected(made);
    };
    const redis = async <T>(work: (client: ReturnType<typeof plainRedis>) => Promise<T>): Promise<T> => {
      const made = plainRedis();
      await made.connect();
      try {
        return await work(made);
      } finally {
        made.destroy();
      }
    };
    const plainRedis = () =>
      createClient({
        url: backends.redis.url,
        RESP: 2,
        socket: {
          tls: true,
          ca: readFileSync(`${internal.dir}/ca.crt`),
          cert: readFileSync(`${internal.dir}/tls.crt`),
          key: readFileSync(`${internal.dir}/tls.key`),
        },
      });
    /** Channel offsets in Redis of a channel's stream. */
    const streamOf = (channel: string) =>
      redis(async (made) => {
        const entries = await made.xRange(`causeway:test/${platform.name}:stream:${channel}`, '-', '+');
        return (entries ?? []).map(({ id, message }) => ({
          offset: Number(id.split('-')[0]),
          m: message['m'] ?? '',
        }));
      });
    /** Publishes to all channels in turn until it is told to stop. Keeps what was acknowledged. */
    const publisher = (from: Centrifuge) => {
      const acknowledged = new Map<string, number[]>(CHANNELS.map((channel) => [channel, []]));
      const state = { on: true, next: 0, failed: 0 };
      const ended = (async () => {
        while (state.on) {
          const n = state.next++;
          const channel = CHANNELS[n % CHANNELS.length] ?? '';
          await from.publish(channel, n).then(
            () => acknowledged.get(channel)?.push(n),
            () => (state.failed += 1),
          );
        }
      })();
      const stop = async (): Promise<void> => {
        state.on = false;
        await ended;
      };
      return { acknowledged, state, stop };
    };

    it('goes from each gateway to the subscribers of the others', EACH, async () => {
      const [one, two] = [await start(), await start()];
      const ann = await client([one], 'ann');
      const bob = await client([two], 'bob');
      const [atOne, atTwo] = [await listen(ann, 'chat:a'), await listen(bob, 'chat:a')];
      const elsewhere = await listen(bob, 'news:a');
      await Promise.all([publish(ann, 'chat:a', 'from one'), publish(bob, 'chat:a', 'from two')]);
      await waitFor('both at both', () => atOne.data.length === 2 && atTwo.data.length === 2);
      assert.deepEqual(atOne.data, atTwo.data);
      assert.deepEqual(new Set(atOne.data), new Set(['from one', 'from two']));
      assert.deepEqual(
        atOne.publications.map(({ offset }) => offset),
        [1, 2],
      );
      assert.deepEqual(elsewhere.data, []);
    });

    it('gives who comes back what it missed, in order', EACH, async () => {
      const gateway = await start();
      const ann = await client([gateway], 'ann');
      const bob = await client([gateway], 'bob');
      const heard = await listen(bob, 'chat:a');
      await publish(ann, 'chat:a', 1);
      await waitFor('the first', () => heard.data.length === 1);
      bob.disconnect();
      for (const n of [2, 3, 4]) await publish(ann, 'chat:a', n);
      await waitFor('all in the stream', async () => (await streamOf('chat:a')).length === 4);
      const recovered = new Promise<boolean>((resolve) =>
        heard.subscription.once('subscribed', (context) =>
          resolve(context.wasRecovering && context.recovered),
        ),
      );
      bob.connect();
      assert.equal(await recovered, true);
      await publish(ann, 'chat:a', 5);
      await waitFor('all', () => heard.data.length === 5);
      assert.deepEqual(heard.data, [1, 2, 3, 4, 5]);
    });

    it('makes no duplicate and no gap when a gateway that carries is killed', EACH, async () => {
      const [victim, survivor] = [await start(), await start()];
      const assigned = (gateway: GatewayProcess): boolean =>
        gateway.logs.some(({ message }) => message === 'partitions assigned');
      await waitFor('both carry', () => assigned(victim) && assigned(survivor));
      const ann = await client([survivor], 'ann');
      const bob = await client([survivor], 'bob');
      const heard = new Map(
        await Promise.all(CHANNELS.map(async (name) => [name, await listen(bob, name)] as const)),
      );
      const publishing = publisher(ann);
      await waitFor('traffic', async () => (await victim.metric('causeway_gateway_carried_total')) > 50);
      victim.signal('SIGKILL');
      await victim.exited;
      const at = publishing.state.next;
      await waitFor('more traffic', () => publishing.state.next > at + 200);
      await publishing.stop();
      assert.equal(publishing.state.failed, 0);
      for (const [channel, expected] of publishing.acknowledged) {
        const listener = heard.get(channel);
        await waitFor(`all of ${channel}`, () => (listener?.data.length ?? 0) >= expected.length);
        assert.deepEqual(listener?.data, expected);
        const stream = await streamOf(channel);
        assert.deepEqual(
          stream.map(({ offset }) => offset),
          expected.map((_, i) => i + 1),
        );
        assert.equal(
          new Set(stream.map(({ m }) => m)).size,
          expected.length,
          'no record twice in the stream',
        );
      }
    });

    it('refuses publications while Kafka is away, and works again when it is back', EACH, async () => {
      const [one, two] = [await start(), await start()];
      const ann = await client([one], 'ann');
      const heard = await listen(await client([two], 'bob'), 'chat:a');
      await publish(ann, 'chat:a', 'before');
      const broker = backends.kafka.brokers[0];
      await broker?.kill();
      const began = performance.now();
      await assert.rejects(ann.publish('chat:a', 'away'), (error: { code: number }) => error.code === 108);
      assert.ok(performance.now() - began < 5_000, 'in bounded time');
      const attempts = await Promise.allSettled(
        Array.from({ length: 100 }, (_, i) => ann.publish('chat:a', `away ${i}`)),
      );
      assert.ok(attempts.every(({ status }) => status === 'rejected'));
      const { body } = await one.admin(ADMIN_PATH.metrics);
      assert.match(body, /causeway_gateway_backend_up\{backend="kafka"\} 0\n/);
      assert.match(body, /causeway_gateway_errors_total\{kind="kafka_produce"\} [1-9]/);
      assert.equal((await one.admin('/readyz')).status, 200, 'clients keep what else there is');
      assert.ok((await one.metric('causeway_gateway_publish_queue')) === 0, 'nothing waits for ever');
      await broker?.start();
      const back = performance.now();
      await publish(ann, 'chat:a', 'after');
      assert.ok(performance.now() - back < 10_000, 'soon after its return');
      assert.equal(await one.metric('causeway_gateway_backend_up'), 3);
      await waitFor('delivered', () => heard.data.includes('after'), { timeoutMs: 40_000 });
      const certain = heard.data.filter((data) => !String(data).startsWith('away'));
      assert.deepEqual(certain, ['before', 'after']);
    });

    it('goes on after Redis was emptied, for those who are connected', EACH, async () => {
      const [one, two] = [await start(), await start()];
      const ann = await client([one], 'ann');
      const heard = await listen(await client([two], 'bob'), 'chat:a');
      for (const n of [1, 2, 3]) await publish(ann, 'chat:a', n);
      await waitFor('three', () => heard.data.length === 3);
      await redis((made) => made.flushAll());
      for (const n of [4, 5]) await publish(ann, 'chat:a', n);
      await waitFor('five', () => heard.data.length >= 5);
      assert.deepEqual(heard.data, [1, 2, 3, 4, 5]);
      await waitFor('history from Kafka again', async () => (await streamOf('chat:a')).length === 5);
      assert.equal(heard.subscription.state, SubscriptionState.Subscribed);
      const late = await listen(await client([one], 'cleo'), 'chat:a');
      await publish(ann, 'chat:a', 6);
      await waitFor('six', () => late.data.length > 0 && heard.data.length === 6);
      assert.deepEqual(late.data, [6], 'a new subscriber gets no old publications');
    });

    it('rebuilds an emptied Redis also when nobody publishes, and says the new epoch', EACH, async () => {
      const gateway = await start();
      const ann = await client([gateway], 'ann');
      for (const n of [1, 2, 3]) await publish(ann, 'chat:a', n);
      await waitFor('carried', async () => (await streamOf('chat:a')).length === 3);
      const { epoch } = await ann.history('chat:a');
      await redis((made) => made.flushAll());
      await waitFor('rebuilt', async () => (await streamOf('chat:a')).length === 3);
      const rebuilt = await ann.history('chat:a', { limit: 10 });
      assert.notEqual(rebuilt.epoch, epoch);
      assert.deepEqual(
        rebuilt.publications.map(({ data }) => data as number),
        [1, 2, 3],
      );
      await assert.rejects(
        ann.history('chat:a', { limit: 10, since: { epoch, offset: 1 } }),
        (error: { code: number }) => error.code === 112,
      );
    });

    it('goes on after Redis was away and came back empty', EACH, async () => {
      const [one, two] = [await start(), await start()];
      const ann = await client([one], 'ann');
      const heard = await listen(await client([two], 'bob'), 'chat:a');
      for (const n of [1, 2]) await publish(ann, 'chat:a', n);
      await waitFor('two', () => heard.data.length === 2);
      // A gateway that is given partitions while Redis is away cannot tell how far they are.
      const metrics = async (gateway: GatewayProcess): Promise<string> =>
        (await gateway.admin(ADMIN_PATH.metrics)).body;
      await waitFor('both carry', async () =>
        (await Promise.all([one, two].map(metrics))).every((body) => body.includes('_carry_lag_records{')),
      );
      await backends.redis.kill();
      // Kafka takes publications meanwhile.
      for (const n of [3, 4]) await publish(ann, 'chat:a', n);
      const cleo = await client([one], 'cleo');
      const refused = new Promise<number>((resolve) => {
        const subscription = cleo.newSubscription('chat:a');
        subscription.once('error', ({ error }) => resolve(error.code));
        subscription.subscribe();
      });
      assert.equal(await refused, 108);
      await waitFor('two wait in Kafka', async () => (await lag(one)) + (await lag(two)) === 2);
      assert.match(await metrics(one), /causeway_gateway_backend_up\{backend="redis-feed"\} 0\n/);
      assert.match(await metrics(one), /causeway_gateway_errors_total\{kind="redis_commands"\} [1-9]/);
      await backends.redis.start();
      await waitFor('four', () => heard.data.length === 4);
      for (const n of [5, 6]) await publish(ann, 'chat:a', n);
      await waitFor('six', () => heard.data.length >= 6);
      assert.deepEqual(heard.data, [1, 2, 3, 4, 5, 6]);
      await waitFor('none waits', async () => (await lag(one)) + (await lag(two)) === 0);
      await waitFor(
        'the refused one is subscribed',
        () => cleo.getSubscription('chat:a')?.state === SubscriptionState.Subscribed,
      );
    });

    it('counts no mark of a transaction as lag', EACH, async () => {
      platform = await backends.platform();
      const producer = new Kafka({ brokers: platform.brokers, logLevel: logLevel.NOTHING }).producer({
        idempotent: true,
        transactionalId: platform.name,
        maxInFlightRequests: 1,
      });
      await producer.connect();
      const topic = platform.topics[0]?.topic ?? '';
      const info = { user: 'app', client: '' };
      for (const [partition, outcome] of ['commit', 'abort'].entries()) {
        const transaction = await producer.transaction();
        const value = encodeEnvelope(Payload.ofJson(outcome), info, Date.now());
        await transaction.send({ topic, messages: [{ key: 'chat:a', partition, value }] });
        await (outcome === 'commit' ? transaction.commit() : transaction.abort());
      }
      await producer.disconnect();
      const gateway = await startHere();
      await waitFor('it', async () => (await gateway.metric('causeway_gateway_carried_total')) === 1);
      await waitFor('nothing is left to carry', async () => (await lag(gateway)) === 0);
      assert.equal((await streamOf('chat:a')).length, 1);
    });

    it('waits for a Redis that takes writes, when the one that it has becomes a replica', EACH, async () => {
      const gateway = await start();
      const ann = await client([gateway], 'ann');
      const heard = await listen(ann, 'chat:a');
      await publish(ann, 'chat:a', 1);
      await waitFor('one', () => heard.data.length === 1);
      await redis((made) => made.sendCommand(['REPLICAOF', '127.0.0.1', '1']));
      await publish(ann, 'chat:a', 2);
      // It asks whom it follows, finds nobody there, and tries again.
      await waitFor('it says so', () =>
        gateway.logs.some(({ message }) => message === 'Redis connection failed'),
      );
      await redis((made) => made.sendCommand(['REPLICAOF', 'NO', 'ONE']));
      await publish(ann, 'chat:a', 3);
      await waitFor('all', () => heard.data.length >= 3);
      assert.deepEqual(heard.data, [1, 2, 3]);
    });

    it('starts over with a topic that was deleted and made again', EACH, async () => {
      const gateway = await start();
      const ann = await client([gateway], 'ann');
      const heard = await listen(ann, 'chat:a');
      for (const n of [1, 2, 3]) await publish(ann, 'chat:a', n);
      await waitFor('three', () => heard.data.length === 3);
      const admin = new Kafka({ brokers: platform.brokers, logLevel: logLevel.NOTHING }).admin();
      await admin.connect();
      const topic = platform.topics[0]?.topic ?? '';
      await admin.deleteTopics({ topics: [topic] });
      await waitFor('deleted', async () => !(await admin.listTopics()).includes(topic));
      await waitFor('made again', async () => {
        await admin.createTopics({ topics: [{ topic, numPartitions: 3 }] });
        return (await admin.listTopics()).includes(topic);
      });
      await admin.disconnect();
      await publish(ann, 'chat:a', 4);
      await waitFor('the next one', async () => (await streamOf('chat:a')).length === 4, {
        timeoutMs: 45_000,
      });
    });

    it('loses and doubles nothing while Redis is emptied under traffic', EACH, async () => {
      const [one, two] = [await start(), await start()];
      const ann = await client([one], 'ann');
      const bob = await client([two], 'bob');
      const heard = new Map(
        await Promise.all(CHANNELS.map(async (name) => [name, await listen(bob, name)] as const)),
      );
      const publishing = publisher(ann);
      for (let round = 0; round < 3; round++) {
        const at = publishing.state.next;
        await waitFor('traffic', () => publishing.state.next > at + 100);
        await redis((made) => made.flushAll());
      }
      await publishing.stop();
      for (const [channel, expected] of publishing.acknowledged) {
        const listener = heard.get(channel);
        await waitFor(`all of ${channel}`, () => (listener?.data.length ?? 0) >= expected.length);
        await delay(50);
        assert.deepEqual(listener?.data, expected);
      }
    });

    it('leaves out what somebody else wrote into the topic', EACH, async () => {
      const gateway = await start();
      const ann = await client([gateway], 'ann');
      const heard = await listen(ann, 'chat:a');
      const producer = new Kafka({ brokers: platform.brokers, logLevel: logLevel.NOTHING }).producer();
      await producer.connect();
      const topic = platform.topics[0]?.topic ?? '';
      const envelope = JSON.stringify({ id: '1', t: Date.now(), data: 'by a service' });
      await producer.send({
        topic,
        messages: [
          { key: 'chat:a', value: 'not JSON' },
          { key: 'chat:a', value: null },
          { key: 'news:a', value: envelope },
          { value: envelope },
          { key: 'chat:a', value: envelope },
        ],
      });
      await producer.disconnect();
      await waitFor('the good one', () => heard.data.length === 1);
      assert.deepEqual(heard.data, ['by a service']);
      assert.equal(await gateway.metric('causeway_gateway_drops_total'), 4);
    });

    it('uses partitions and topics that come later', EACH, async () => {
      const gateway = await start((config) => {
        config.kafka.topics.push(testTopic(platform.name, 'later'));
      });
      const ann = await client([gateway], 'ann');
      await publish(ann, 'chat:a', 1);
      await assert.rejects(ann.publish('later:a', 1), (error: { code: number }) => error.code === 108);
      const heard = await listen(ann, 'later:a');
      const admin = new Kafka({ brokers: platform.brokers, logLevel: logLevel.NOTHING }).admin();
      await admin.connect();
      const topic = `${platform.name}.later`;
      await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] });
      await publish(ann, 'later:a', 2);
      await waitFor('delivered', () => heard.data.length === 1);
      await admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] });
      await admin.disconnect();
      const names = Array.from({ length: 16 }, (_, i) => `later:${i}`);
      const more = await Promise.all(names.map((name) => listen(ann, name)));
      let round = 0;
      await waitFor(
        'all four partitions used',
        async () => {
          round += 1;
          for (const name of names) await publish(ann, name, round);
          const positions = await redis((made) => made.hGetAll(`causeway:test/${platform.name}:positions`));
          return Object.keys(positions).filter((key) => key.startsWith(topic)).length === 4;
        },
        { intervalMs: 500, timeoutMs: 60_000 },
      );
      const all = Array.from({ length: round }, (_, i) => i + 1);
      for (const listener of more) {
        await waitFor('all', () => listener.data.length >= round);
        assert.deepEqual(
          [...listener.data].sort((a, b) => Number(a) - Number(b)),
          all,
        );
      }
    });
  });
}
