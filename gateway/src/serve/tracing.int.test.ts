import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { Centrifuge } from 'centrifuge';
import { Kafka, logLevel } from 'kafkajs';
import { createClient } from 'redis';
import type { GatewayConfig, TracingConfig } from '@causeway/crds';
import { waitFor } from '../../../e2e/tools/index.ts';
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
  startOtlpReceiver,
  startTcpProxy,
} from '../testing/index.ts';
import type { Backends, GatewayProcess, OtlpReceiver, Platform, ReceivedSpan } from '../testing/index.ts';

const EACH = { timeout: 60_000 };
const PRODUCER = 4;
const CONSUMER = 5;
const ALL = 1_000_000;

for (const runtime of RUNTIMES) {
  describe(`traces of gateways on ${runtime}`, { timeout: 480_000 }, () => {
    let backends: Backends;
    let platform: Platform;
    let collector: OtlpReceiver;
    const running: GatewayProcess[] = [];
    const clients: Centrifuge[] = [];

    before(async () => {
      [backends] = await Promise.all([startBackends(), buildBundle()]);
    });
    after(() => backends.stop());
    beforeEach(async () => {
      [platform, collector] = await Promise.all([backends.platform(), startOtlpReceiver()]);
    });
    afterEach(async () => {
      for (const client of clients.splice(0)) client.disconnect();
      await Promise.all([collector.stop(), ...running.splice(0).map((gateway) => gateway.stop())]);
    });

    const start = async (tracing?: Partial<TracingConfig>): Promise<GatewayProcess> => {
      const config = (all: GatewayConfig): void => {
        if (tracing) {
          all.tracing = { endpoint: collector.endpoint, samplingRatePerMillion: ALL, ...tracing };
        }
      };
      const gateway = await startGateway({ runtime, platform, config });
      running.push(gateway);
      return gateway;
    };
    const client = async (
      gateway: GatewayProcess,
      user: string,
      form: 'json' | 'protobuf' = 'json',
    ): Promise<Centrifuge> => {
      const made = await sdk(platform, [gateway], { user, form });
      clients.push(made);
      return connected(made);
    };
    const podOf = (gateway: GatewayProcess): string => `gateway-${gateway.port}`;
    const spansOf = (traceId: string): ReceivedSpan[] =>
      collector.spans.filter((span) => span.traceId === traceId);
    /** The trace that a client was shown, once it has `count` spans. */
    const traceOf = async (
      tags: Record<string, string> | undefined,
      count: number,
    ): Promise<{ traceId: string; parent: string; spans: ReceivedSpan[] }> => {
      const [, traceId = '', parent = ''] = /^00-([0-9a-f]{32})-([0-9a-f]{16})-01$/.exec(
        tags?.['traceparent'] ?? '',
      ) ?? ['', '', ''];
      assert.notEqual(traceId, '', `no traceparent in ${JSON.stringify(tags)}`);
      await waitFor(`${count} spans`, () => spansOf(traceId).length >= count);
      return { traceId, parent, spans: spansOf(traceId) };
    };
    /** What is published before the carrier has its partitions counts as carried again. */
    const warmUp = async (from: Centrifuge): Promise<void> => {
      for (const channel of ['chat:a', 'chat:b']) {
        const heard = await listen(from, channel);
        await publish(from, channel, 'warm');
        await waitFor('delivery works', () => heard.data.length === 1);
        heard.subscription.unsubscribe();
        from.removeSubscription(heard.subscription);
      }
    };
    const produce = async (
      records: { key: string; value: string; traceparent?: string }[],
    ): Promise<void> => {
      const producer = new Kafka({ brokers: platform.brokers, logLevel: logLevel.NOTHING }).producer();
      await producer.connect();
      await producer.send({
        topic: platform.topics[0]?.topic ?? '',
        messages: records.map(({ key, value, traceparent }) => ({
          key,
          value,
          ...(traceparent !== undefined && { headers: { traceparent } }),
        })),
      });
      await producer.disconnect();
    };

    it(
      'are one of publish, carry and a delivery in each gateway, and go on in the client',
      EACH,
      async () => {
        const [one, two] = [await start({}), await start({})];
        const ann = await client(one, 'ann');
        await warmUp(ann);
        const [atOne, bob, cleo] = [
          await listen(ann, 'chat:a'),
          await listen(await client(two, 'bob'), 'chat:a'),
          await listen(await client(two, 'cleo', 'protobuf'), 'chat:a'),
        ];
        await publish(ann, 'chat:a', { hush: 'payload' });
        await waitFor('all have it', () => [atOne, bob, cleo].every(({ data }) => data.length === 1));
        const shown = [atOne, bob, cleo].map(({ publications }) => publications[0]?.tags);
        assert.deepEqual(shown[1], shown[0]);
        assert.deepEqual(shown[2], shown[0]);
        const { parent, spans } = await traceOf(shown[0], 4);

        const topic = platform.topics[0]?.topic ?? '';
        const [published] = spans.filter(({ kind }) => kind === PRODUCER);
        assert.ok(published);
        assert.equal(published.name, `publish ${topic}`);
        assert.equal(published.parentSpanId, '');
        assert.equal(published.status, 0);
        assert.deepEqual(published.attributes, {
          'messaging.system.name': 'kafka',
          'messaging.operation.name': 'publish',
          'messaging.operation.type': 'send',
          'messaging.destination.name': topic,
          'kafka.message.key': 'chat:a',
        });
        assert.equal(published.resource['service.name'], 'causeway-gateway');
        assert.equal(published.resource['service.namespace'], platform.name);
        assert.equal(published.resource['service.instance.id'], podOf(one));
        assert.equal(published.resource['cloud.availability_zone'], 'zone-a');

        const carried = spans.filter(({ name }) => name === `carry ${topic}`);
        assert.equal(carried.length, 1);
        assert.equal(carried[0]?.kind, CONSUMER);
        assert.equal(carried[0]?.parentSpanId, published.spanId);
        assert.equal(carried[0]?.spanId, parent, 'the client goes on from it');
        const { 'kafka.offset': offset, 'messaging.destination.partition.id': partition } =
          carried[0]?.attributes ?? {};
        assert.equal(typeof offset, 'number');
        assert.match(String(partition), /^[012]$/);

        const delivered = spans.filter(({ name }) => name === 'deliver chat:*');
        assert.deepEqual(
          new Map(
            delivered.map(({ resource, attributes }) => [
              resource['service.instance.id'],
              attributes['causeway.subscribers'],
            ]),
          ),
          new Map([
            [podOf(one), 1],
            [podOf(two), 2],
          ]),
        );
        for (const span of delivered) {
          assert.equal(span.kind, CONSUMER);
          assert.equal(span.parentSpanId, parent);
          assert.equal(span.attributes['messaging.destination.name'], 'chat:a');
          assert.ok(span.end >= span.start);
        }
        assert.equal(spans.length, 4);
        const sent = collector.requests.map(({ body }) => body).join('\n');
        assert.ok(!sent.includes('hush') && !sent.includes('payload'), 'no payload');
        assert.ok(!sent.includes('eyJ'), 'no token');
        assert.ok(!sent.includes('"ann"') && !sent.includes('"bob"'), 'nobody is named');
        assert.ok(collector.requests.every(({ path }) => path === '/v1/traces'));
        await waitFor('counted', async () => (await one.metric('causeway_gateway_spans_total')) > 0);
      },
    );

    it(
      'begin in the application where its own record says so, and only there at a rate of 0',
      EACH,
      async () => {
        const gateway = await start({ samplingRatePerMillion: 0 });
        const ann = await client(gateway, 'ann');
        await warmUp(ann);
        const heard = await listen(ann, 'chat:a');
        const [traceId, spanId] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'];
        const value = (data: number): string => JSON.stringify({ id: String(data), t: Date.now(), data });
        await produce([
          { key: 'chat:a', value: value(1), traceparent: `00-${traceId}-${spanId}-00` },
          { key: 'chat:a', value: value(2), traceparent: 'not one' },
          { key: 'chat:a', value: value(3) },
          { key: 'chat:a', value: value(4), traceparent: `00-${traceId}-${spanId}-01` },
        ]);
        await publish(ann, 'chat:a', 5);
        await waitFor('all', () => heard.data.length === 5);
        const tagsOf = (data: number) =>
          heard.publications.find((publication) => publication.data === data)?.tags;
        for (const data of [1, 2, 3, 5]) assert.equal(tagsOf(data), undefined, `${data} is not sampled`);
        const { parent, spans } = await traceOf(tagsOf(4), 2);
        const [carried] = spans.filter(({ name }) => name.startsWith('carry '));
        assert.equal(carried?.traceId, traceId);
        assert.equal(carried?.parentSpanId, spanId);
        assert.equal(parent, carried?.spanId);
        assert.equal(collector.spans.length, 2, 'no other trace');
        const history = await ann.history('chat:a', { limit: 10 });
        assert.deepEqual(
          history.publications.map(({ tags }) => tags !== undefined),
          [false, false, false, false, true, false],
          'the warm-up and the five: who comes back sees the same',
        );
      },
    );

    it('are nowhere when they are off: not in Kafka, Redis, clients and metrics', EACH, async () => {
      const gateway = await start();
      const ann = await client(gateway, 'ann');
      await warmUp(ann);
      const heard = await listen(ann, 'chat:a');
      await publish(ann, 'chat:a', 1);
      await produce([
        {
          key: 'chat:a',
          value: JSON.stringify({ id: '2', t: Date.now(), data: 2 }),
          traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
        },
      ]);
      await waitFor('both', () => heard.data.length === 2);
      assert.ok(heard.publications.every(({ tags }) => tags === undefined));
      const redis = createClient({ url: backends.redis.url, RESP: 2 });
      await redis.connect();
      const entries = await redis.xRange(`causeway:test/${platform.name}:stream:chat:a`, '-', '+');
      redis.destroy();
      const heads = (entries ?? []).map(({ message }) => message['m']?.split('\n')[0]?.split(' ').length);
      assert.deepEqual(heads, [5, 5, 5], 'partition, offset, replayed, time, form');
      assert.ok(!(await gateway.admin('/metrics')).body.includes('causeway_gateway_spans_total'));
      assert.equal(collector.requests.length, 0);
    });

    it('hurt nobody while the collector is away, say so once, and come when it is back', EACH, async (t) => {
      const network = await startTcpProxy(collector.port);
      t.after(() => network.close());
      network.cut();
      const gateway = await start({ endpoint: `http://localhost:${network.port}` });
      const ann = await client(gateway, 'ann');
      await warmUp(ann);
      const heard = await listen(ann, 'chat:a');
      const warnings = (): unknown[] =>
        gateway.logs.filter(({ message }) => message === 'spans not taken by the collector');
      await publish(ann, 'chat:a', 1);
      await waitFor('it says so', () => warnings().length === 1);
      await publish(ann, 'chat:a', 2);
      await waitFor('delivered as ever', () => heard.data.length === 2);
      assert.equal((await gateway.admin('/readyz')).status, 200);
      collector.answer = { status: 503, body: 'try later' };
      network.restore();
      await waitFor('asked again', () => collector.requests.length > 0);
      collector.answer = { status: 200, body: '' };
      for (const { tags } of heard.publications) await traceOf(tags, 3);
      await waitFor('it says that all is well', () =>
        gateway.logs.some(({ message }) => message === 'the collector takes spans again'),
      );
      assert.equal(warnings().length, 1, 'said once');
      const bySpanId = new Set(collector.spans.map(({ spanId }) => spanId));
      assert.equal(bySpanId.size, collector.spans.length, 'none came twice');
    });

    it('do not grow when Redis is filled from Kafka again', EACH, async () => {
      const gateway = await start({});
      const ann = await client(gateway, 'ann');
      await warmUp(ann);
      const heard = await listen(ann, 'chat:a');
      await publish(ann, 'chat:a', 'before');
      await waitFor('delivered', () => heard.data.length === 1);
      const carried = await traceOf(heard.publications[0]?.tags, 3);
      const redis = createClient({ url: backends.redis.url, RESP: 2 });
      await redis.connect();
      await redis.flushAll();
      redis.destroy();
      await waitFor('filled again', async () => {
        const { publications } = await ann.history('chat:a', { limit: 10 });
        return publications.length === 2;
      });
      await publish(ann, 'chat:a', 'after');
      await waitFor('delivered', () => heard.data.length === 2);
      await traceOf(heard.publications[1]?.tags, 3);
      assert.equal(spansOf(carried.traceId).length, 3);
    });

    it('go to a collector that asks who it is, over TLS, with what the Secrets say then', EACH, async () => {
      const { certFile, keyFile } = await backends.pki.issue(`collector on ${runtime}`, ['localhost']);
      const secure = await startOtlpReceiver({ cert: readFileSync(certFile), key: readFileSync(keyFile) });
      const ca = mountSecret({ 'ca.crt': readFileSync(backends.pki.caFile) });
      const headers = mountSecret({ authorization: 'Bearer first-secret\n', 'x-tenant': 'ours' });
      try {
        const gateway = await start({ endpoint: secure.endpoint, caDir: ca.dir, headersDir: headers.dir });
        const ann = await client(gateway, 'ann');
        await publish(ann, 'chat:a', 1);
        await waitFor('spans', () => secure.spans.length > 0);
        assert.equal(secure.requests.at(-1)?.headers.authorization, 'Bearer first-secret');
        assert.equal(secure.requests.at(-1)?.headers['x-tenant'], 'ours');
        headers.write({ authorization: 'Bearer second-secret' });
        secure.answer = { status: 401, body: 'who are you, Bearer second-secret?' };
        await publish(ann, 'chat:a', 2);
        await waitFor('it says so', () =>
          gateway.logs.some(({ reason }) => String(reason).endsWith('/v1/traces answered 401')),
        );
        assert.equal(secure.requests.at(-1)?.headers.authorization, 'Bearer second-secret');
        assert.ok(!JSON.stringify(gateway.logs).includes('-secret'), 'no secret in the log');
        const { body } = await gateway.admin('/metrics');
        assert.match(body, /causeway_gateway_spans_total\{outcome="refused"\} [1-9]/);
      } finally {
        await secure.stop();
        ca.remove();
        headers.remove();
      }
    });

    it('are sent to the last when a gateway ends', EACH, async () => {
      const gateway = await start({});
      const ann = await client(gateway, 'ann');
      await warmUp(ann);
      const heard = await listen(ann, 'chat:a');
      await publish(ann, 'chat:a', 1);
      await waitFor('delivered', () => heard.data.length === 1);
      gateway.signal('SIGTERM');
      assert.equal(await gateway.exited, 0);
      const traceId = heard.publications[0]?.tags?.['traceparent']?.split('-')[1] ?? '';
      assert.equal(spansOf(traceId).length, 3);
    });
  });
}
