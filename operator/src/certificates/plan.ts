/** What is due: a pure decision over what the Secrets hold. */
import { SECRET_KEY, certificateKey, privateKeyKey } from '@causeway/crds';
import { inspectCertificate, keyMatches, signedByOne, type CertificateFacts } from './inspect.ts';
import type { SecretData } from './secret-data.ts';

/** What a platform wants of its certificates. Durations in milliseconds. */
export interface CertificateWish {
  /** Names that the gateways' certificate must have. */
  servedNames: readonly string[];
  /** Names that the inner certificate of Redis, etcd and their clients must have. */
  innerNames: readonly string[];
  duration: number;
  renewBefore: number;
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

/** Why something is issued: for events and logs. */
export type DueReason =
  'Missing' | 'Broken' | 'Expiring' | 'NamesChanged' | 'AuthorityChanged' | 'SuppliedChanged';

/** One thing to issue. `version`: of the gateways' certificate. */
export type CertificateStep =
  | { issue: 'authority' | 'inner' | 'client' | 'ticketKey'; reason: DueReason }
  | { issue: 'served'; reason: DueReason; version: number };

export interface CertificatePlan {
  /** In the order in which to do them. */
  steps: CertificateStep[];
  /** Version that is served before the steps; 0 when there is none. */
  version: number;
}

/** What is due now. Nothing that works is ever replaced without a reason. */
export function planCertificates(wish: CertificateWish, held: HeldSecrets, now: number): CertificatePlan {
  const steps: CertificateStep[] = [];
  const authorityDue = dueAuthority(held.authority, now);
  if (authorityDue !== undefined) steps.push({ issue: 'authority', reason: authorityDue });
  const authority = authorityDue === undefined ? held.authority?.[SECRET_KEY.ca] : undefined;

  const inner = duePair(held.inner, { names: wish.innerNames, authority, now, renewBefore: 0 });
  if (inner !== undefined) steps.push({ issue: 'inner', reason: inner });
  const client = duePair(held.client, { names: [], authority, now, renewBefore: 0 });
  if (client !== undefined) steps.push({ issue: 'client', reason: client });

  const version = servedVersion(held.served);
  const served = dueServed(wish, held.served, { version, authority, now });
  if (served !== undefined)
    steps.push({ issue: 'served', reason: served, version: nextVersion(held.served) });
  if (held.served?.[SECRET_KEY.ticketKey]?.length !== 48)
    steps.push({ issue: 'ticketKey', reason: 'Missing' });
  return { steps, version };
}

/** Number of the version that pods without an annotation serve; 0 when there is none. */
export function servedVersion(served: SecretData | undefined): number {
  const number = Number(served?.[SECRET_KEY.current] ?? 0);
  return Number.isSafeInteger(number) && number > 0 ? number : 0;
}

/** One more than any version that the Secret has: a number is never used twice. */
function nextVersion(served: SecretData | undefined): number {
  const numbers = Object.keys(served ?? {}).map((key) => Number(/^tls-(\d+)\.crt$/.exec(key)?.[1] ?? 0));
  return Math.max(0, servedVersion(served), ...numbers) + 1;
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
