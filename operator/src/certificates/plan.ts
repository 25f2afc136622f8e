/** What is due: a pure decision over what the Secrets hold. */
import { SECRET_KEY, certificateKey, privateKeyKey } from '@causeway/crds';
import { signersOf } from './authorities.ts';
import { inspectCertificate, keyMatches, signedByOne, type CertificateFacts } from './inspect.ts';
import type { DueReason, Rotation, RotationReason } from './rotation.ts';
import type { SecretData } from './secret-data.ts';

/** What a platform wants of its certificates. Durations in milliseconds. */
export interface CertificateWish {
  /** Names that the gateways' certificate must have. */
  servedNames: readonly string[];
  /** Names that the inner certificate of Redis, etcd and their clients must have. */
  innerNames: readonly string[];
  duration: number;
  renewBefore: number;
  /** Of the platform's own authority. */
  authority: { duration: number; renewBefore: number };
  /** How long a session-ticket key is used. */
  ticketKeyLifetime: number;
  /** A pair that the user supplies, already checked; the gateways' certificate is then a copy of it. */
  supplied?: SecretData;
  /** True when the gateways' certificate comes from the user, whether it is there now or not. */
  isSupplied: boolean;
}

/** What the four Secrets hold now; undefined: the Secret is not there. */
export interface HeldSecrets {
  authority: SecretData | undefined;
  served: SecretData | undefined;
  inner: SecretData | undefined;
  client: SecretData | undefined;
}

/**
 * One thing to issue. `version`: number of the pair; an inner pair without one takes the place of the one in use at
 * once. `nextAuthority`: the one that a rotation brings, beside the present one.
 */
export type CertificateStep =
  | { issue: 'authority' | 'ticketKey'; reason: DueReason }
  | { issue: 'nextAuthority'; reason: RotationReason }
  | { issue: 'inner' | 'client'; reason: RotationReason; version?: number }
  | { issue: 'served'; reason: RotationReason; version: number };

export interface CertificatePlan {
  /** In the order in which to do them. */
  steps: CertificateStep[];
  /** Version that is served before the steps; 0 when there is none. */
  version: number;
  /** Why certificates that still work should be replaced by a rotation. */
  due: DueReason | undefined;
  /** The authority should be replaced by that rotation too. */
  authorityDue: boolean;
  /** The served certificate is gone or of no use: what replaces it goes out at once, without a rotation. */
  atOnce: boolean;
  /** Number for the next version of the served certificate. */
  nextVersion: number;
}

/** What is known of rotations when a plan is made. */
export interface RotationFacts {
  rotation?: Pick<Rotation, 'from' | 'to' | 'stage' | 'reason' | 'authority'> | undefined;
  /** Highest version that there ever was, as far as status knows. */
  lastVersion?: number;
}

/**
 * What is due now. Nothing that works is ever replaced without a reason, and what gateways serve and inner links use only
 * by a rotation, whose new version is issued beside the old one.
 */
export function planCertificates(
  wish: CertificateWish,
  held: HeldSecrets,
  now: number,
  { rotation, lastVersion = 0 }: RotationFacts = {},
): CertificatePlan {
  const lost = dueAuthority(held.authority, now);
  const signers = lost === undefined ? signersOf(held.authority, now) : undefined;
  const version = servedVersion(held.served);
  const served = dueServed(wish, held.served, { version, authority: signers, now });
  const inner = dueInnerPairs(wish, held, { authority: signers, now });
  const next = Math.max(nextVersion(held.served), lastVersion + 1);
  const atOnce = served !== undefined && !(MAY_WAIT.has(served) && isValid(held.served, version, now));
  const authorityDue = lost === undefined && endsWithin(held.authority, wish.authority.renewBefore, now);
  return {
    steps: [
      ...(lost === undefined ? [] : [{ issue: 'authority' as const, reason: lost }]),
      ...inner.atOnce,
      ...(atOnce ? [{ issue: 'served' as const, reason: served, version: next }] : []),
      ...(atOnce || rotation === undefined ? [] : rotationSteps(held, rotation)),
      ...dueTicketKey(held.served, wish, now),
    ],
    version,
    due: atOnce ? undefined : (served ?? inner.due ?? dueWithAuthority(authorityDue)),
    authorityDue,
    atOnce,
    nextVersion: next,
  };
}

function endsWithin(authority: SecretData | undefined, renewBefore: number, now: number): boolean {
  return (inspectCertificate(authority?.[SECRET_KEY.ca])?.notAfter ?? Infinity) - renewBefore <= now;
}

function dueWithAuthority(isDue: boolean): DueReason | undefined {
  return isDue ? 'Expiring' : undefined;
}

/** What a rotation has to have beside what is in use; it is never issued once the way back is begun. */
function rotationSteps(
  held: HeldSecrets,
  { to, stage, reason, authority }: NonNullable<RotationFacts['rotation']>,
): CertificateStep[] {
  if (stage === 'RollBack' || stage === 'Retire') return [];
  const needsAuthority =
    authority === true &&
    !keyMatches(held.authority?.[SECRET_KEY.nextCa], held.authority?.[SECRET_KEY.nextCaKey]);
  return [
    ...(needsAuthority ? [{ issue: 'nextAuthority' as const, reason }] : []),
    ...(['inner', 'client', 'served'] as const)
      .filter((name) => !hasPair(held[name], to))
      .map((issue) => ({ issue, reason, version: to })),
  ];
}

function dueTicketKey(
  served: SecretData | undefined,
  { ticketKeyLifetime }: CertificateWish,
  now: number,
): CertificateStep[] {
  if (served?.[SECRET_KEY.ticketKey]?.length !== 48) return [{ issue: 'ticketKey', reason: 'Missing' }];
  const made = Date.parse(served[SECRET_KEY.ticketMade] ?? '');
  return made + ticketKeyLifetime > now ? [] : [{ issue: 'ticketKey', reason: 'Expiring' }];
}

/** The certificates of the links between the parts: what must be replaced at once, and why a rotation should begin. */
function dueInnerPairs(
  wish: CertificateWish,
  held: HeldSecrets,
  state: { authority: string | undefined; now: number },
): { atOnce: CertificateStep[]; due: DueReason | undefined } {
  const atOnce: CertificateStep[] = [];
  let due: DueReason | undefined;
  for (const issue of ['inner', 'client'] as const) {
    const names = issue === 'inner' ? wish.innerNames : [];
    const reason = duePair(held[issue], { ...state, names, renewBefore: wish.renewBefore });
    const end = inspectCertificate(held[issue]?.[SECRET_KEY.cert])?.notAfter ?? 0;
    // Another name is signed by the same authority: it can be had at once, and a new zone waits for it.
    if (reason === 'Expiring' && end > state.now) due = reason;
    else if (reason !== undefined) atOnce.push({ issue, reason });
  }
  return { atOnce, due };
}

/** Reasons to replace a certificate that works. */
const MAY_WAIT: ReadonlySet<DueReason> = new Set(['Expiring', 'NamesChanged', 'SuppliedChanged']);

function isValid(served: SecretData | undefined, version: number, now: number): boolean {
  return (
    (inspectCertificate(served?.[certificateKey(version)])?.notAfter ?? 0) > now && hasPair(served, version)
  );
}

function hasPair(served: SecretData | undefined, version: number): boolean {
  return keyMatches(served?.[certificateKey(version)], served?.[privateKeyKey(version)]);
}

/** Versions whose certificate and key a Secret has. */
export function heldVersions(served: SecretData | undefined): number[] {
  return versionNumbers(served).filter((version) => hasPair(served, version));
}

/** Numbers of the certificates in `served`, ascending, whatever they are worth. */
export function versionNumbers(served: SecretData | undefined): number[] {
  const numbers = Object.keys(served ?? {}).map((key) => Number(/^tls-(\d+)\.crt$/.exec(key)?.[1] ?? 0));
  return [...new Set(numbers)].filter((number) => number > 0).sort((a, b) => a - b);
}

/** Number of the version that pods without an annotation serve; 0 when there is none. */
export function servedVersion(served: SecretData | undefined): number {
  const number = Number(served?.[SECRET_KEY.current] ?? 0);
  return Number.isSafeInteger(number) && number > 0 ? number : 0;
}

/** One more than any version that the Secret has: a number is never used twice. */
function nextVersion(served: SecretData | undefined): number {
  return Math.max(servedVersion(served), ...versionNumbers(served)) + 1;
}

function dueAuthority(held: SecretData | undefined, now: number): DueReason | undefined {
  if (held === undefined) return 'Missing';
  const facts = inspectCertificate(held[SECRET_KEY.ca]);
  if (facts === undefined || !facts.isAuthority || !keyMatches(held[SECRET_KEY.ca], held[SECRET_KEY.caKey]))
    return 'Broken';
  return facts.notAfter <= now ? 'Expiring' : undefined;
}

interface PairWish {
  names: readonly string[];
  /** Undefined: a new authority is about to be made. */
  authority: string | undefined;
  now: number;
  renewBefore: number;
}

function duePair(held: SecretData | undefined, wish: PairWish): DueReason | undefined {
  if (held === undefined) return 'Missing';
  return dueCertificate(held[SECRET_KEY.cert], held[SECRET_KEY.key], wish);
}

function dueCertificate(
  certificate: string | undefined,
  key: string | undefined,
  wish: PairWish,
): DueReason | undefined {
  const facts = inspectCertificate(certificate);
  if (facts === undefined || !keyMatches(certificate, key)) return 'Broken';
  if (wish.authority === undefined || !signedByOne(certificate, wish.authority)) return 'AuthorityChanged';
  if (facts.notAfter - wish.renewBefore <= wish.now) return 'Expiring';
  return hasNames(facts, wish.names) ? undefined : 'NamesChanged';
}

function hasNames(facts: CertificateFacts, names: readonly string[]): boolean {
  return JSON.stringify([...new Set(names)].sort()) === JSON.stringify(facts.dnsNames);
}

function dueServed(
  wish: CertificateWish,
  held: SecretData | undefined,
  state: { version: number; authority: string | undefined; now: number },
): DueReason | undefined {
  const certificate = held?.[certificateKey(state.version)];
  if (wish.isSupplied) {
    if (wish.supplied === undefined) return undefined; // Not there or refused: what is served stays.
    if (certificate === undefined) return 'Missing';
    return certificate === wish.supplied[SECRET_KEY.cert] ? undefined : 'SuppliedChanged';
  }
  if (certificate === undefined) return 'Missing';
  const { authority, now } = state;
  const pair = { names: wish.servedNames, authority, now, renewBefore: wish.renewBefore };
  return dueCertificate(certificate, held?.[privateKeyKey(state.version)], pair);
}
