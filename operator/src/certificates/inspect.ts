import { X509Certificate, createPrivateKey } from 'node:crypto';
import { memoize } from './memo.ts';

/** What we need to know of a certificate. */
export interface CertificateFacts {
  /** SHA-256 of the DER form, lower-case hex without colons. */
  fingerprint: string;
  /** Milliseconds since the epoch. */
  notBefore: number;
  /** Milliseconds since the epoch. */
  notAfter: number;
  /** DNS names of subjectAltName, sorted. */
  dnsNames: string[];
  /** Whether the certificate may sign others. */
  isAuthority: boolean;
}

/** Facts of the first certificate in `pem`; undefined when it is none. */
export const inspectCertificate: (pem: string | undefined) => CertificateFacts | undefined = memoize(inspect);

/** True when `keyPem` is the private key of the first certificate in `certificatePem`. */
export const keyMatches: (certificatePem: string | undefined, keyPem: string | undefined) => boolean =
  memoize(matches);

/** True when the first certificate in `pem` was signed by one of those in `bundle`. */
export const signedByOne: (pem: string | undefined, bundle: string) => boolean = memoize(isSignedByOne);

function inspect(pem: string | undefined): CertificateFacts | undefined {
  const certificate = parse(pem);
  if (certificate === undefined) return undefined;
  return {
    fingerprint: plainFingerprint(certificate.fingerprint256),
    notBefore: certificate.validFromDate.getTime(),
    notAfter: certificate.validToDate.getTime(),
    dnsNames: (certificate.subjectAltName ?? '')
      .split(', ')
      .flatMap((name) => (name.startsWith('DNS:') ? [name.slice(4)] : []))
      .sort(),
    isAuthority: certificate.ca,
  };
}

function matches(certificatePem: string | undefined, keyPem: string | undefined): boolean {
  const certificate = parse(certificatePem);
  if (certificate === undefined || keyPem === undefined) return false;
  try {
    return certificate.checkPrivateKey(createPrivateKey(keyPem));
  } catch {
    return false; // Not a private key at all: it does not match.
  }
}

function isSignedByOne(pem: string | undefined, bundle: string): boolean {
  const certificate = parse(pem);
  if (certificate === undefined) return false;
  return splitBundle(bundle).some((authority) => {
    const issuer = parse(authority);
    return issuer !== undefined && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  });
}

/** A fingerprint as Node writes it (`AB:CD:…`), as {@link CertificateFacts} has it. */
export function plainFingerprint(text: string): string {
  return text.replaceAll(':', '').toLowerCase();
}

/** The certificates of a PEM bundle, one text each. */
export function splitBundle(pem: string | undefined): string[] {
  return pem?.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----\n?/g) ?? [];
}

function parse(pem: string | undefined): X509Certificate | undefined {
  if (pem === undefined) return undefined;
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined; // Not a certificate: the caller treats it like a missing one.
  }
}
