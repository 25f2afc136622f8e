import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SECRET_KEY } from '@causeway/crds';
import { x509Issuer, type SecretData } from '../certificates/index.ts';
import { ordersPlatform } from './testing/orders.ts';
import { kafkaAccess, mirrorAccess, userSecretProblems } from './user-secrets.ts';

const NOW = Date.parse('2026-11-23T12:00:00Z');
const DAY = 86_400_000;

async function supplied(dnsNames: string[]): Promise<SecretData> {
  const times = { notBefore: NOW - DAY, notAfter: NOW + 90 * DAY };
  const authority = await x509Issuer.authority({ commonName: 'somebody else', ...times });
  const leaf = await x509Issuer.leaf({ commonName: '', dnsNames, usages: ['server'], ...times }, authority);
  return { [SECRET_KEY.cert]: leaf.certificate, [SECRET_KEY.key]: leaf.privateKey };
}

describe('the certificate that a user supplies', () => {
  const platform = ordersPlatform(({ spec }) => {
    spec.tls.issuer = { secretRef: { name: 'orders-cert' } };
    spec.tls.dnsNames = ['rt.example.com'];
  });
  const jwt: SecretData = { [SECRET_KEY.hmac]: 'x'.repeat(32) };
  const problems = (secret: SecretData | undefined): string[] =>
    userSecretProblems(
      platform,
      new Map([
        ['orders-jwt', jwt],
        ['orders-cert', secret],
      ]),
      NOW,
    ).map(({ part, reason }) => `${part}:${reason}`);

  it('must be there', () => {
    assert.deepEqual(problems(undefined), ['Certificates:SecretNotFound']);
  });

  it('must have the names of tls.dnsNames, and needs none of the Services', async () => {
    assert.deepEqual(problems(await supplied(['other.example.com'])), ['Certificates:NamesMissing']);
    assert.deepEqual(problems(await supplied(['*.example.com'])), []);
  });
});

describe('headers for a collector of traces', () => {
  const platform = ordersPlatform(({ spec }) => {
    spec.gateway.tracing = {
      endpoint: 'https://otel.example.com',
      samplingRatePerMillion: 1,
      headersSecretRef: { name: 'otel' },
    };
  });
  const problems = (secret: SecretData | undefined): string[] =>
    userSecretProblems(
      platform,
      new Map([
        ['orders-jwt', { [SECRET_KEY.hmac]: 'x'.repeat(32) }],
        ['otel', secret],
      ]),
      NOW,
    ).map(({ part, message }) => `${part}: ${message}`);

  it('must be there, at least one, and what HTTP can send', () => {
    assert.deepEqual(problems({ authorization: 'Bearer x\n' }), []);
    for (const [secret, problem] of [
      [undefined, 'does not exist. Create it with a key for each HTTP header.'],
      [{}, 'cannot be used: it has no key. Put a key for each HTTP header into it.'],
      [{ authorization: '' }, 'cannot be used: its authorization cannot be sent as a header.'],
      [{ a: 'ok', b: 'hush\nx: y' }, 'cannot be used: its b cannot be sent as a header.'],
    ] as const) {
      const [found = ''] = problems(secret);
      assert.ok(found.startsWith('Gateways: ') && found.includes(problem), found);
      assert.ok(!found.includes('hush'));
    }
  });
});

describe('the Secrets of rpc methods', () => {
  it('must be there and have what gateways read', () => {
    const platform = ordersPlatform(({ spec }) => {
      spec.gateway.rpc = [
        {
          method: 'a',
          url: 'https://a.svc/rpc',
          timeout: '3s',
          concurrency: 100,
          secretRef: { name: 'a-token' },
          caSecretRef: { name: 'a-ca' },
        },
      ];
    });
    const problems = (secrets: Record<string, SecretData>): string[] =>
      userSecretProblems(
        platform,
        new Map(Object.entries({ 'orders-jwt': { [SECRET_KEY.hmac]: 'x'.repeat(32) }, ...secrets })),
        NOW,
      ).map(({ message }) => message);
    assert.deepEqual(problems({ 'a-token': { password: 'x' } }), [
      'Secret messaging/a-token cannot be used: it has no token. Put token into it.',
      'Secret messaging/a-ca does not exist. Create it with ca.crt.',
    ]);
    assert.deepEqual(problems({ 'a-token': { token: 'x' }, 'a-ca': { 'ca.crt': 'x' } }), []);
  });
});

describe("what opens the mirror's Kafka", () => {
  const platform = ordersPlatform(({ spec }) => {
    spec.kafka.mirror = {
      bootstrapServers: 'west-1:9093,west-2:9093',
      sourceAlias: 'east',
      targetAlias: 'west',
      replicationPolicy: 'Default',
      tls: { secretRef: { name: 'west-ca' } },
      sasl: { mechanism: 'SCRAM-SHA-512', secretRef: { name: 'west-user' } },
    };
  });
  const ca: SecretData = { [SECRET_KEY.ca]: 'PEM' };
  const user: SecretData = { [SECRET_KEY.username]: 'causeway', [SECRET_KEY.password]: 'secret' };

  it('is read from Secrets of its own', () => {
    const secrets = new Map([
      ['west-ca', ca],
      ['west-user', user],
    ]);
    assert.deepEqual(mirrorAccess(platform, secrets), {
      brokers: ['west-1:9093', 'west-2:9093'],
      tls: { ca: 'PEM' },
      sasl: { mechanism: 'SCRAM-SHA-512', username: 'causeway', password: 'secret' },
    });
    assert.deepEqual(kafkaAccess(platform, secrets), { brokers: ['kafka.kafka:9092'] });
  });

  it('is missed where it is not there', () => {
    assert.equal(mirrorAccess(platform, new Map([['west-ca', ca]])), undefined);
    assert.equal(mirrorAccess(ordersPlatform(), new Map()), undefined);
    const jwt: SecretData = { [SECRET_KEY.hmac]: 'x'.repeat(32) };
    const problems = userSecretProblems(platform, new Map([['orders-jwt', jwt]]), NOW);
    assert.deepEqual(
      problems.map(({ part, reason }) => `${part}:${reason}`),
      ['Topics:SecretNotFound', 'Topics:SecretNotFound'],
    );
  });
});
