import { SECRET_KEY } from '@causeway/crds';
import { inspectCertificate, keyMatches } from './inspect.ts';
import type { SecretData } from './secret-data.ts';

/**
 * Checks a `kubernetes.io/tls` Secret that somebody else writes.
 * @returns undefined when it can be served, else what is wrong with it, for a condition
 */
export function checkSuppliedCertificate(
  data: SecretData,
  now: number,
): { reason: string; message: string } | undefined {
  const facts = inspectCertificate(data[SECRET_KEY.cert]);
  if (facts === undefined) {
    return {
      reason: 'CertificateInvalid',
      message: `its key ${SECRET_KEY.cert} is missing or is no PEM certificate`,
    };
  }
  if (!keyMatches(data[SECRET_KEY.cert], data[SECRET_KEY.key])) {
    return {
      reason: 'KeyMismatch',
      message: `its ${SECRET_KEY.key} is missing or is not the private key of ${SECRET_KEY.cert}`,
    };
  }
  if (facts.notAfter <= now) {
    return {
      reason: 'CertificateExpired',
      message: `its certificate ended at ${new Date(facts.notAfter).toISOString()}`,
    };
  }
  return undefined;
}
