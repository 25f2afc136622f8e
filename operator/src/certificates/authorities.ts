/** The authorities of a platform: the present one, the one that a rotation brings, and what is trusted. */
import { SECRET_KEY } from '@causeway/crds';
import { inspectCertificate, keyMatches, splitBundle } from './inspect.ts';
import type { KeyPair } from './issuer.ts';
import { RETIRE_GRACE, type Rotation } from './rotation.ts';
import type { SecretData } from './secret-data.ts';

/** Certificates begin a little in the past, for clocks that are behind; milliseconds. */
export const BACKDATE = 300_000;

/** How long before an authority ends nothing may depend on it any more, milliseconds. */
const RESTART_MARGIN = 86_400_000;

/** As much of a rotation as what the Secrets hold depends on. */
export type RotationState = Pick<Rotation, 'from' | 'to' | 'stage' | 'stageSince' | 'authority'>;

/** An authority, and what makes those trust it who trust only the one before it. */
export interface Authority extends KeyPair {
  /** Its key, signed by the authority before it; PEM. */
  cross?: string;
  /** Certificate of the authority before it; PEM. */
  previous?: string;
}

/** The authorities that sign: `next` while a rotation brings one. */
export interface Authorities {
  present: Authority;
  next: Authority | undefined;
}

/** Certificates whose signature on a leaf is good: of the present authority, the next, and the one before. PEM. */
export function signersOf(held: SecretData | undefined, now: number): string {
  const { present, next } = heldAuthorities(held, now);
  return [present.certificate, next?.certificate ?? '', present.previous ?? ''].join('\n');
}

/**
 * When the authority was made that an etcd must know to accept what is signed now; milliseconds since the epoch. It
 * reads its trust at its start only (etcd issue 11555); a cross-signed chain leads those that started earlier to the
 * authority before.
 */
export function trustNeededSince(held: SecretData | undefined, now: number): number {
  // Restarts take their time: they begin before the way over the older authority ends.
  const { present, next } = heldAuthorities(held, now + RESTART_MARGIN);
  const neededFor = ({ certificate, previous }: Authority): number =>
    (inspectCertificate(previous ?? certificate)?.notBefore ?? 0) + BACKDATE;
  return Math.max(neededFor(present), next === undefined ? 0 : neededFor(next));
}

/** The authorities that `<platform>-ca` holds. A cross-signature that has ended is not there any more. */
export function heldAuthorities(held: SecretData | undefined, now: number): Authorities {
  const present = {
    certificate: held?.[SECRET_KEY.ca] ?? '',
    privateKey: held?.[SECRET_KEY.caKey] ?? '',
  };
  const certificate = held?.[SECRET_KEY.nextCa];
  const privateKey = held?.[SECRET_KEY.nextCaKey];
  const next =
    certificate !== undefined && privateKey !== undefined && keyMatches(certificate, privateKey)
      ? { certificate, privateKey, ...crossedBy(held?.[SECRET_KEY.nextCross], present.certificate, now) }
      : undefined;
  return {
    present: { ...present, ...crossedBy(held?.[SECRET_KEY.cross], held?.[SECRET_KEY.previousCa], now) },
    next,
  };
}

function crossedBy(
  cross: string | undefined,
  previous: string | undefined,
  now: number,
): Pick<Authority, 'cross' | 'previous'> {
  const isGood = previous !== undefined && (inspectCertificate(cross)?.notAfter ?? 0) > now;
  return isGood && cross !== undefined ? { cross, previous } : {};
}

/** What `<platform>-ca` is to hold. */
export function authoritySecret({ present, next }: Authorities): SecretData {
  return {
    [SECRET_KEY.ca]: present.certificate,
    [SECRET_KEY.caKey]: present.privateKey,
    ...(present.cross === undefined ? {} : { [SECRET_KEY.cross]: present.cross }),
    ...(present.previous === undefined ? {} : { [SECRET_KEY.previousCa]: present.previous }),
    ...(next === undefined
      ? {}
      : {
          [SECRET_KEY.nextCa]: next.certificate,
          [SECRET_KEY.nextCaKey]: next.privateKey,
          ...(next.cross === undefined ? {} : { [SECRET_KEY.nextCross]: next.cross }),
        }),
  };
}

/**
 * What is trusted: the present authority, the next one, and those trusted before that have not ended, since what they
 * signed may be in use. A rotation that is over leaves only the present one; one that went back, not the next one.
 */
export function trustBundle(
  { present, next }: Authorities,
  held: { authority: SecretData | undefined; bundle: string | undefined },
  { now, rotation }: { now: number; rotation: RotationState | undefined },
): string {
  const signing = [present.certificate, ...(next === undefined ? [] : [next.certificate])];
  const given = held.authority?.[SECRET_KEY.nextCa];
  const gone = [...signing, ...(given === undefined ? [] : [given])].map((pem) => pem.trim());
  const isOver = rotation?.stage === 'Retire' && now - rotation.stageSince >= RETIRE_GRACE;
  const old = splitBundle(held.bundle).filter(
    (pem) => !isOver && (inspectCertificate(pem)?.notAfter ?? 0) > now && !gone.includes(pem.trim()),
  );
  return [...signing, ...old].map((pem) => `${pem.trim()}\n`).join('');
}
