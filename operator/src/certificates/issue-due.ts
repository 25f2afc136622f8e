import { SECRET_KEY, certificateKey, privateKeyKey } from '@causeway/crds';
import {
  BACKDATE,
  authoritySecret,
  trustBundle,
  type Authorities,
  type Authority,
  type RotationState,
} from './authorities.ts';
import { inspectCertificate } from './inspect.ts';
import { issueAuthorities } from './issue-authorities.ts';
import type { CertificateIssuer, KeyPair, LeafRequest } from './issuer.ts';
import { servedVersion, type CertificatePlan, type CertificateWish, type HeldSecrets } from './plan.ts';
import type { SecretData } from './secret-data.ts';

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
    /** Versions that gateway pods are told to serve. */
    told?: readonly number[];
  },
  issuer: CertificateIssuer,
): Promise<IssuedSecrets> {
  const { platform, wish, held, now, rotation } = context;
  const authorities = await issueAuthorities(plan, { ...context, held: held.authority, rotation }, issuer);
  const old = { authority: held.authority, bundle: held.inner?.[SECRET_KEY.ca] };
  const common: IssueContext = {
    wish,
    now,
    rotation,
    authorities,
    bundle: trustBundle(authorities, old, { now, rotation }),
  };
  const names = { inner: wish.innerNames, client: [] };
  const pairSecret = (name: 'inner' | 'client'): Promise<SecretData> =>
    linkSecret(plan, { ...common, name, held: held[name] }, (signer) =>
      signedPair(
        {
          commonName: `${platform} ${name}`,
          dnsNames: names[name],
          usages: name === 'inner' ? ['server', 'client'] : ['client'],
        },
        { ...common, signer },
        issuer,
      ),
    );
  return {
    authority: authoritySecret(authorities),
    inner: await pairSecret('inner'),
    client: await pairSecret('client'),
    served: await servedSecret(plan, { ...common, held: held.served, told: context.told ?? [] }, issuer),
  };
}

/** What everything that is issued together has in common. */
interface IssueContext {
  wish: CertificateWish;
  now: number;
  rotation: RotationState | undefined;
  authorities: Authorities;
  bundle: string;
}

/** A new pair. With it comes what leads those to its authority who trust only the one before. */
async function signedPair(
  request: Pick<LeafRequest, 'commonName' | 'dnsNames' | 'usages'>,
  { wish, now, signer }: { wish: CertificateWish; now: number; signer: Authority },
  issuer: CertificateIssuer,
): Promise<KeyPair> {
  const lifetime = now + wish.duration;
  const end = inspectCertificate(signer.certificate)?.notAfter ?? lifetime;
  const times = { notBefore: now - BACKDATE, notAfter: Math.min(lifetime, end) };
  const leaf = await issuer.leaf({ ...request, ...times }, signer);
  return { ...leaf, certificate: `${leaf.certificate}${signer.cross ?? ''}` };
}

/**
 * The Secret of an inner link: the pair in use, and during a rotation both of its pairs by their numbers. The new one is
 * in use once all gateways have shown theirs, and no longer when the rotation goes back.
 */
async function linkSecret(
  plan: CertificatePlan,
  context: IssueContext & { name: 'inner' | 'client'; held: SecretData | undefined },
  issue: (signer: Authority) => Promise<KeyPair>,
): Promise<SecretData> {
  const { name, held, rotation, authorities, bundle } = context;
  const steps = plan.steps.filter((step) => step.issue === name);
  const atOnce = steps.some((step) => !('version' in step));
  const isNew = steps.some((step) => 'version' in step);
  const used = atOnce || held === undefined ? await issue(authorities.present) : heldPair(held);
  const secret = (pair: KeyPair, more: SecretData = {}): SecretData => ({
    [SECRET_KEY.ca]: bundle,
    [SECRET_KEY.cert]: pair.certificate,
    [SECRET_KEY.key]: pair.privateKey,
    ...more,
  });
  if (rotation === undefined) return secret(used);
  const isMoved = rotation.stage === 'Verify' || rotation.stage === 'Retire';
  const replaces = (moved: boolean): boolean => atOnce && isMoved === moved;
  const from = replaces(false) ? used : (heldPair(held, rotation.from) ?? used);
  const to = isNew
    ? await issue(authorities.next ?? authorities.present)
    : replaces(true)
      ? used
      : heldPair(held, rotation.to);
  return secret(isMoved ? (to ?? from) : from, {
    ...numbered(rotation.from, from),
    ...(to === undefined ? {} : numbered(rotation.to, to)),
  });
}

function numbered(version: number, pair: KeyPair): SecretData {
  return { [certificateKey(version)]: pair.certificate, [privateKeyKey(version)]: pair.privateKey };
}

type ServedContext = IssueContext & { held: SecretData | undefined; told: readonly number[] };

async function servedSecret(
  plan: CertificatePlan,
  context: ServedContext,
  issuer: CertificateIssuer,
): Promise<SecretData | undefined> {
  const { wish, held, rotation } = context;
  const step = plan.steps.find((candidate) => candidate.issue === 'served');
  if (step === undefined && servedVersion(held) === 0) return undefined;
  const common = {
    ...keptVersions(context),
    ...tickets(plan, context, issuer),
    [SECRET_KEY.ca]: servedBundle(context),
    [SECRET_KEY.current]: String(currentVersion(plan, held, rotation)),
  };
  if (step?.issue !== 'served') return common;
  const { present, next } = context.authorities;
  // What is issued at once ends the rotation, and with it the next authority.
  const signer = plan.atOnce ? present : (next ?? present);
  const pair = suppliedPair(wish.supplied) ?? (await servedPair({ ...context, signer }, issuer));
  return { ...common, ...numbered(step.version, pair) };
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
 * The key of session tickets, when it was made, and the version that it began with. A rotation that retires a version
 * ends its tickets with it; besides, a key has its time.
 */
function tickets(
  plan: CertificatePlan,
  { held, rotation, now }: ServedContext,
  issuer: CertificateIssuer,
): SecretData {
  const version = String(currentVersion(plan, held, rotation));
  const key = held?.[SECRET_KEY.ticketKey];
  const since = held?.[SECRET_KEY.ticketSince] ?? version;
  const made = held?.[SECRET_KEY.ticketMade] ?? '';
  const isDue = plan.steps.some((step) => step.issue === 'ticketKey');
  const ends = rotation?.stage === 'Retire' && since !== version;
  const is =
    key === undefined || isDue || ends
      ? { key: issuer.ticketKey(), since: version, made: new Date(now).toISOString() }
      : { key, since, made };
  return {
    [SECRET_KEY.ticketKey]: is.key,
    [SECRET_KEY.ticketSince]: is.since,
    [SECRET_KEY.ticketMade]: is.made,
  };
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
  context: ServedContext & { signer: Authority },
  issuer: CertificateIssuer,
): Promise<KeyPair> {
  const { wish } = context;
  const request = {
    commonName: wish.servedNames[0]?.slice(0, 64) ?? 'causeway gateway',
    dnsNames: wish.servedNames,
    usages: ['server'] as const,
  };
  return signedPair(request, context, issuer);
}

/**
 * The version that is served now, which stays beside a new one, during a rotation both of its versions, and what a pod is
 * told to serve: it is told another one first.
 */
function keptVersions({ held, rotation, told }: ServedContext): SecretData {
  const versions = new Set([
    servedVersion(held),
    ...told,
    ...(rotation === undefined ? [] : [rotation.from, rotation.to]),
  ]);
  const pairs = [...versions].map((version) => ({ version, pair: heldPair(held, version) }));
  return Object.assign(
    {},
    ...pairs.map(({ version, pair }) => (pair ? numbered(version, pair) : {})),
  ) as SecretData;
}

/** A pair that a Secret holds: the one of that number, or the one in use. Undefined: it is not there. */
function heldPair(held: SecretData): KeyPair;
function heldPair(held: SecretData | undefined, version: number): KeyPair | undefined;
function heldPair(held: SecretData | undefined, version?: number): KeyPair | undefined {
  if (version === undefined)
    return { certificate: held?.[SECRET_KEY.cert] ?? '', privateKey: held?.[SECRET_KEY.key] ?? '' };
  const certificate = held?.[certificateKey(version)];
  const privateKey = held?.[privateKeyKey(version)];
  return certificate === undefined || privateKey === undefined ? undefined : { certificate, privateKey };
}
