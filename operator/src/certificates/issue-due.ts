import { SECRET_KEY, certificateKey, privateKeyKey } from '@causeway/crds';
import { inspectCertificate, splitBundle } from './inspect.ts';
import type { CertificateIssuer, KeyPair } from './issuer.ts';
import { servedVersion, type CertificatePlan, type CertificateWish, type HeldSecrets } from './plan.ts';
import type { SecretData } from './secret-data.ts';

/** Lifetime of an authority, and of the inner certificates that it signs: ten years, milliseconds. */
const AUTHORITY_LIFETIME = 10 * 365 * 86_400_000;
/** Certificates begin a little in the past, for clocks that are behind. */
const BACKDATE = 300_000;

/** What the four Secrets should hold. */
export interface IssuedSecrets {
  authority: SecretData;
  /** Undefined while a supplied certificate is waited for. */
  served: SecretData | undefined;
  inner: SecretData;
  client: SecretData;
}

/** Carries out a plan: issues what is due and keeps the rest as it is. Writes nothing anywhere. */
export async function issueDue(
  plan: CertificatePlan,
  context: { platform: string; wish: CertificateWish; held: HeldSecrets; now: number },
  issuer: CertificateIssuer,
): Promise<IssuedSecrets> {
  const { platform, wish, held, now } = context;
  const due = new Map(plan.steps.map((step) => [step.issue, step]));
  const authority = due.has('authority')
    ? await issuer.authority({
        commonName: `${platform} causeway authority`,
        notBefore: now - BACKDATE,
        notAfter: now + AUTHORITY_LIFETIME,
      })
    : heldAuthority(held);
  const bundle = trustBundle(authority.certificate, held.inner?.[SECRET_KEY.ca], now);
  const authorityEnd = inspectCertificate(authority.certificate)?.notAfter ?? now + AUTHORITY_LIFETIME;

  const pair = async (name: 'inner' | 'client'): Promise<SecretData> => {
    const both = name === 'inner';
    const request = {
      commonName: both ? `${platform} inner` : `${platform} client`,
      dnsNames: both ? wish.innerNames : [],
      usages: both ? (['server', 'client'] as const) : (['client'] as const),
      notBefore: now - BACKDATE,
      notAfter: authorityEnd,
    };
    const old = held[name];
    const keys = due.has(name) || old === undefined ? await issuer.leaf(request, authority) : heldPair(old);
    return {
      [SECRET_KEY.ca]: bundle,
      [SECRET_KEY.cert]: keys.certificate,
      [SECRET_KEY.key]: keys.privateKey,
    };
  };

  return {
    authority: { [SECRET_KEY.ca]: authority.certificate, [SECRET_KEY.caKey]: authority.privateKey },
    inner: await pair('inner'),
    client: await pair('client'),
    served: await servedSecret(
      plan,
      { wish, held: held.served, now, bundle, authority, authorityEnd },
      issuer,
    ),
  };
}

interface ServedContext {
  wish: CertificateWish;
  held: SecretData | undefined;
  now: number;
  bundle: string;
  authority: KeyPair;
  authorityEnd: number;
}

async function servedSecret(
  plan: CertificatePlan,
  context: ServedContext,
  issuer: CertificateIssuer,
): Promise<SecretData | undefined> {
  const { wish, held } = context;
  const step = plan.steps.find((candidate) => candidate.issue === 'served');
  if (step === undefined && servedVersion(held) === 0) return undefined;
  const common = {
    ...keptVersions(held),
    [SECRET_KEY.ca]: servedBundle(context),
    [SECRET_KEY.ticketKey]: ticketKey(plan, held) ?? issuer.ticketKey(),
  };
  if (step?.issue !== 'served') return { ...common, [SECRET_KEY.current]: String(servedVersion(held)) };
  const pair = suppliedPair(wish.supplied) ?? (await servedPair(context, issuer));
  return {
    ...common,
    [certificateKey(step.version)]: pair.certificate,
    [privateKeyKey(step.version)]: pair.privateKey,
    [SECRET_KEY.current]: String(step.version),
  };
}

/** The ticket key that stays; undefined when a new one is due. */
function ticketKey(plan: CertificatePlan, held: SecretData | undefined): string | undefined {
  return plan.steps.some((step) => step.issue === 'ticketKey') ? undefined : held?.[SECRET_KEY.ticketKey];
}

/** What clients of the gateways should trust. */
function servedBundle({ wish, held, bundle }: ServedContext): string {
  if (!wish.isSupplied) return bundle;
  return wish.supplied?.[SECRET_KEY.ca] ?? held?.[SECRET_KEY.ca] ?? '';
}

function suppliedPair(supplied: SecretData | undefined): KeyPair | undefined {
  const certificate = supplied?.[SECRET_KEY.cert];
  const privateKey = supplied?.[SECRET_KEY.key];
  return certificate === undefined || privateKey === undefined ? undefined : { certificate, privateKey };
}

function servedPair(
  { wish, now, authority, authorityEnd }: ServedContext,
  issuer: CertificateIssuer,
): Promise<KeyPair> {
  const request = {
    commonName: wish.servedNames[0]?.slice(0, 64) ?? 'causeway gateway',
    dnsNames: wish.servedNames,
    usages: ['server'] as const,
    notBefore: now - BACKDATE,
    notAfter: Math.min(now + wish.duration, authorityEnd),
  };
  return issuer.leaf(request, authority);
}

/** The version that is served now: it stays beside a new one, for pods that have not seen the new one yet. */
function keptVersions(held: SecretData | undefined): SecretData {
  const version = servedVersion(held);
  const certificate = held?.[certificateKey(version)];
  const key = held?.[privateKeyKey(version)];
  if (certificate === undefined || key === undefined) return {};
  return { [certificateKey(version)]: certificate, [privateKeyKey(version)]: key };
}

/** The authority, and those trusted before it that have not ended: what they signed may still be in use. */
function trustBundle(authority: string, before: string | undefined, now: number): string {
  const old = splitBundle(before).filter(
    (pem) => (inspectCertificate(pem)?.notAfter ?? 0) > now && pem.trim() !== authority.trim(),
  );
  return [authority, ...old].map((pem) => `${pem.trim()}\n`).join('');
}

function heldAuthority(held: HeldSecrets): KeyPair {
  return {
    certificate: held.authority?.[SECRET_KEY.ca] ?? '',
    privateKey: held.authority?.[SECRET_KEY.caKey] ?? '',
  };
}

function heldPair(held: SecretData): KeyPair {
  return { certificate: held[SECRET_KEY.cert] ?? '', privateKey: held[SECRET_KEY.key] ?? '' };
}
