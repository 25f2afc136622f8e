/** Gateways as a TLS client sees them: each serves the version that its pod is told, a moment after it is told. */
import { ANNOTATION, COMPONENT, LABEL, certificateKey, objectName } from '@causeway/crds';
import {
  decodeSecret,
  inspectCertificate,
  servedVersion,
  splitBundle,
  type GatewayHandshaker,
  type Shown,
} from '../certificates/index.ts';
import { KIND } from '../platform/kinds.ts';
import type { FakeKube } from './fake-kube.ts';
import type { Network } from './network.ts';
import type { SimProcess } from './sim-process.ts';
import type { VirtualTime } from './virtual-time.ts';

/** Time from an annotation to a new certificate, as measured in the lab; milliseconds. */
const RELOAD_MS = 300;

function shownAt({ kube, time }: { kube: FakeKube; time: VirtualTime }, host: string): Shown {
  const pod = kube
    .all(KIND.pod)
    .map(({ object }) => object)
    .find(
      (object) =>
        (object as { status?: { podIP?: string } }).status?.podIP === host &&
        object.metadata.labels?.[LABEL.component] === COMPONENT.gateway,
    );
  const platform = pod?.metadata.labels?.[LABEL.platform];
  if (pod === undefined || platform === undefined) throw new Error(`connect ECONNREFUSED ${host}`);
  const ref = { namespace: pod.metadata.namespace ?? '', name: objectName.tls(platform) };
  const secret = kube.get(KIND.secret, ref) as { data?: Record<string, string> } | undefined;
  const served = decodeSecret(secret?.data);
  const annotations = pod.metadata.annotations ?? {};
  const since = Date.parse(annotations[ANNOTATION.certificateSince] ?? '');
  const told = Number(annotations[ANNOTATION.certificate]);
  const version = told > 0 && time.now >= since + RELOAD_MS ? told : servedVersion(served);
  const chain = splitBundle(served[certificateKey(version)]).map(
    (pem) => inspectCertificate(pem)?.fingerprint ?? '',
  );
  if (chain.length === 0) throw new Error(`${host} has no certificate of version ${version}`);
  return { chain, protocol: 'TLSv1.3', refusal: undefined };
}

/** The gateways as one process sees them. */
export function gatewayClient(
  cluster: { kube: FakeKube; time: VirtualTime },
  network: Network,
  process: SimProcess,
): GatewayHandshaker {
  return {
    shake: ({ host }) =>
      network.call({ process, target: 'gateway', verb: 'handshake', what: host, mutates: false }, () =>
        shownAt(cluster, host),
      ),
  };
}
