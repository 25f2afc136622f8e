import { createHash, X509Certificate } from 'node:crypto';

/** SHA-256 of a certificate's DER form, lower-case hex without colons. */
export function fingerprintOf(certificate: X509Certificate): string {
  return createHash('sha256').update(certificate.raw).digest('hex');
}

/** {@link fingerprintOf} each certificate in a PEM text. */
export function bundleFingerprints(pem: string): string[] {
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return certificates.map((certificate) => fingerprintOf(new X509Certificate(certificate)));
}
