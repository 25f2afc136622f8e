import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { SECRET_KEY } from '@causeway/crds';
import {
  checkSuppliedCertificate,
  decodeSecret,
  encodeSecret,
  inspectCertificate,
  issueDue,
  planCertificates,
  splitBundle,
  x509Issuer,
  type CertificateWish,
  type HeldSecrets,
  type Rotation,
} from './index.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = Date.parse('2026-11-23T12:00:00Z');
const NOTHING: HeldSecrets = { authority: undefined, served: undefined, inner: undefined, client: undefined };
const WISH: CertificateWish = {
  servedNames: ['orders-gateway.messaging.svc', 'rt.example.com'],
  innerNames: ['orders-redis.messaging.svc'],
  duration: 90 * DAY,
  renewBefore: 30 * DAY,
  isSupplied: false,
};

async function issued(
  held: HeldSecrets = NOTHING,
  wish = WISH,
  now = NOW,
  rotation?: Rotation,
): Promise<HeldSecrets> {
  const plan = planCertificates(wish, held, now, { rotation });
  return issueDue(plan, { platform: 'orders', wish, held, now, rotation }, x509Issuer);
}

function due(wish: CertificateWish, held: HeldSecrets, now = NOW): string[] {
  return planCertificates(wish, held, now).steps.map((step) => `${step.issue}:${step.reason}`);
}

/** Why a rotation should begin. */
function rotationDue(wish: CertificateWish, held: HeldSecrets, now = NOW): string | undefined {
  return planCertificates(wish, held, now).due;
}

function rotating(stage: Rotation['stage']): Rotation {
  return { from: 1, to: 2, reason: 'Requested', stage, startedAt: NOW, stageSince: NOW };
}

describe('the certificates of a platform', () => {
  it('are all issued at first, and then nothing is due', async () => {
    assert.deepEqual(due(WISH, NOTHING), [
      'authority:Missing',
      'inner:Missing',
      'client:Missing',
      'served:Missing',
      'ticketKey:Missing',
    ]);
    const held = await issued();
    assert.deepEqual(due(WISH, held), []);
    assert.deepEqual(await issued(held), held, 'issuing with nothing due keeps every byte');
  });

  it('survive the way through a Secret byte for byte', async () => {
    const held = await issued();
    assert.deepEqual(decodeSecret(encodeSecret(held.served ?? {})), held.served);
    assert.equal(Buffer.from(held.served?.[SECRET_KEY.ticketKey] ?? '', 'latin1').length, 48);
  });

  it('form a chain that a stranger verifies, with the names asked for', async () => {
    const held = await issued();
    const authority = new X509Certificate(held.authority?.[SECRET_KEY.ca] ?? '');
    const leaf = new X509Certificate(held.served?.['tls-1.crt'] ?? '');
    assert.ok(leaf.checkIssued(authority) && leaf.verify(authority.publicKey));
    assert.equal(leaf.checkHost('rt.example.com'), 'rt.example.com');
    assert.equal(leaf.checkHost('evil.example.com'), undefined);
    assert.equal(leaf.ca, false);
    assert.equal(authority.ca, true);
  });

  it('are due for a rotation before they end, and replaced at once when they have', async () => {
    const held = await issued();
    assert.equal(rotationDue(WISH, held, NOW + 59 * DAY), undefined);
    assert.equal(rotationDue(WISH, held, NOW + 60 * DAY), 'Expiring');
    assert.deepEqual(due(WISH, held, NOW + 60 * DAY), []);
    assert.deepEqual(due(WISH, held, NOW + 90 * DAY), ['served:Expiring']);
    const late = await issued(held, WISH, NOW + 90 * DAY);
    assert.equal(late.served?.[SECRET_KEY.current], '2');
    assert.ok(late.served?.['tls-2.key']);
  });

  it('get a new version beside the old one in a rotation, which takes its place when it retires', async () => {
    const held = await issued();
    const both = await issued(held, WISH, NOW, rotating('Issue'));
    assert.deepEqual(
      Object.keys(both.served ?? {})
        .filter((key) => key.startsWith('tls-'))
        .sort(),
      ['tls-1.crt', 'tls-1.key', 'tls-2.crt', 'tls-2.key'],
    );
    assert.equal(both.served?.[SECRET_KEY.current], '1', 'pods that are told nothing serve what all trust');
    assert.deepEqual(await issued(both, WISH, NOW, rotating('Roll')), both);

    const retired = await issued(both, WISH, NOW, rotating('Retire'));
    assert.equal(retired.served?.[SECRET_KEY.current], '2');
    assert.ok(retired.served?.['tls-1.crt'], 'the old one stays for pods that are late');
    assert.notEqual(retired.served?.[SECRET_KEY.ticketKey], held.served?.[SECRET_KEY.ticketKey]);
    assert.deepEqual(await issued(retired, WISH, NOW, rotating('Retire')), retired, 'one new ticket key');
    const after = await issued(retired);
    assert.equal(after.served?.['tls-1.crt'], undefined);
    assert.equal(after.served?.['tls-2.crt'], both.served?.['tls-2.crt']);

    const back = await issued(both);
    assert.equal(back.served?.['tls-2.crt'], undefined, 'one that was rolled back leaves nothing');
    assert.equal(back.served?.[SECRET_KEY.ticketKey], held.served?.[SECRET_KEY.ticketKey]);
  });

  it('never use a number twice, also when the current one was lost', async () => {
    const held = await issued();
    const served = { ...held.served, [SECRET_KEY.current]: 'nonsense' };
    const again = await issued({ ...held, served });
    assert.equal(again.served?.[SECRET_KEY.current], '2');
  });

  it('are issued anew when names change', async () => {
    const held = await issued();
    const renamed = { ...WISH, servedNames: ['rt2.example.com'] };
    assert.deepEqual([due(renamed, held), rotationDue(renamed, held)], [[], 'NamesChanged']);
    assert.deepEqual(due({ ...WISH, innerNames: ['orders-redis-d.messaging.svc'] }, held), [
      'inner:NamesChanged',
    ]);
  });

  it('are issued anew when a Secret was edited to something broken', async () => {
    const held = await issued();
    const other = await issued();
    const served = { ...held.served, 'tls-1.key': other.served?.['tls-1.key'] ?? '' };
    assert.deepEqual(due(WISH, { ...held, served }), ['served:Broken']);
    assert.deepEqual(due(WISH, { ...held, authority: { [SECRET_KEY.ca]: 'x', [SECRET_KEY.caKey]: 'y' } }), [
      'authority:Broken',
      'inner:AuthorityChanged',
      'client:AuthorityChanged',
      'served:AuthorityChanged',
    ]);
  });

  it('keep trust in the lost authority while what it signed may be in use', async () => {
    const held = await issued();
    const after = await issued({ ...held, authority: undefined });
    const bundle = splitBundle(after.inner?.[SECRET_KEY.ca]).map(
      (pem) => inspectCertificate(pem)?.fingerprint,
    );
    assert.deepEqual(bundle, [
      inspectCertificate(after.authority?.[SECRET_KEY.ca])?.fingerprint,
      inspectCertificate(held.authority?.[SECRET_KEY.ca])?.fingerprint,
    ]);
  });
});

describe('a certificate that the user supplies', () => {
  it('is served as the next version when it changes, and the old one stays while it is missing', async () => {
    const source = await issued();
    const supplied = {
      [SECRET_KEY.cert]: source.served?.['tls-1.crt'] ?? '',
      [SECRET_KEY.key]: source.served?.['tls-1.key'] ?? '',
      [SECRET_KEY.ca]: source.authority?.[SECRET_KEY.ca] ?? '',
    };
    const wish = { ...WISH, isSupplied: true, supplied };
    const waiting = await issued(NOTHING, { ...WISH, isSupplied: true });
    assert.equal(waiting.served, undefined, 'nothing can be served yet');
    const first = await issued(NOTHING, wish);
    assert.equal(first.served?.['tls-1.crt'], supplied[SECRET_KEY.cert]);
    assert.deepEqual(due(wish, first), []);
    assert.deepEqual(due({ ...WISH, isSupplied: true }, first), [], 'gone, or refused: what is served stays');
    const next = { ...supplied, [SECRET_KEY.cert]: (await issued()).served?.['tls-1.crt'] ?? '' };
    assert.equal(rotationDue({ ...wish, supplied: next }, first), 'SuppliedChanged');
  });

  it('is refused with a reason when it is broken', async () => {
    const source = await issued();
    const cert = source.served?.['tls-1.crt'] ?? '';
    const key = source.served?.['tls-1.key'] ?? '';
    const check = (data: Record<string, string>, now = NOW): string | undefined =>
      checkSuppliedCertificate(data, now)?.reason;
    assert.equal(check({ 'tls.crt': cert, 'tls.key': key }), undefined);
    assert.equal(check({ 'tls.key': key }), 'CertificateInvalid');
    assert.equal(check({ 'tls.crt': cert, 'tls.key': 'x' }), 'KeyMismatch');
    assert.equal(check({ 'tls.crt': cert, 'tls.key': key }, NOW + 91 * DAY), 'CertificateExpired');
  });
});
