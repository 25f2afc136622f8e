import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import type { JWTPayload } from 'jose';
import { mountSecret } from '../testing/index.ts';
import { MountedKeys, NoTokenKeysError, TokenError, TokenVerifier } from './index.ts';

const secret = randomBytes(32);

function sign(
  claims: JWTPayload,
  key: Parameters<SignJWT['sign']>[0] = secret,
  alg = 'HS256',
): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg }).sign(key);
}

async function verifier(files: Record<string, string | Buffer>, rules = {}): Promise<TokenVerifier> {
  const mount = mountSecret(files);
  try {
    const source = new MountedKeys(mount.dir);
    await source.reload();
    return new TokenVerifier(rules, source);
  } finally {
    mount.remove();
  }
}

const refused = (kind: string) => (error: unknown) => {
  assert.ok(error instanceof TokenError);
  assert.equal(error.kind, kind);
  return true;
};

describe('a token', () => {
  it('says who the client is', async () => {
    const exp = Math.floor(Date.now() / 1000) + 60;
    const identity = await (
      await verifier({ hmac: secret })
    ).verify(await sign({ sub: 'ann', tier: 'vip', info: { name: 'Ann' }, exp }));
    assert.deepEqual(identity, {
      user: 'ann',
      tier: 'vip',
      tenant: undefined,
      info: { name: 'Ann' },
      expiresAt: exp,
      capabilities: undefined,
      subscriptions: undefined,
      sync: undefined,
    });
  });

  it('says which keys of etcd the client may see, and is refused when that is not a list of prefixes', async () => {
    const checks = await verifier({ hmac: secret });
    const { sync } = await checks.verify(await sign({ sub: 'ann', sync: ['/config/'] }));
    assert.deepEqual(sync, ['/config/']);
    assert.equal((await checks.verify(await sign({ sub: 'ann' }))).sync, undefined);
    for (const claim of ['/config/', [''], [1], {}, null, Array(65).fill('/a/')]) {
      await assert.rejects(checks.verify(await sign({ sub: 'ann', sync: claim })), refused('invalid'));
    }
  });

  it('is refused with another secret, when it is none, and without sub', async () => {
    const checks = await verifier({ hmac: secret });
    const forged = await sign({ sub: 'ann' }, randomBytes(32));
    for (const token of [forged, '', 'x.y.z', 'nonsense', await sign({}), await sign({ sub: '' })]) {
      await assert.rejects(checks.verify(token), refused('invalid'));
    }
  });

  it('is refused unsigned', async () => {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const token = `${part({ alg: 'none' })}.${part({ sub: 'ann' })}.`;
    await assert.rejects((await verifier({ hmac: secret })).verify(token), refused('invalid'));
  });

  it('for a subscription is checked with the same keys, and is no other', async () => {
    const checks = await verifier({ hmac: secret }, { issuer: 'us' });
    const good = { sub: 'ann', iss: 'us', channel: 'chat:a', allow: ['pub'] };
    const grant = await checks.verifySubscription(await sign(good));
    assert.deepEqual(grant, {
      user: 'ann',
      channel: 'chat:a',
      info: undefined,
      expiresAt: undefined,
      allow: new Set(['pub']),
    });
    await assert.rejects(checks.verify(await sign(good)), refused('invalid'));
    for (const token of [
      await sign({ ...good, iss: 'them' }),
      await sign(good, randomBytes(32)),
      await sign({ sub: 'ann', iss: 'us' }),
      '',
    ]) {
      await assert.rejects(checks.verifySubscription(token), refused('invalid'));
    }
    const old = await sign({ ...good, exp: Math.floor(Date.now() / 1000) - 60 });
    await assert.rejects(checks.verifySubscription(old), refused('expired'));
  });

  it('is told to be expired, so that the client gets a new one', async () => {
    const token = await sign({ sub: 'ann', exp: Math.floor(Date.now() / 1000) - 60 });
    await assert.rejects((await verifier({ hmac: secret })).verify(token), refused('expired'));
  });

  it('must be from the issuer and for the audience', async () => {
    const checks = await verifier({ hmac: secret }, { issuer: 'us', audience: 'chat' });
    await checks.verify(await sign({ sub: 'ann', iss: 'us', aud: ['chat', 'x'] }));
    for (const claims of [{ iss: 'us' }, { aud: 'chat' }, { iss: 'them', aud: 'chat' }]) {
      await assert.rejects(checks.verify(await sign({ sub: 'ann', ...claims })), refused('invalid'));
    }
  });

  for (const alg of ['RS256', 'ES256', 'EdDSA']) {
    it(`is checked with a key set: ${alg}`, async () => {
      const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
      const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), alg }] });
      const checks = await verifier({ 'jwks.json': jwks });
      assert.equal((await checks.verify(await sign({ sub: 'ann' }, privateKey, alg))).user, 'ann');
      // The classic: the public key, which everybody has, used as a shared secret.
      const confused = alg === 'EdDSA' ? undefined : await exportSPKI(publicKey);
      if (confused) {
        await assert.rejects(
          checks.verify(await sign({ sub: 'ann' }, Buffer.from(confused))),
          refused('invalid'),
        );
      }
    });
  }
});

describe('the keys', () => {
  it('are read again when the Secret changes', async () => {
    const mount = mountSecret({ hmac: secret });
    const source = new MountedKeys(mount.dir);
    const checks = new TokenVerifier({}, source);
    assert.equal(await source.reload(), true);
    assert.equal(await source.reload(), false);
    const next = randomBytes(32);
    mount.write({ hmac: next });
    assert.equal(await source.reload(), true);
    await checks.verify(await sign({ sub: 'ann' }, next));
    await assert.rejects(checks.verify(await sign({ sub: 'ann' })), refused('invalid'));
    mount.remove();
  });

  it('stay when the Secret becomes unusable', async () => {
    const mount = mountSecret({ hmac: secret });
    const source = new MountedKeys(mount.dir);
    const checks = new TokenVerifier({}, source);
    await source.reload();
    mount.write({ hmac: 'short' });
    await assert.rejects(source.reload(), NoTokenKeysError);
    await checks.verify(await sign({ sub: 'ann' }));
    mount.remove();
  });

  for (const [what, files] of [
    ['nothing', {}],
    ['a short secret', { hmac: 'short' }],
    ['a broken key set', { 'jwks.json': '{"keys":5}' }],
    ['no JSON', { 'jwks.json': 'x' }],
  ] as const) {
    it(`are refused, and it says what the Secret must have: ${what}`, async () => {
      await assert.rejects(verifier(files), /must have hmac \(32 bytes or more\) or jwks\.json/);
    });
  }

  it('that are not there yet are no fault of the token', async () => {
    const checks = new TokenVerifier({}, new MountedKeys('/nowhere'));
    assert.equal(checks.ready, false);
    await assert.rejects(checks.verify(await sign({ sub: 'ann' })), refused('unavailable'));
  });
});
