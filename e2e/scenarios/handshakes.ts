/** TLS clients that know what a platform's certificate should be: single handshakes, and handshakes all the time. */
import { X509Certificate } from 'node:crypto';
import { connect, type TLSSocket } from 'node:tls';
import { setTimeout as delay } from 'node:timers/promises';
import { gatewayPods, platformAccess, type GatewayAddress, type PlatformAccess } from '../platform/index.ts';
import type { Scenario } from './support.ts';

/** Time for one handshake on a busy machine, milliseconds. */
const TIMEOUT_MS = 10_000;
/** Pause between two handshakes with the same pod, milliseconds. */
const PAUSE_MS = 20;

/** A whole handshake as a client makes it, which checks chain and name. Resolves with the SHA-256 of the leaf. */
export function handshake(
  access: Pick<PlatformAccess, 'ca' | 'servername'> & { cert?: string; key?: string },
  { host, port }: Pick<GatewayAddress, 'host' | 'port'>,
  version: 'TLSv1.2' | 'TLSv1.3' = 'TLSv1.3',
): Promise<string> {
  return new Promise((resolve, reject) => {
    const { ca, servername, cert, key } = access;
    const client = cert === undefined || key === undefined ? {} : { cert, key };
    const socket: TLSSocket = connect({
      host,
      port,
      ca,
      servername,
      ...client,
      minVersion: version,
      maxVersion: version,
      timeout: TIMEOUT_MS,
    });
    socket.once('secureConnect', () => {
      resolve(socket.getPeerCertificate().fingerprint256.replaceAll(':', '').toLowerCase());
      socket.destroy();
    });
    socket.once('timeout', () => socket.destroy(new Error(`no handshake within ${TIMEOUT_MS} ms`)));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the connection ended in the handshake')));
  });
}

/** New handshakes on every pod all the time, by clients that hold the trust that there was at the start. */
export class Handshakes {
  readonly failures: string[] = [];
  made = 0;
  readonly #end = new AbortController();
  #loops: Promise<void>[] = [];

  /** Starts them. `ca`: what the clients trust, PEM, if not what the platform says now. `stop()` must be called. */
  static async start(lab: Scenario, platform: string, ca?: string): Promise<Handshakes> {
    const given = await platformAccess(lab.kube, lab.namespace, platform);
    const access = { ...given, ca: ca ?? given.ca };
    const pods = await gatewayPods(lab.kube, access);
    const handshakes = new Handshakes();
    handshakes.#loops = pods.map((pod) => handshakes.#loop(access, pod));
    return handshakes;
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await Promise.all(this.#loops);
  }

  async #loop(access: PlatformAccess, pod: GatewayAddress): Promise<void> {
    while (!this.#end.signal.aborted) {
      try {
        await handshake(access, pod);
      } catch (error) {
        this.failures.push(`${pod.pod}: ${error instanceof Error ? error.message : String(error)}`);
      }
      this.made += 1;
      await delay(PAUSE_MS);
    }
  }
}

/** SHA-256 of the first certificate of a PEM text, as {@link handshake} gives it. */
export function inspectLeaf(pem: string): string {
  return new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase();
}
