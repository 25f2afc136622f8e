/** What pods say and show of their certificates. */
import { ADMIN_PATH, PORT, type CertificateState, type HandshakeCount, type LinkState } from '@causeway/crds';
import { shake, type HandshakeTarget, type Shown } from './handshake.ts';

/** What a gateway or a replicator says of itself: only a gateway has more than the inner link. */
export type PodReport = LinkState & Partial<Omit<CertificateState, 'inner'>>;

/** Looks at pods by their address. Both reject when there is no answer. */
export interface PodProbe {
  shake(target: HandshakeTarget): Promise<Shown>;
  /** Asks the admin endpoint. */
  report(host: string): Promise<PodReport>;
}

/** Time for one report, its connection included; milliseconds. */
const TIMEOUT = 2_000;

/** Real pods. */
export const podProbe: PodProbe = {
  shake,
  async report(host) {
    const address = host.includes(':') ? `[${host}]` : host;
    const response = await fetch(`http://${address}:${PORT.admin}${ADMIN_PATH.certificate}`, {
      signal: AbortSignal.timeout(TIMEOUT),
      // A connection that is kept would outlive the pod.
      headers: { connection: 'close' },
    });
    if (!response.ok) throw new Error(`${ADMIN_PATH.certificate} answers ${response.status}`);
    return (await response.json()) as PodReport;
  },
};

/** Fewer failed handshakes than this say nothing: clients break off, and scanners knock. */
const MIN_FAILED = 20;
/** Part of handshakes that may fail at any time. */
const MAX_SHARE = 0.1;
/** How many times the share of before is a rise. */
const RISE = 3;

/**
 * What is wrong with a pod's clients since it serves its present version; undefined: nothing. A share of failures that
 * was there before is not the certificate's.
 */
export function failingSince(counts: CertificateState['handshakes'] | undefined): string | undefined {
  if (counts === undefined) return undefined;
  const { since, before } = counts;
  const share = shareOf(since);
  if (since.failed < MIN_FAILED || share < Math.max(MAX_SHARE, RISE * shareOf(before))) return undefined;
  const percent = (part: number): string => `${Math.round(part * 100)} %`;
  return `${since.failed} of ${since.failed + since.completed} handshakes failed since then (${percent(share)}; ${percent(shareOf(before))} before)`;
}

function shareOf({ completed, failed }: HandshakeCount): number {
  return failed === 0 ? 0 : failed / (completed + failed);
}
