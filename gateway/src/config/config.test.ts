import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ConfigError, Field, loadGatewayConfig, parseGatewayConfig } from './index.ts';

const valid = {
  platform: 'orders',
  namespace: 'messaging',
  listen: { port: 8443, adminPort: 8081 },
  tls: { dir: '/tls', annotationsFile: '/podinfo/annotations' },
  auth: { jwt: { dir: '/jwt', issuer: 'us' } },
  allowedOrigins: ['https://app.example'],
  heartbeat: { intervalMs: 25_000, timeoutMs: 10_000 },
  connectTimeoutMs: 10_000,
  limits: {
    connections: 20_000,
    messagesPerSecond: 200,
    burst: 400,
    tiers: [{ name: 'vip', messagesPerSecond: 5_000, burst: 5_000 }],
    tenant: { messagesPerSecond: 1_000, burst: 2_000 },
    etcdKey: '/config/gateway-limits',
  },
  etcd: {
    homeZone: 'zone-a',
    epoch: 1,
    prefixes: ['/config/'],
    zones: [{ zone: 'zone-a', endpoints: ['http://etcd:2379'] }],
  },
  rpc: [
    { method: 'a', url: 'http://a.svc/rpc', timeoutMs: 3_000, concurrency: 100 },
    {
      method: 'b',
      url: 'https://b.svc/rpc',
      timeoutMs: 500,
      concurrency: 5,
      dir: '/rpc/1',
      caDir: '/rpc/1-ca',
    },
  ],
  kafka: {
    brokers: ['kafka:9092'],
    tls: {},
    sasl: { mechanism: 'PLAIN', dir: '/sasl' },
    group: 'orders.causeway-delivery',
    topics: [
      {
        name: 'chat',
        topic: 'orders.chat',
        channels: {
          subscribe: 'Granted',
          publish: 'Subscribers',
          history: { size: 10, seconds: 60 },
          recovery: false,
          presence: true,
          joinLeave: true,
        },
      },
    ],
  },
  redis: { url: 'rediss://redis:6379', tlsDir: '/internal' },
  tracing: {
    endpoint: 'https://otel:4318',
    samplingRatePerMillion: 0,
    headersDir: '/headers',
    caDir: '/ca',
  },
  peers: [{ zone: 'zone-b', host: 'orders-peers-zone-b.messaging.svc', port: 8081 }],
  drain: { perSecond: 2_000, timeoutMs: 30_000, noticeMs: 7_000 },
};

/** The topic of `valid` with other channel options. */
function changedChannels(change: object): object {
  const [topic] = valid.kafka.topics;
  return { ...topic, channels: { ...topic?.channels, ...change } };
}

/** `valid` with the member at `path` replaced. */
function changed(path: string, value: unknown): unknown {
  const copy = structuredClone(valid) as unknown as Record<string, unknown>;
  const names = path.split('.');
  const last = names.pop() ?? '';
  let at = copy;
  for (const name of names) at = at[name] as Record<string, unknown>;
  at[last] = value;
  return copy;
}

describe('gateway.json', () => {
  it('is taken as the operator writes it', () => {
    assert.deepEqual(parseGatewayConfig(new Field('gateway.json', '', valid)), valid);
  });

  for (const [path, value, message] of [
    ['platform', undefined, 'gateway.json: platform: must be a text that is not empty; it is missing'],
    ['listen.port', 99_999, 'gateway.json: listen.port: must be a whole number from 0 to 65535; it is 99999'],
    ['limits.burst', 0, 'gateway.json: limits.burst: must be a whole number from 1; it is 0'],
    [
      'limits.messagesPerSecond',
      '5',
      'gateway.json: limits.messagesPerSecond: must be a number over 0; it is "5"',
    ],
    ['kafka.brokers', [], 'gateway.json: kafka.brokers: must be a list of at least one host:port; it is []'],
    ['kafka.brokers', ['kafka'], 'gateway.json: kafka.brokers[0]: must be host:port; it is "kafka"'],
    ['kafka.topics', {}, 'gateway.json: kafka.topics: must be a list; it is {}'],
    [
      'kafka.sasl.mechanism',
      'NTLM',
      'gateway.json: kafka.sasl.mechanism: must be one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512; it is "NTLM"',
    ],
    [
      'kafka.topics',
      [valid.kafka.topics[0], valid.kafka.topics[0]],
      'gateway.json: kafka.topics[1].name: must be different from the names of the other topics; it is "chat"',
    ],
    [
      'kafka.topics',
      [{ name: 'a', topic: 'x' }],
      'gateway.json: kafka.topics[0].channels: must be an object; it is missing',
    ],
    [
      'kafka.topics',
      [changedChannels({ publish: 'Nobody' })],
      'gateway.json: kafka.topics[0].channels.publish: must be one of Authenticated, Subscribers, Granted; it is "Nobody"',
    ],
    [
      'kafka.topics',
      [changedChannels({ presence: 'yes' })],
      'gateway.json: kafka.topics[0].channels.presence: must be true or false; it is "yes"',
    ],
    [
      'limits.tenant',
      { messagesPerSecond: 5 },
      'gateway.json: limits.tenant.burst: must be a whole number from 1; it is missing',
    ],
    [
      'tracing.endpoint',
      'otel:4318',
      'gateway.json: tracing.endpoint: must be a URL such as http://otel-collector:4318, without user, password and query; it is something else',
    ],
    [
      'tracing.endpoint',
      'https://me:hush@otel',
      'gateway.json: tracing.endpoint: must be a URL such as http://otel-collector:4318, without user, password and query; it is something else',
    ],
    [
      'tracing.samplingRatePerMillion',
      0.5,
      'gateway.json: tracing.samplingRatePerMillion: must be a whole number from 0 to 1000000; it is 0.5',
    ],
    [
      'limits.etcdKey',
      '/elsewhere/limits',
      'gateway.json: limits.etcdKey: must be a key under one of etcd.prefixes; it is "/elsewhere/limits"',
    ],
    [
      'rpc',
      [{ method: 'a', url: 'ftp://a' }],
      'gateway.json: rpc[0].url: must be a URL that begins with https:// or http://; it is "ftp://a"',
    ],
    ['auth', null, 'gateway.json: auth: must be an object; it is null'],
  ] as const) {
    it(`is refused with ${path} ${JSON.stringify(value)}`, () => {
      assert.throws(() => parseGatewayConfig(new Field('gateway.json', '', changed(path, value))), {
        name: 'ConfigError',
        message,
      });
    });
  }

  it('does not show the password in a URL that is refused', () => {
    const config = new Field('gateway.json', '', changed('redis.url', 'http://u:hush@redis'));
    assert.throws(
      () => parseGatewayConfig(config),
      (error: Error) => /redis\.url/.test(error.message) && !error.message.includes('hush'),
    );
  });

  it('that is not there is said so', async () => {
    await assert.rejects(loadGatewayConfig('/nowhere/gateway.json'), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.equal(error.message, '/nowhere/gateway.json: cannot be read (ENOENT); pass --config');
      return true;
    });
  });
});
