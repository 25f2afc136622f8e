/** Pieces that the objects of every part share: metadata, labels, the pods' security, affinity to a zone. */
import { createHash } from 'node:crypto';
import { ADMIN_PATH, LABEL, ZONE_TOPOLOGY_LABEL } from '@causeway/crds';
import type { KubeObject, ObjectMeta, ResourceKind } from '../controller/kube-api.ts';
import { controllerReference } from '../controller/owner-reference.ts';
import { KIND } from './kinds.ts';
import type { Images, MessagePlatform } from './types.ts';

/** Labels that find a part's pods: all that is given must match. */
export function selector(
  platform: MessagePlatform,
  component: string,
  zone?: string,
): Record<string, string> {
  return {
    [LABEL.platform]: platform.metadata.name,
    [LABEL.component]: component,
    ...(zone === undefined ? {} : { [LABEL.zone]: zone }),
  };
}

/** Labels of an object: the selector's, and the recommended ones of Kubernetes. */
export function labels(platform: MessagePlatform, component: string, zone?: string): Record<string, string> {
  return {
    'app.kubernetes.io/name': component,
    'app.kubernetes.io/instance': platform.metadata.name,
    'app.kubernetes.io/part-of': platform.metadata.name,
    'app.kubernetes.io/managed-by': 'causeway',
    ...selector(platform, component, zone),
  };
}

/** An object that the platform owns. `body` is all besides apiVersion, kind and metadata. */
export function owned(
  platform: MessagePlatform,
  kind: ResourceKind,
  meta: { name: string; component: string; zone?: string; annotations?: Record<string, string> },
  body: object,
): KubeObject {
  const { namespace, name, uid } = platform.metadata;
  const metadata: ObjectMeta = {
    name: meta.name,
    namespace,
    labels: labels(platform, meta.component, meta.zone),
    ...(meta.annotations === undefined ? {} : { annotations: meta.annotations }),
    ownerReferences: [controllerReference(KIND.platform, { name, uid })],
  };
  return { apiVersion: kind.apiVersion, kind: kind.kind, metadata, ...body };
}

/** User and group of all our containers. */
export const RUN_AS = 65532;

/** Pod security that meets the `restricted` Pod Security Standard. */
const podSecurity = {
  runAsNonRoot: true,
  runAsUser: RUN_AS,
  runAsGroup: RUN_AS,
  fsGroup: RUN_AS,
  seccompProfile: { type: 'RuntimeDefault' },
} as const;

/** Container security that meets the `restricted` standard, with a read-only root file system. */
const containerSecurity = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
} as const;

/** Keeps a pod in its zone. */
function inZone(zone: string): object {
  return {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [
          { matchExpressions: [{ key: ZONE_TOPOLOGY_LABEL, operator: 'In', values: [zone] }] },
        ],
      },
    },
  };
}

/**
 * How pods ask for names. When a zone is lost, half of the cluster's name servers may be dead until Kubernetes has noticed, and
 * all that the resolver repeats goes to the same one: it comes from the same socket (glibc 2.36, and kube-proxy goes by
 * that). So it gives up after one second, not twenty, and whoever asked asks anew.
 */
const dnsConfig = {
  options: [
    { name: 'timeout', value: '1' },
    { name: 'attempts', value: '1' },
  ],
} as const;

/** What differs between the pods of our parts. */
export interface PodParts {
  zone: string;
  /** Name of the ServiceAccount. */
  account: string;
  images: Images;
  /** Time between SIGTERM and SIGKILL. */
  graceSeconds: number;
  container: object;
  volumes: readonly object[];
}

/** The spec of a pod: in its zone, without rights, within the `restricted` standard. */
export function podSpec({ zone, account, images, graceSeconds, container, volumes }: PodParts): object {
  const pullSecrets = images.pullSecrets?.map((name) => ({ name }));
  return {
    serviceAccountName: account,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: graceSeconds,
    ...(pullSecrets === undefined ? {} : { imagePullSecrets: pullSecrets }),
    securityContext: podSecurity,
    affinity: inZone(zone),
    dnsConfig,
    containers: [{ ...container, securityContext: containerSecurity }],
    volumes,
  };
}

/** Who and where a pod of ours is. */
export function podEnvironment(zone: string): object[] {
  return [
    { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
    { name: 'POD_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
    { name: 'ZONE', value: zone },
  ];
}

/** How often the kubelet asks whether a pod is ready, and after how many times that it is not it says so. */
const READINESS = { periodSeconds: 2, failureThreshold: 3 };

/** From when a pod says that it is not ready until load balancers send it no more clients, milliseconds. */
export const UNREADY_NOTICE_MS = READINESS.periodSeconds * READINESS.failureThreshold * 1000 + 1000;

/** Probes of what has the admin endpoint as port `admin`: gateways and replicators. */
export function adminProbes(): object {
  const probe = (path: string): object => ({ httpGet: { path, port: 'admin' } });
  return {
    startupProbe: { ...probe(ADMIN_PATH.healthz), periodSeconds: 1, timeoutSeconds: 3, failureThreshold: 60 },
    livenessProbe: { ...probe(ADMIN_PATH.healthz), periodSeconds: 10, timeoutSeconds: 5 },
    readinessProbe: { ...probe(ADMIN_PATH.readyz), ...READINESS, timeoutSeconds: 2 },
  };
}

/** Prefers another node of the zone for each pod of the same part. */
export function spreadOverNodes(matchLabels: Record<string, string>): object[] {
  return [
    {
      maxSkew: 1,
      topologyKey: 'kubernetes.io/hostname',
      whenUnsatisfiable: 'ScheduleAnyway',
      labelSelector: { matchLabels },
    },
  ];
}

/** A volume with a Secret's content, read-only for our group. */
export function secretVolume(name: string, secretName: string): object {
  return { name, secret: { secretName, defaultMode: 0o440 } };
}

/** A read-only mount. */
export function mount(name: string, mountPath: string): object {
  return { name, mountPath, readOnly: true };
}

/** Short stable hash of what a pod reads only at its start, for its template's annotation. */
export function configHash(...parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}

/** A ServiceAccount for pods that never speak to Kubernetes: it has no rights and mounts no token. */
export function rightlessServiceAccount(
  platform: MessagePlatform,
  kind: ResourceKind,
  meta: { name: string; component: string },
): KubeObject {
  return owned(platform, kind, meta, { automountServiceAccountToken: false });
}
