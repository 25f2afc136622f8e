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
  trustNeededSince,
  x509Issuer,
  type CertificateWish,
  type HeldSecrets,
  type Rotation,
  type SecretData,
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
  authority: { duration: 3650 * DAY, renewBefore: 365 * DAY },
  ticketKeyLifetime: 7 * DAY,
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

function rotating(stage: Rotation['stage'], more: Partial<Rotation> = {}): Rotation {
  return { from: 1, to: 2, reason: 'Requested', stage, startedAt: NOW, stageSince: NOW, ...more };
}

function authoritiesIn(secret: SecretData | undefined): (string | undefined)[] {
  return splitBundle(secret?.[SECRET_KEY.ca]).map((pem) => inspectCertificate(pem)?.fingerprint);
}

function isSigned(pem: string, by = ''): boolean {
  const [certificate, issuer] = [new X509Certificate(pem), new X509Certificate(by)];
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
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
    assert.deepEqual(due(WISH, held, NOW + 60 * DAY), ['ticketKey:Expiring']);
    assert.deepEqual(due(WISH, held, NOW + 90 * DAY), [
      'inner:Expiring',
      'client:Expiring',
      'served:Expiring',
      'ticketKey:Expiring',
    ]);
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

  it('of the inner links have both pairs by their numbers too, and use the new one from Verify on', async () => {
    const held = await issued();
    const both = await issued(held, WISH, NOW, rotating('Issue'));
    const used = (secrets: HeldSecrets): (string | undefined)[] =>
      [secrets.inner, secrets.client].map((secret) => secret?.[SECRET_KEY.cert]);
    assert.deepEqual(used(both), used(held));
    const moved = await issued(both, WISH, NOW, rotating('Verify'));
    assert.deepEqual(used(moved), [both.inner?.['tls-2.crt'], both.client?.['tls-2.crt']]);
    assert.notDeepEqual(used(moved), used(held));
    const back = await issued(moved, WISH, NOW, rotating('RollBack'));
    assert.deepEqual(used(back), used(held));
    assert.deepEqual((await issued(back)).inner, held.inner, 'nothing is left of it');
    const after = await issued(await issued(moved, WISH, NOW, rotating('Retire')));
    assert.deepEqual(Object.keys(after.inner ?? {}).sort(), ['ca.crt', 'tls.crt', 'tls.key']);
    assert.deepEqual(used(after), used(moved));
  });

  it('of a new authority are trusted through the old one, until its key is gone', async () => {
    const held = await issued();
    const authority = { authority: true };
    const both = await issued(held, WISH, NOW, rotating('Issue', authority));
    const [oldOne] = authoritiesIn(held.authority);
    const newOne = inspectCertificate(both.authority?.[SECRET_KEY.nextCa])?.fingerprint;
    for (const secret of [both.inner, both.client, both.served])
      assert.deepEqual(authoritiesIn(secret), [oldOne, newOne]);
    for (const pem of [both.served?.['tls-2.crt'], both.inner?.['tls-2.crt']]) {
      const [leaf = '', cross = ''] = splitBundle(pem);
      assert.ok(isSigned(leaf, both.authority?.[SECRET_KEY.nextCa]));
      assert.ok(isSigned(leaf, cross) && isSigned(cross, held.authority?.[SECRET_KEY.ca]));
    }
    assert.deepEqual(await issued(both, WISH, NOW, rotating('Roll', authority)), both, 'nothing twice');

    const retired = await issued(both, WISH, NOW, rotating('Retire', authority));
    assert.deepEqual(authoritiesIn(retired.authority), [newOne]);
    assert.equal(retired.authority?.[SECRET_KEY.nextCaKey], undefined);
    assert.ok(
      !JSON.stringify(retired).includes(JSON.stringify(held.authority?.[SECRET_KEY.caKey]).slice(1, -1)),
    );
    assert.deepEqual(authoritiesIn(retired.inner), [newOne, oldOne]);
    const over = await issued(retired, WISH, NOW + 30_000, rotating('Retire', authority));
    assert.deepEqual(authoritiesIn(over.inner), [newOne]);
    const after = await issued(over);
    assert.deepEqual([due(WISH, after), authoritiesIn(after.served)], [[], [newOne]]);
    const later = await issued(after, WISH, NOW, rotating('Issue', { from: 2, to: 3 }));
    assert.equal(splitBundle(later.inner?.['tls-3.crt']).length, 2, 'etcd may still trust the old one alone');
  });

  it('of a new authority leave nothing when the rotation goes back', async () => {
    const held = await issued();
    const both = await issued(held, WISH, NOW, rotating('Verify', { authority: true }));
    const back = await issued(both, WISH, NOW, rotating('RollBack', { authority: true }));
    assert.equal(authoritiesIn(back.inner).length, 2, 'what goes back may still show it');
    assert.deepEqual(await issued(back), held);
  });

  it('ask for a new authority in time, and for one at once when it is lost', async () => {
    const held = await issued();
    const planAt = (now: number): boolean => planCertificates(WISH, held, now).authorityDue;
    assert.deepEqual([planAt(NOW + 3284 * DAY), planAt(NOW + 3285 * DAY)], [false, true]);
    const since = (secrets: HeldSecrets): number => trustNeededSince(secrets.authority, NOW);
    assert.equal(since(held), NOW);
    const lost = await issued({ ...held, authority: undefined }, WISH, NOW + HOUR);
    assert.equal(since(lost), NOW + HOUR, 'no etcd that started before can know it');
    const rotated = await issued(held, WISH, NOW + HOUR, rotating('Issue', { authority: true }));
    assert.equal(since(rotated), NOW, 'the old one leads to it');
  });

  it('change the ticket key when it has had its time', async () => {
    const held = await issued();
    const later = await issued(held, WISH, NOW + 7 * DAY);
    assert.notEqual(later.served?.[SECRET_KEY.ticketKey], held.served?.[SECRET_KEY.ticketKey]);
    assert.deepEqual(due(WISH, later, NOW + 13 * DAY), []);
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
