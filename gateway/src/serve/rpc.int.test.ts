/** causeway.publish and idempotency keys, by unchanged SDKs and by applications that write to Kafka. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import type { Centrifuge } from 'centrifuge';
import { Kafka, logLevel } from 'kafkajs';
import { createClient } from 'redis';
import type { GatewayConfig } from '@causeway/crds';
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
const FORMS = ['json', 'protobuf'] as const;
type Form = (typeof FORMS)[number];

const METHOD = 'causeway.publish';

for (const runtime of RUNTIMES) {
  describe(`publications by rpc, at gateways on ${runtime}`, { timeout: 300_000 }, () => {
    let backends: Backends;
    let platform: Platform;
    let redis: ReturnType<typeof createClient>;
    const running: GatewayProcess[] = [];
    const clients: Centrifuge[] = [];

    before(async () => {
      [backends] = await Promise.all([startBackends(), buildBundle()]);
      redis = createClient({ url: backends.redis.url });
      await redis.connect();
    });
    after(async () => {
      redis?.destroy();
      await backends?.stop();
    });
    afterEach(async () => {
      for (const client of clients.splice(0)) client.disconnect();
      await Promise.all(running.splice(0).map((gateway) => gateway.stop()));
    });

    const start = async (config?: (config: GatewayConfig) => void): Promise<GatewayProcess> => {
      if (running.length === 0) platform = await backends.platform();
      const gateway = await startGateway({ runtime, platform, ...(config && { config }) });
      running.push(gateway);
      return gateway;
    };
    const client = async (
      gateway: GatewayProcess,
      user: string,
      form: Form = 'json',
    ): Promise<Centrifuge> => {
      const made = await sdk(platform, [gateway], { user, form });
      clients.push(made);
      return connected(made);
    };
    /** Calls the method as an application does; its answer as JSON. */
    const call = async (from: Centrifuge, request: object, form: Form = 'json'): Promise<unknown> => {
      const data = form === 'json' ? request : Buffer.from(JSON.stringify(request));
      const answer = (await from.rpc(METHOD, data)).data as unknown;
      return form === 'json' ? answer : JSON.parse(Buffer.from(answer as Uint8Array).toString());
    };
    /** The same, again while Kafka is not known yet. */
    const callUntilTaken = (from: Centrifuge, request: object): Promise<unknown> =>
      waitFor('taken', async () => ({ answer: await call(from, request) }), { intervalMs: 50 });
    const write = async (...messages: { value: object; key?: string; at?: number }[]): Promise<void> => {
      const producer = new Kafka({ brokers: platform.brokers, logLevel: logLevel.NOTHING }).producer();
      await producer.connect();
      await producer.send({
        topic: `${platform.name}.chat`,
        messages: messages.map(({ value, key, at }) => ({
          key: 'chat:a',
          value: JSON.stringify({ id: 'x', t: at ?? Date.now(), ...value }),
          ...(key !== undefined && { headers: { 'idempotency-key': key } }),
          ...(at !== undefined && { timestamp: String(at) }),
        })),
      });
      await producer.disconnect();
    };
    const historyOf = async (from: Centrifuge): Promise<unknown[]> =>
      (await from.history('chat:a', { limit: 100 })).publications.map(({ data }) => data as unknown);

    it('go where others go, from both forms', EACH, async () => {
      const gateway = await start();
      const bob = await client(gateway, 'bob');
      const heard = await listen(bob, 'chat:a');
      await publish(bob, 'chat:a', 0);
      for (const form of FORMS) {
        const ann = await client(gateway, 'ann', form);
        assert.deepEqual(await call(ann, { channel: 'chat:a', data: { form } }, form), {});
        assert.deepEqual(await call(ann, { channel: 'chat:a', bytes: '/wAK' }, form), {});
      }
      await waitFor('all', () => heard.data.length === 5);
      assert.deepEqual(heard.data, [0, { form: 'json' }, '/wAK', { form: 'protobuf' }, '/wAK']);
      assert.equal(heard.publications[1]?.info?.user, 'ann');
    });

    it('are delivered once for one key, in both forms and through all gateways', EACH, async () => {
      const [one, two] = [await start(), await start()];
      const heard = await listen(await client(two, 'bob'), 'chat:a');
      const atOne = await client(one, 'ann');
      const atTwo = await client(two, 'ann', 'protobuf');
      const request = { channel: 'chat:a', data: 'first', idempotency_key: 'k' };
      assert.deepEqual(await callUntilTaken(atOne, request), { answer: {} });
      assert.deepEqual(await call(atOne, { ...request, data: 'again' }), {}, 'the same answer');
      assert.deepEqual(await call(atTwo, { ...request, data: 'elsewhere' }, 'protobuf'), {});
      await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          n % 2
            ? call(atOne, { ...request, idempotency_key: 'l' })
            : call(atTwo, { ...request, idempotency_key: 'l' }, 'protobuf'),
        ),
      );
      assert.deepEqual(await call(await client(one, 'cleo'), { ...request, data: "another user's" }), {});
      await call(atOne, { ...request, channel: 'chat:b' });
      await publish(atOne, 'chat:a', 'end');
      await waitFor('the end', () => heard.data.includes('end'));
      assert.deepEqual(heard.data, ['first', 'first', "another user's", 'end']);
      const doubled =
        (await one.metric('causeway_gateway_drops_total')) +
        (await two.metric('causeway_gateway_drops_total'));
      assert.equal(doubled, 21);
    });

    it('count for one key with records of applications, and with those before a crash', EACH, async () => {
      const one = await start();
      const ann = await client(one, 'ann');
      const key = { idempotency_key: 'k' };
      await callUntilTaken(ann, { channel: 'chat:a', data: 'from a client', ...key });
      await waitFor('carried', async () => (await historyOf(ann)).length === 1);
      const info = { user: 'ann', client: 'service' };
      one.signal('SIGKILL');
      await one.exited;
      const two = await start();
      await write({ value: { data: 'as ann', info }, key: 'k' }, { value: { data: 'of its own' }, key: 'k' });
      await write({ value: { data: 'of its own, again' }, key: 'k' });
      const again = await client(two, 'ann');
      await callUntilTaken(again, { channel: 'chat:a', data: 'again', ...key });
      await publish(again, 'chat:a', 'end');
      await waitFor('the end', async () => (await historyOf(again)).includes('end'), { timeoutMs: 40_000 });
      assert.deepEqual(await historyOf(again), ['from a client', 'of its own', 'end']);
    });

    it('are not delivered after all when Redis is filled again', EACH, async () => {
      const gateway = await start((config) => {
        for (const { channels } of config.kafka.topics) channels.history.seconds = 60;
      });
      const ann = await client(gateway, 'ann');
      const heard = await listen(ann, 'chat:a');
      // A partition that Redis has nothing of is read from as far back as history goes: all are placed at once.
      const elsewhere = await listen(ann, 'news:a');
      await publish(ann, 'news:a', 'placed');
      await waitFor('placed', () => elsewhere.data.length === 1);
      const now = Date.now();
      await write(
        { value: { data: 'first' }, key: 'k', at: now - 120_000 },
        { value: { data: 'without a key' }, at: now - 119_000 },
        { value: { data: 'second' }, key: 'k' },
        { value: { data: 'last' }, key: 'l' },
      );
      await waitFor('all', () => heard.data.includes('last'));
      assert.deepEqual(heard.data, ['first', 'without a key', 'last']);
      await redis.flushAll();
      await publish(ann, 'chat:a', 'end');
      await waitFor('filled again', async () => (await historyOf(ann)).includes('end'));
      assert.deepEqual(await historyOf(ann), ['last', 'end']);
      await waitFor('the end', () => heard.data.includes('end'));
      assert.deepEqual(heard.data, ['first', 'without a key', 'last', 'end']);
    });

    it('are refused as others are', EACH, async () => {
      const gateway = await start((config) => {
        config.limits.burst = 5;
        config.limits.messagesPerSecond = 0.001;
        for (const topic of config.kafka.topics)
          if (topic.name === 'news') topic.channels.publish = 'Granted';
      });
      for (const form of FORMS) {
        const ann = await client(gateway, `ann ${form}`, form);
        const refused = (request: object, code: number): Promise<void> =>
          assert.rejects(call(ann, request, form), (error: { code: number }) => error.code === code);
        await refused({ channel: 'chat:a' }, 107);
        await refused({ channel: 'chat:a', data: 1, idempotency_key: 'x'.repeat(129) }, 107);
        await refused({ channel: 'other:a', data: 1 }, 102);
        await refused({ channel: 'news:a', data: 1 }, 103);
        await refused({ channel: 'chat:a', data: 'x'.repeat(40_000) }, 106);
        const keyed = { channel: 'chat:a', data: 1, idempotency_key: 'k' };
        await waitFor('taken', async () => call(ann, keyed, form), { intervalMs: 50 });
        for (let n = 0; n < 4; n++) await call(ann, keyed, form).catch(() => undefined);
        await refused(keyed, 111);
        await assert.rejects(
          ann.rpc('causeway.other', form === 'json' ? {} : Buffer.from('{}')),
          (error: { code: number }) => error.code === 104,
        );
      }
      const raw = await rawClient(platform, gateway);
      raw.send({ id: 1, connect: { token: await token('bob') } }, { id: 2, rpc: { method: METHOD } });
      await waitFor('both answers', () => raw.lines.length === 2);
      assert.deepEqual(raw.lines[1], { id: 2, error: { code: 107, message: 'bad request' } });
      raw.ws.terminate();
    });
  });
}
