/** Real certificates, made once for each request and then kept: key pairs are what costs the most time in a run. */
import { x509Issuer, type CertificateIssuer, type KeyPair } from '../certificates/index.ts';
import type { VirtualTime } from './virtual-time.ts';

const HOUR = 3_600_000;
const issued = new Map<string, Promise<KeyPair>>();

/**
 * An issuer for one world. The n-th request of a world gets another key than the one before it, and the same as the
 * n-th equal request of another world; times are rounded to the hour, so that requests of two runs are equal.
 */
export function simIssuer(time: VirtualTime, from = 0): CertificateIssuer & { readonly count: number } {
  let count = from;
  const once = (key: unknown, make: () => Promise<KeyPair>): Promise<KeyPair> => {
    count += 1;
    const text = JSON.stringify([count, key]);
    const known = issued.get(text);
    if (known !== undefined) return known;
    const made = time.hold(make());
    issued.set(text, made);
    return made;
  };
  return {
    get count() {
      return count;
    },
    authority: (request) => {
      const rounded = { ...request, ...toHours(request) };
      return once(rounded, () => x509Issuer.authority(rounded));
    },
    leaf: (request, authority) => {
      const rounded = { ...request, ...toHours(request) };
      return once([rounded, authority.certificate], () => x509Issuer.leaf(rounded, authority));
    },
    cross: async (subject, authority) => {
      const make = async (): Promise<KeyPair> => ({
        certificate: await x509Issuer.cross(subject, authority),
        privateKey: '',
      });
      return (await once(['cross', subject.certificate, authority.certificate], make)).certificate;
    },
    ticketKey: () => {
      count += 1;
      return `ticket ${String(count)}`.padEnd(48, '.');
    },
  };
}

function toHours({ notBefore, notAfter }: { notBefore: number; notAfter: number }): {
  notBefore: number;
  notAfter: number;
} {
  return { notBefore: Math.floor(notBefore / HOUR) * HOUR, notAfter: Math.floor(notAfter / HOUR) * HOUR };
}
