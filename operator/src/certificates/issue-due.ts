import { SECRET_KEY, certificateKey, privateKeyKey } from '@causeway/crds';
import { inspectCertificate, splitBundle } from './inspect.ts';
import type { CertificateIssuer, KeyPair } from './issuer.ts';
import { servedVersion, type CertificatePlan, type CertificateWish, type HeldSecrets } from './plan.ts';
import type { Rotation } from './rotation.ts';
import type { SecretData } from './secret-data.ts';

/** Lifetime of an authority, and of the inner certificates that it signs: ten years, milliseconds. */
const AUTHORITY_LIFETIME = 10 * 365 * 86_400_000;
/** Certificates begin a little in the past, for clocks that are behind. */
const BACKDATE = 300_000;

/** As much of a rotation as what the Secret holds depends on. */
export type RotationState = Pick<Rotation, 'from' | 'to' | 'stage'>;

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
  context: {
    platform: string;
    wish: CertificateWish;
    held: HeldSecrets;
    now: number;
    rotation?: RotationState | undefined;
  },
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
      { wish, held: held.served, now, bundle, authority, authorityEnd, rotation: context.rotation },
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
  rotation: RotationState | undefined;
}

async function servedSecret(
  plan: CertificatePlan,
  context: ServedContext,
  issuer: CertificateIssuer,
): Promise<SecretData | undefined> {
  const { wish, held, rotation } = context;
  const step = plan.steps.find((candidate) => candidate.issue === 'served');
  if (step === undefined && servedVersion(held) === 0) return undefined;
  const common = {
    ...keptVersions(held, rotation),
    ...tickets(plan, context, issuer),
    [SECRET_KEY.ca]: servedBundle(context),
    [SECRET_KEY.current]: String(currentVersion(plan, held, rotation)),
  };
  if (step?.issue !== 'served') return common;
  const pair = suppliedPair(wish.supplied) ?? (await servedPair(context, issuer));
  return {
    ...common,
    [certificateKey(step.version)]: pair.certificate,
    [privateKeyKey(step.version)]: pair.privateKey,
  };
}

/** The version for pods that are told none: the new one only once a rotation has verified it on every pod. */
function currentVersion(
  plan: CertificatePlan,
  held: SecretData | undefined,
  rotation: RotationState | undefined,
): number {
  if (plan.atOnce) return plan.nextVersion;
  if (rotation === undefined) return servedVersion(held);
  return rotation.stage === 'Retire' ? rotation.to : rotation.from;
}

/**
 * The key of session tickets, and the version that it began with. A rotation that retires a version ends its tickets
 * with it.
 */
function tickets(
  plan: CertificatePlan,
  { held, rotation }: ServedContext,
  issuer: CertificateIssuer,
): SecretData {
  const key = held?.[SECRET_KEY.ticketKey];
  const since = held?.[SECRET_KEY.ticketSince];
  const ends = rotation?.stage === 'Retire' && since !== String(rotation.to);
  const missing = plan.steps.some((step) => step.issue === 'ticketKey');
  if (key === undefined || missing || ends) {
    const version = rotation?.stage === 'Retire' ? rotation.to : currentVersion(plan, held, rotation);
    return { [SECRET_KEY.ticketKey]: issuer.ticketKey(), [SECRET_KEY.ticketSince]: String(version) };
  }
  return { [SECRET_KEY.ticketKey]: key, ...(since === undefined ? {} : { [SECRET_KEY.ticketSince]: since }) };
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

/** The version that is served now, which stays beside a new one, and during a rotation both of its versions. */
function keptVersions(held: SecretData | undefined, rotation: RotationState | undefined): SecretData {
  const versions = new Set([
    servedVersion(held),
    ...(rotation === undefined ? [] : [rotation.from, rotation.to]),
  ]);
  const kept: Record<string, string> = {};
  for (const version of versions) {
    const certificate = held?.[certificateKey(version)];
    const key = held?.[privateKeyKey(version)];
    if (certificate === undefined || key === undefined) continue;
    kept[certificateKey(version)] = certificate;
    kept[privateKeyKey(version)] = key;
  }
  return kept;
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
