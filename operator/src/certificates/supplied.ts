import { X509Certificate, createPrivateKey, type KeyObject } from 'node:crypto';
import { SECRET_KEY } from '@causeway/crds';
import { memoize } from './memo.ts';
import type { SecretData } from './secret-data.ts';
import {
  checkChain,
  checkNames,
  checkStrength,
  checkUsage,
  isSelfSigned,
  nameCertificate,
  type SuppliedFault,
} from './supplied-chain.ts';
import { describeBlock, isEncryptedKey, isPrivateKey, readPem } from './supplied-pem.ts';

/** How far a certificate may begin in the future: the operator's clock may be behind the issuer's. Milliseconds. */
const CLOCK_SKEW = 300_000;

/** When a certificate is valid; milliseconds since the epoch. */
interface Period {
  /** The certificate, for a person. */
  name: string;
  notBefore: number;
  notAfter: number;
}

/** What holds at any time: a fault, or else when the certificates are valid. */
type Inspection = { fault: SuppliedFault } | { periods: Period[] };

/**
 * Checks a `kubernetes.io/tls` Secret that somebody else writes: that it can be read, that the key is the leaf's, and
 * that the clients of today would accept the chain. Whether they trust its root is theirs to know.
 * @param options.requiredNames DNS names (or IP addresses) that clients use; each must be in the leaf's subjectAltName
 * @returns undefined when it can be served, else what is wrong with it, for a condition
 */
export function checkSuppliedCertificate(
  data: SecretData,
  now: number,
  { requiredNames = [] }: { requiredNames?: readonly string[] } = {},
): SuppliedFault | undefined {
  // A comma is in no DNS name.
  const inspection = inspectSupplied(data[SECRET_KEY.cert], data[SECRET_KEY.key], requiredNames.join(','));
  return 'fault' in inspection ? inspection.fault : checkPeriods(inspection.periods, now);
}

const inspectSupplied = memoize(inspect);

function inspect(certificates: string | undefined, key: string | undefined, names: string): Inspection {
  const chain = readChain(certificates);
  if ('reason' in chain) return { fault: chain };
  const fault =
    checkKey(chain, key) ??
    checkStrength(chain) ??
    checkUsage(chain) ??
    checkChain(chain) ??
    checkNames(chain, names === '' ? [] : names.split(','));
  if (fault !== undefined) return { fault };
  const periods = chain.flatMap((certificate, index) => {
    // A root after the leaf is there for show: clients have their own, maybe a later one with the same key.
    if (index > 0 && isSelfSigned(certificate)) return [];
    const notBefore = certificate.validFromDate.getTime();
    const notAfter = certificate.validToDate.getTime();
    return [{ name: nameCertificate(chain, index), notBefore, notAfter }];
  });
  return { periods };
}

/** The certificates of tls.crt, in its order; at least one. */
function readChain(text: string | undefined): X509Certificate[] | SuppliedFault {
  const fault = (what: string): SuppliedFault => ({
    reason: 'CertificateInvalid',
    message: `its ${SECRET_KEY.cert} ${what}`,
  });
  if (text === undefined || text.trim() === '') return fault('is missing');
  const blocks = readPem(text);
  if (blocks === undefined)
    return fault(
      'has a PEM block that is not whole: each BEGIN and END needs a line of its own, and its other',
    );
  if (blocks.length === 0) return fault('is no PEM text: convert DER or PKCS #12 to PEM');
  const other = blocks.findIndex(({ label }) => label !== 'CERTIFICATE');
  const [wrong] = other < 0 ? [] : blocks.slice(other);
  if (wrong !== undefined) {
    const where = isPrivateKey(wrong) ? `: keep it in ${SECRET_KEY.key} only` : ': remove it';
    return fault(`has ${describeBlock(wrong)} as PEM block ${other + 1}, not a certificate${where}`);
  }
  const chain = blocks.map((block) => parseCertificate(block.text));
  const unreadable = chain.indexOf(undefined);
  if (unreadable >= 0)
    return fault(`has no certificate in PEM block ${unreadable + 1}: it cannot be decoded; copy it anew`);
  return chain.filter((certificate) => certificate !== undefined);
}

/** tls.key must be the leaf's private key. */
function checkKey(chain: readonly X509Certificate[], text: string | undefined): SuppliedFault | undefined {
  const key = readKey(text);
  if ('reason' in key) return key;
  const owner = chain.findIndex((certificate) => certificate.checkPrivateKey(key));
  if (owner === 0) return undefined;
  const leaf = nameCertificate(chain, 0);
  // Somebody has the key of a leaf; that of an authority is here by mistake, and another order would not help.
  if (owner > 0 && chain[owner]?.ca === false) {
    const message = `its ${SECRET_KEY.key} is not the key of the first certificate but of ${nameCertificate(chain, owner)}: put that one, the leaf, first and each certificate's issuer after it`;
    return { reason: 'ChainOutOfOrder', message };
  }
  const whose = owner > 0 ? ` but of the authority, ${nameCertificate(chain, owner)}` : '';
  return keyFault(`is not the private key of ${leaf}${whose}: put the two that belong together`);
}

function readKey(text: string | undefined): KeyObject | SuppliedFault {
  if (text === undefined || text.trim() === '') return keyFault('is missing');
  const blocks = readPem(text);
  if (blocks === undefined || blocks.length === 0)
    return keyFault('is no whole PEM text: put the private key of the certificate there, PEM-encoded');
  if (blocks.some(isEncryptedKey))
    return keyFault('is encrypted, and an encrypted key cannot be used: decrypt it with openssl pkey');
  const [first] = blocks;
  const block = blocks.find(isPrivateKey);
  if (block === undefined)
    return keyFault(`has ${first === undefined ? 'nothing' : describeBlock(first)}, and no private key`);
  // The error may quote what it could not read.
  return parseKey(block.text) ?? keyFault('has a private key that cannot be decoded: write it as PKCS #8');
}

function keyFault(what: string): SuppliedFault {
  return { reason: 'KeyMismatch', message: `its ${SECRET_KEY.key} ${what}` };
}

function checkPeriods(periods: readonly Period[], now: number): SuppliedFault | undefined {
  for (const { name, notBefore, notAfter } of periods) {
    if (notAfter <= now) {
      const message = `${name} ended at ${new Date(notAfter).toISOString()}: renew it`;
      return { reason: 'CertificateExpired', message };
    }
    if (notBefore > now + CLOCK_SKEW) {
      const message = `${name} begins only at ${new Date(notBefore).toISOString()}: wait until then, or correct the clock of whoever issued it`;
      return { reason: 'CertificateNotYetValid', message };
    }
  }
  return undefined;
}

function parseCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined; // The caller says which one it is.
  }
}

function parseKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined; // The caller says so, without the error's text.
  }
}
