/** Pods as the operator sees their certificates: each has what it is told, or what its Secret says, a moment later. */
import { ANNOTATION, COMPONENT, LABEL, SECRET_KEY, certificateKey, objectName } from '@causeway/crds';
import {
  decodeSecret,
  inspectCertificate,
  servedVersion,
  splitBundle,
  type PodProbe,
  type PodReport,
  type SecretData,
  type Shown,
} from '../certificates/index.ts';
import type { KubeObject } from '../controller/kube-api.ts';
import type { ReplicationProbe } from '../platform/index.ts';
import { KIND } from '../platform/kinds.ts';
import type { FakeKube } from './fake-kube.ts';
import type { FakeRedis } from './fake-redis.ts';
import type { Network } from './network.ts';
import type { SimProcess } from './sim-process.ts';
import type { VirtualTime } from './virtual-time.ts';

/** Time from an annotation to a new certificate, as measured in the lab; milliseconds. */
const RELOAD_MS = 300;

interface Cluster {
  kube: FakeKube;
  redis: FakeRedis;
  time: VirtualTime;
}

function podAt({ kube }: Cluster, host: string): KubeObject {
  const pod = kube
    .all(KIND.pod)
    .map(({ object }) => object)
    .find((object) => (object as { status?: { podIP?: string } }).status?.podIP === host);
  if (pod === undefined) throw new Error(`connect ECONNREFUSED ${host}`);
  return pod;
}

function secretOf({ kube }: Cluster, pod: KubeObject, of: (platform: string) => string): SecretData {
  const platform = pod.metadata.labels?.[LABEL.platform] ?? '';
  const ref = { namespace: pod.metadata.namespace ?? '', name: of(platform) };
  const secret = kube.get(KIND.secret, ref) as { data?: Record<string, string> } | undefined;
  return decodeSecret(secret?.data);
}

function shownAt(cluster: Cluster, host: string): Shown {
  const pod = podAt(cluster, host);
  const component = pod.metadata.labels?.[LABEL.component];
  if (component === COMPONENT.redis) {
    const { name, namespace = '' } = pod.metadata;
    const { certificate = '' } = cluster.redis.look(`${name.replace(/-0$/, '')}.${namespace}.svc`);
    return { chain: [certificate], protocol: 'TLSv1.3', refusal: undefined };
  }
  const isGateway = component === COMPONENT.gateway;
  const secret = secretOf(cluster, pod, isGateway ? objectName.tls : objectName.internal);
  const key = isGateway ? certificateKey(servedBy(cluster, pod, secret)) : SECRET_KEY.cert;
  const chain = fingerprints(secret[key]);
  if (chain.length === 0) throw new Error(`${host} has no ${key}`);
  return { chain, protocol: 'TLSv1.3', refusal: undefined };
}

function servedBy({ time }: Cluster, pod: KubeObject, served: SecretData): number {
  const annotations = pod.metadata.annotations ?? {};
  const since = Date.parse(annotations[ANNOTATION.certificateSince] ?? '');
  const told = Number(annotations[ANNOTATION.certificate]);
  return told > 0 && time.now >= since + RELOAD_MS ? told : servedVersion(served);
}

function reportOf(cluster: Cluster, host: string): PodReport {
  const pod = podAt(cluster, host);
  const inner = secretOf(cluster, pod, objectName.internal);
  return {
    bundle: fingerprints(secretOf(cluster, pod, objectName.tls)[SECRET_KEY.ca]),
    inner: {
      fingerprint: fingerprints(inner[SECRET_KEY.cert])[0] ?? '',
      bundle: fingerprints(inner[SECRET_KEY.ca]),
    },
  };
}

function fingerprints(pem: string | undefined): string[] {
  return splitBundle(pem).map((one) => inspectCertificate(one)?.fingerprint ?? '');
}

/** The pods as one process sees them. */
export function fakeProbe(cluster: Cluster, network: Network, process: SimProcess): PodProbe {
  const call = <T>(verb: string, what: string, answer: () => T): Promise<T> =>
    network.call({ process, target: 'gateway', verb, what, mutates: false }, answer);
  return {
    shake: ({ host }) => call('handshake', host, () => shownAt(cluster, host)),
    report: (host) => call('report', host, () => reportOf(cluster, host)),
  };
}

/** The replicators as one process sees them: whoever runs has caught up. */
export function fakeReplication(cluster: Cluster, network: Network, process: SimProcess): ReplicationProbe {
  return (host) =>
    network.call({ process, target: 'gateway', verb: 'replication', what: host, mutates: false }, () => {
      podAt(cluster, host);
      return { phase: 'Following', reason: '', epoch: 1, lagRevisions: 0, lagSeconds: 0 };
    });
}
