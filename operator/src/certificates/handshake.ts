/** Looks at what a pod serves, as a client would: with a TLS handshake of its own. */
import { connect, type DetailedPeerCertificate, type TLSSocket } from 'node:tls';
import { certificateKey } from '@causeway/crds';
import { inspectCertificate, plainFingerprint, splitBundle } from './inspect.ts';
import type { SecretData } from './secret-data.ts';

/** Which pod, and what a client would ask of it. */
export interface HandshakeTarget {
  /** Address of the pod. */
  host: string;
  port: number;
  /** Server name to ask for (RFC 6066, SNI), and to find in the certificate. */
  servername: string;
  /** Authorities to trust, PEM; undefined: the certificate's chain is not to be checked. */
  ca: string | undefined;
  /** For a server that asks for a client certificate; PEM. */
  client?: { cert: string; key: string };
}

/** What a pod showed. */
export interface Shown {
  /** SHA-256 of the certificates it sent, the leaf first; lower-case hex without colons. */
  chain: string[];
  /** Such as `TLSv1.3`. */
  protocol: string;
  /** Why a client with these authorities would not go on; undefined: it would. */
  refusal: string | undefined;
}

/** Time for one handshake, its connection included; milliseconds. */
const TIMEOUT = 2_000;

/**
 * A real handshake; rejects when none comes about. It is a full one: a resumed session would show nothing of the
 * certificate (RFC 8446, 2.2).
 */
export function shake({ host, port, servername, ca, client }: HandshakeTarget): Promise<Shown> {
  return new Promise((resolve, reject) => {
    // What is shown is looked at here, also when a client would refuse it.
    const options = { host, port, servername, rejectUnauthorized: false, timeout: TIMEOUT };
    const socket = connect({ ...options, ...(ca === undefined ? {} : { ca }), ...client });
    const late = setTimeout(
      () => socket.destroy(new Error(`no handshake within ${TIMEOUT / 1000} s`)),
      TIMEOUT,
    );
    socket.once('secureConnect', () => {
      resolve(shownBy(socket, ca));
      socket.destroy();
    });
    socket.once('error', reject);
    socket.once('close', () => {
      clearTimeout(late);
      reject(new Error('the connection ended in the handshake'));
    });
  });
}

function shownBy(socket: TLSSocket, ca: string | undefined): Shown {
  const isRefused = ca !== undefined && !socket.authorized;
  return {
    chain: chainOf(socket.getPeerCertificate(true)),
    protocol: socket.getProtocol() ?? 'no TLS',
    refusal: isRefused ? describeRefusal(socket.authorizationError) : undefined,
  };
}

/** Node gives an error code here, or an error for a wrong name, whatever the types say. */
function describeRefusal(error: unknown): string {
  return error instanceof Error ? error.message : typeof error === 'string' ? error : 'for no reason given';
}

function chainOf(leaf: DetailedPeerCertificate): string[] {
  const chain: string[] = [];
  for (
    let certificate: DetailedPeerCertificate | undefined = leaf;
    certificate?.raw !== undefined;
    certificate = certificate.issuerCertificate
  ) {
    const fingerprint = plainFingerprint(certificate.fingerprint256);
    if (chain.includes(fingerprint)) break; // A root is its own issuer.
    chain.push(fingerprint);
  }
  return chain;
}

/**
 * Which version of the Secret's a pod shows. It counts only when a client would go on: TLS 1.3, the whole chain, and
 * an authority that is trusted.
 */
export function versionShown(
  { chain, protocol, refusal }: Shown,
  served: SecretData | undefined,
  versions: readonly number[],
): { shows: number | undefined; trouble?: string } {
  if (protocol !== 'TLSv1.3') return { shows: undefined, trouble: `it speaks ${protocol}, not TLSv1.3` };
  const shows = versions.find((version) => sentAs(served?.[certificateKey(version)], chain));
  if (shows === undefined)
    return { shows, trouble: `it shows a certificate that is in no version (SHA-256 ${chain[0] ?? 'none'})` };
  if (refusal !== undefined)
    return { shows: undefined, trouble: `clients refuse its certificate: ${refusal}` };
  return { shows };
}

/** True when `chain` begins with all that the PEM text holds. The root may come after it, from the trust store. */
function sentAs(pem: string | undefined, chain: readonly string[]): boolean {
  const held = splitBundle(pem).map((one) => inspectCertificate(one)?.fingerprint);
  return held.length > 0 && held.every((fingerprint, index) => fingerprint === chain[index]);
}
