/** What is wrong with a chain of certificates that a user supplies, the leaf first. Pure; asks no clock. */
import 'reflect-metadata'; // The X.509 library's container needs this polyfill loaded before it.
import { isIP } from 'node:net';
import type { X509Certificate } from 'node:crypto';
import { SECRET_KEY } from '@causeway/crds';
import * as x509 from '@peculiar/x509';

/** Certificates in the order of tls.crt; there is at least one. */
type Chain = readonly X509Certificate[];

/** What is wrong: a reason (CamelCase) and a message for a condition, which holds no text of a key. */
export interface SuppliedFault {
  reason:
    | 'CertificateInvalid'
    | 'KeyMismatch'
    | 'CertificateExpired'
    | 'CertificateNotYetValid'
    | 'ChainOutOfOrder'
    | 'ChainBroken'
    | 'WrongUsage'
    | 'WeakKey'
    | 'WeakSignature'
    | 'NamesMissing';
  message: string;
}

/** RSA moduli below this are refused by browsers (CA/Browser Forum, Baseline Requirements 6.1.5) and OpenSSL; bits. */
const MIN_RSA_BITS = 2048;
/** Curves that TLS 1.3 can sign with (RFC 8446, 4.2.3), by OpenSSL's names: P-256, P-384, P-521. */
const CURVES = new Set(['prime256v1', 'secp384r1', 'secp521r1']);
/** id-kp-serverAuth (RFC 5280, 4.2.1.12). */
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
/** id-RSASSA-PSS (RFC 4055): its parameters name the hash. */
const RSASSA_PSS = '1.2.840.113549.1.1.10';
/** Signature algorithms with a hash in which collisions are found, by object identifier (RFC 3279, 2.2). */
const BROKEN_HASHES: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.2': 'MD2',
  '1.2.840.113549.1.1.4': 'MD5',
  '1.2.840.113549.1.1.5': 'SHA-1',
  '1.3.14.3.2.29': 'SHA-1',
  '1.2.840.10040.4.3': 'SHA-1',
  '1.2.840.10045.4.1': 'SHA-1',
};
/** More names of a list than this do not help a reader. */
const MAX_LISTED = 10;
/** A subject is the issuer's text, of any length; characters. */
const MAX_SUBJECT = 200;
/** Longer chains are not searched for a better order: the search is exponential, and real ones have two or three. */
const MAX_REORDERED = 7;

/** A certificate for a person: where it is, and its subject in one line. */
export function nameCertificate(chain: Chain, index: number): string {
  const certificate = chain[index];
  const subject = certificate?.subject || certificate?.subjectAltName || 'no subject';
  const line = subject.replaceAll('\n', ', ');
  const short = line.length > MAX_SUBJECT ? `${line.slice(0, MAX_SUBJECT)}...` : line;
  return `certificate ${index + 1} of ${chain.length} in ${SECRET_KEY.cert} (${short})`;
}

/** True for a certificate that its own key signed: as the last of a chain, a root. */
export function isSelfSigned(certificate: X509Certificate): boolean {
  return isSignedBy(certificate, certificate);
}

/** What the leaf may be used for: it serves, and signs TLS 1.3 handshakes. */
export function checkUsage(chain: Chain): SuppliedFault | undefined {
  const [leaf] = chain;
  if (leaf === undefined) return undefined;
  const fault = (what: string): SuppliedFault => ({
    reason: 'WrongUsage',
    message: `${nameCertificate(chain, 0)} ${what}`,
  });
  if (leaf.ca) {
    return fault(
      'is a CA certificate, and clients accept none as a server: put a certificate that it issued first, with its key',
    );
  }
  // Node names the extended key usages `keyUsage`, and has undefined when there is no such extension.
  const extended: readonly string[] | undefined = leaf.keyUsage;
  if (extended !== undefined && !extended.includes(SERVER_AUTH)) {
    return fault(
      'has an extended key usage without serverAuth: have it issued for servers (cert-manager: usages with "server auth")',
    );
  }
  // RFC 8446, 4.4.2.2: when the extension is there, it must allow to sign. Gateways speak TLS 1.3 only.
  const usage = parseDetails(leaf)?.getExtension(x509.KeyUsagesExtension);
  if (usage && (usage.usages & x509.KeyUsageFlags.digitalSignature) === 0) {
    return fault(
      'has a key usage without digitalSignature, which TLS 1.3 needs: have it issued with that usage',
    );
  }
  return undefined;
}

/** Keys and signatures that clients refuse, of every certificate. */
export function checkStrength(chain: Chain): SuppliedFault | undefined {
  for (const [index, certificate] of chain.entries()) {
    const name = nameCertificate(chain, index);
    const key = keyWeakness(certificate);
    if (key !== undefined) {
      const wanted = `RSA of ${MIN_RSA_BITS} bits or more, ECDSA on P-256, P-384 or P-521, or Ed25519`;
      return { reason: 'WeakKey', message: `${name} has ${key}: have it issued with a key of ${wanted}` };
    }
    const hash = brokenHash(certificate);
    // Nobody relies on a root's own signature: it is trusted because the client has it.
    if (hash !== undefined && !isSelfSigned(certificate)) {
      const message = `${name} is signed with ${hash}, which clients refuse: have it issued with SHA-256 or better`;
      return { reason: 'WeakSignature', message };
    }
  }
  return undefined;
}

/** Every certificate must be issued by the next, which must be a CA (RFC 5246, 7.4.2; RFC 5280, 6.1). */
export function checkChain(chain: Chain): SuppliedFault | undefined {
  const seen = chain.map((certificate) => certificate.fingerprint256);
  const repeated = seen.findIndex((fingerprint, index) => seen.indexOf(fingerprint) < index);
  if (repeated > 0) {
    const first = seen.indexOf(seen[repeated] ?? '') + 1;
    const message = `${nameCertificate(chain, repeated)} is certificate ${first} once more: remove it`;
    return { reason: 'ChainBroken', message };
  }
  const broken = chain.findIndex((certificate, index) => {
    const next = chain[index + 1];
    return next !== undefined && !isIssuedBy(certificate, next);
  });
  if (broken < 0) return undefined;
  const order = findOrder(chain);
  if (order === undefined) return { reason: 'ChainBroken', message: describeBreak(chain, broken) };
  const numbers = order.map((index) => index + 1).join(', ');
  const message = `${nameCertificate(chain, broken)} is not followed by its issuer: put the certificates into the order ${numbers}`;
  return { reason: 'ChainOutOfOrder', message };
}

/**
 * Names that clients use and the leaf lacks (RFC 9525: only subjectAltName counts, an asterisk stands for one whole
 * label). A required `*.example.com` needs just that name in the certificate.
 */
export function checkNames(chain: Chain, required: readonly string[]): SuppliedFault | undefined {
  const [leaf] = chain;
  if (leaf === undefined) return undefined;
  const missing = [...new Set(required)].filter((name) => !covers(leaf, name));
  if (missing.length === 0) return undefined;
  const list = missing.slice(0, MAX_LISTED).join(', ');
  const more = missing.length > MAX_LISTED ? ` and ${missing.length - MAX_LISTED} more` : '';
  const message =
    `${nameCertificate(chain, 0)} lacks ${list}${more} in its subject alternative names: ` +
    `have it issued with them, or remove them from spec.tls.dnsNames`;
  return { reason: 'NamesMissing', message };
}

function covers(leaf: X509Certificate, name: string): boolean {
  if (isIP(name) !== 0) return leaf.checkIP(name) !== undefined;
  if (name.startsWith('*.')) {
    const names = parseDetails(leaf)?.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? [];
    return names.some(({ type, value }) => type === 'dns' && value.toLowerCase() === name.toLowerCase());
  }
  return leaf.checkHost(name, { subject: 'never', partialWildcards: false }) !== undefined;
}

/** What is wrong with the key, to follow "has"; undefined when it is good. */
function keyWeakness(certificate: X509Certificate): string | undefined {
  let key;
  try {
    key = certificate.publicKey;
  } catch {
    return 'a public key that cannot be read'; // Such as a curve that is given by its parameters.
  }
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'rsa':
    case 'rsa-pss':
      return modulusLength < MIN_RSA_BITS ? `an RSA key of ${modulusLength} bits` : undefined;
    case 'ec':
      return CURVES.has(namedCurve ?? '')
        ? undefined
        : `a key on the curve ${namedCurve ?? 'without a name'}`;
    case 'ed25519':
    case 'ed448':
      return undefined;
    default:
      return 'a key of a kind that TLS 1.3 cannot sign with';
  }
}

/** The hash of the certificate's signature if it is a broken one. */
function brokenHash(certificate: X509Certificate): string | undefined {
  const oid = certificate.signatureAlgorithmOid;
  if (oid !== RSASSA_PSS) return BROKEN_HASHES[oid];
  const { hash } = parseDetails(certificate)?.signatureAlgorithm ?? {};
  const name = typeof hash === 'string' ? hash : hash?.name;
  return name === 'SHA-1' ? name : undefined;
}

/** The certificate for what Node does not tell; undefined when the library cannot read it. */
function parseDetails(certificate: X509Certificate): x509.X509Certificate | undefined {
  try {
    return new x509.X509Certificate(certificate.raw);
  } catch {
    return undefined; // Node could read it, so nothing is known against it.
  }
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return issuer.ca && isSignedBy(certificate, issuer);
}

function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    return false; // A key that does not suit the signature's algorithm signed nothing.
  }
}

function describeBreak(chain: Chain, index: number): string {
  const certificate = chain[index];
  const next = chain[index + 1];
  const [name, nextName] = [nameCertificate(chain, index), nameCertificate(chain, index + 1)];
  if (certificate !== undefined && next !== undefined && isSignedBy(certificate, next)) {
    return `${name} is signed by ${nextName}, which is no CA certificate: clients accept it from a CA only`;
  }
  if (certificate !== undefined && isSelfSigned(certificate)) {
    return `${name} is not signed by ${nextName}: it is self-signed, so nothing may follow it. Remove what does`;
  }
  return `${name} is not signed by ${nextName}: put its issuer's certificate there, and nothing that does not belong to the chain`;
}

/** Positions in an order that makes all of them a chain, the first staying first; undefined when there is none. */
function findOrder(chain: Chain): number[] | undefined {
  if (chain.length > MAX_REORDERED) return undefined;
  const issued = chain.map((certificate) => chain.map((issuer) => isIssuedBy(certificate, issuer)));
  const extend = (order: number[]): number[] | undefined => {
    if (order.length === chain.length) return order;
    const issuers = issued[order.at(-1) ?? 0] ?? [];
    for (const [next, isIssuer] of issuers.entries()) {
      const longer = isIssuer && !order.includes(next) ? extend([...order, next]) : undefined;
      if (longer !== undefined) return longer;
    }
    return undefined;
  };
  return extend([0]);
}
