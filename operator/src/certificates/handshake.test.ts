import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { createServer, type Server, type TlsOptions } from 'node:tls';
import { SECRET_KEY } from '@causeway/crds';
import { shake, versionShown, type Shown } from './handshake.ts';
import { x509Issuer, type KeyPair } from './issuer.ts';

const NAME = 'orders-gateway.messaging.svc';
const DAY = 86_400_000;
const valid = { notBefore: Date.now() - DAY, notAfter: Date.now() + DAY };
let authority: KeyPair;
let first: KeyPair;
let second: KeyPair;
const servers: Server[] = [];

before(async () => {
  authority = await x509Issuer.authority({ commonName: 'orders authority', ...valid });
  const request = { commonName: 'gateway', dnsNames: [NAME], usages: ['server'] as const, ...valid };
  [first, second] = await Promise.all([
    x509Issuer.leaf(request, authority),
    x509Issuer.leaf(request, authority),
  ]);
});

after(() => {
  for (const server of servers) server.close();
});

/** Serves, and resolves with what the operator sees of it. */
async function shown(options: TlsOptions, ca: string | undefined = authority.certificate): Promise<Shown> {
  const server = createServer(options);
  servers.push(server);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return shake({ host: '127.0.0.1', port, servername: NAME, ca });
}

function pairOf({ certificate, privateKey }: KeyPair): TlsOptions {
  return { cert: certificate, key: privateKey, minVersion: 'TLSv1.3' };
}

function versionOf(what: Shown): ReturnType<typeof versionShown> {
  const served = {
    'tls-1.crt': first.certificate,
    'tls-2.crt': second.certificate,
    [SECRET_KEY.ca]: authority.certificate,
  };
  return versionShown(what, served, [1, 2]);
}

describe('a handshake with a gateway', () => {
  it('shows which version it serves', async () => {
    assert.deepEqual(versionOf(await shown(pairOf(first))), { shows: 1 });
    assert.deepEqual(versionOf(await shown(pairOf(second))), { shows: 2 });
  });

  it('of a new authority is good to those who trust it, or only the one before', async () => {
    const next = await x509Issuer.authority({ commonName: 'orders authority 2', ...valid });
    const request = { commonName: 'gateway', dnsNames: [NAME], usages: ['server'] as const, ...valid };
    const leaf = await x509Issuer.leaf(request, next);
    const certificate = `${leaf.certificate}${await x509Issuer.cross(next, authority)}`;
    for (const ca of [authority.certificate, next.certificate, authority.certificate + next.certificate])
      assert.equal((await shown(pairOf({ ...leaf, certificate }), ca)).refusal, undefined);
    assert.notEqual((await shown(pairOf(leaf))).refusal, undefined, 'not without the cross-signature');
  });

  it('shows a certificate that is in no version', async () => {
    const other = await x509Issuer.leaf(
      { commonName: 'other', dnsNames: [NAME], usages: ['server'], ...valid },
      authority,
    );
    const { shows, trouble } = versionOf(await shown(pairOf(other)));
    assert.equal(shows, undefined);
    assert.match(trouble ?? '', /^it shows a certificate that is in no version \(SHA-256 [0-9a-f]{64}\)$/);
  });

  it('does not count when clients would refuse it', async () => {
    const stranger = await x509Issuer.authority({ commonName: 'stranger', ...valid });
    const { shows, trouble } = versionOf(await shown(pairOf(first), stranger.certificate));
    assert.equal(shows, undefined);
    assert.match(trouble ?? '', /^clients refuse its certificate: [A-Z_]+$/);
    assert.deepEqual(versionOf(await shown(pairOf(first), undefined)), { shows: 1 });
  });

  it('does not count below TLS 1.3', async () => {
    const old = { ...pairOf(first), minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const;
    assert.deepEqual(versionOf(await shown(old)), {
      shows: undefined,
      trouble: 'it speaks TLSv1.2, not TLSv1.3',
    });
  });

  it('counts the whole chain: a leaf without its intermediate is no version', () => {
    const chain = `${first.certificate}${authority.certificate}`;
    const alone: Shown = { chain: [], protocol: 'TLSv1.3', refusal: undefined };
    assert.equal(versionShown(alone, { 'tls-1.crt': chain }, [1]).shows, undefined);
  });

  it('fails with the reason when there is none', async () => {
    const target = { host: '127.0.0.1', port: 1, servername: NAME, ca: authority.certificate };
    await assert.rejects(shake(target), /ECONNREFUSED/);
  });
});
