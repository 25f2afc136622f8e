/** etcd: a cluster of one member in each zone, written in the home zone and replicated to the others. */
import { COMPONENT, LABEL, MOUNT, PORT, SECRET_KEY, objectName } from '@causeway/crds';
import type { KubeObject } from '../controller/kube-api.ts';
import { KIND } from './kinds.ts';
import { mount, owned, rightlessServiceAccount, secretVolume, selector } from './objects.ts';
import { homeOf, type Images, type MessagePlatform } from './types.ts';
import { DEFAULT_STORAGE, fromOperator, storeService, storeStatefulSet } from './zone-store.ts';

/** True when Causeway runs etcd itself. */
export function managesEtcd(platform: MessagePlatform): boolean {
  return platform.spec.etcd.external === undefined;
}

/** True when something of etcd is replicated: only then its home can move, and gateways have `/sync`. */
export function replicatesEtcd({ spec }: MessagePlatform): boolean {
  return (spec.etcd.prefixes ?? []).length > 0;
}

/** Client URLs of one zone's etcd. */
export function etcdEndpoints(platform: MessagePlatform, zone: string): string[] {
  const { namespace, name } = platform.metadata;
  const { external } = platform.spec.etcd;
  if (external === undefined)
    return [`https://${objectName.zoneEtcd(name, zone)}.${namespace}.svc:${PORT.etcd}`];
  return external.zones.find((entry) => entry.zone === zone)?.endpoints ?? [];
}

/** Where pods that reach etcd mount the Secret for it; undefined: it needs none. */
export function etcdSecretDir(platform: MessagePlatform): string | undefined {
  if (managesEtcd(platform)) return MOUNT.internal;
  return platform.spec.etcd.external?.secretRef === undefined ? undefined : MOUNT.etcd;
}

/** All objects of the managed etcd; none when it is external. */
export function desiredEtcd(platform: MessagePlatform, images: Images): KubeObject[] {
  if (!managesEtcd(platform)) return [];
  const meta = { name: objectName.etcd(platform.metadata.name), component: COMPONENT.etcd };
  return [
    rightlessServiceAccount(platform, KIND.serviceAccount, meta),
    owned(platform, KIND.service, meta, {
      spec: {
        type: 'ClusterIP',
        selector: selector(platform, COMPONENT.etcd, homeOf(platform)),
        ports: [{ name: 'client', protocol: 'TCP', port: PORT.etcd, targetPort: PORT.etcd }],
      },
    }),
    networkPolicy(platform),
    ...platform.spec.zones.flatMap((zone) => [
      storeService(platform, zoneMeta(platform, zone.name), {
        name: 'client',
        number: PORT.etcd,
        beforeReady: false,
      }),
      statefulSet(platform, zone.name, images),
    ]),
  ];
}

function zoneMeta(
  platform: MessagePlatform,
  zone: string,
): { name: string; component: string; zone: string } {
  return { name: objectName.zoneEtcd(platform.metadata.name, zone), component: COMPONENT.etcd, zone };
}

function etcdArguments(platform: MessagePlatform, zone: string): string[] {
  return [
    `--name=${objectName.zoneEtcd(platform.metadata.name, zone)}`,
    '--data-dir=/data/etcd',
    `--listen-client-urls=https://0.0.0.0:${PORT.etcd}`,
    `--advertise-client-urls=${etcdEndpoints(platform, zone).join(',')}`,
    '--listen-peer-urls=http://127.0.0.1:2380',
    '--initial-advertise-peer-urls=http://127.0.0.1:2380',
    `--initial-cluster=${objectName.zoneEtcd(platform.metadata.name, zone)}=http://127.0.0.1:2380`,
    `--listen-metrics-urls=http://0.0.0.0:${PORT.etcdMetrics}`,
    `--cert-file=${MOUNT.internal}/${SECRET_KEY.cert}`,
    `--key-file=${MOUNT.internal}/${SECRET_KEY.key}`,
    `--trusted-ca-file=${MOUNT.internal}/${SECRET_KEY.ca}`,
    '--client-cert-auth=true',
    '--tls-min-version=TLS1.3',
    '--auto-compaction-mode=periodic',
    '--auto-compaction-retention=1h',
  ];
}

function statefulSet(platform: MessagePlatform, zone: string, images: Images): KubeObject {
  const { name } = platform.metadata;
  const { storage, deletionPolicy } = platform.spec.etcd;
  const command = ['etcd', ...etcdArguments(platform, zone)];
  const probe = (path: string): object => ({ httpGet: { path, port: 'metrics' } });
  return storeStatefulSet(platform, {
    ...zoneMeta(platform, zone),
    account: objectName.etcd(name),
    images,
    storage: storage ?? DEFAULT_STORAGE,
    whenDeleted: deletionPolicy,
    settings: command,
    container: {
      name: 'etcd',
      image: images.etcd,
      command,
      ports: [
        { name: 'client', containerPort: PORT.etcd, protocol: 'TCP' },
        { name: 'metrics', containerPort: PORT.etcdMetrics, protocol: 'TCP' },
      ],
      resources: { requests: { cpu: '50m', memory: '64Mi' } },
      startupProbe: { ...probe('/readyz'), periodSeconds: 1, timeoutSeconds: 3, failureThreshold: 120 },
      readinessProbe: { ...probe('/readyz'), periodSeconds: 2, timeoutSeconds: 2 },
      livenessProbe: { ...probe('/livez'), periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
      volumeMounts: [mount('internal', MOUNT.internal), { name: 'data', mountPath: '/data' }],
    },
    volumes: [secretVolume('internal', objectName.internal(name))],
  });
}

function networkPolicy(platform: MessagePlatform): KubeObject {
  const meta = { name: objectName.etcd(platform.metadata.name), component: COMPONENT.etcd };
  const from = [COMPONENT.gateway, COMPONENT.replicator].map((component) => ({
    podSelector: { matchLabels: selector(platform, component) },
  }));
  const applications = { podSelector: { matchLabels: { [LABEL.etcdClient]: platform.metadata.name } } };
  return owned(platform, KIND.networkPolicy, meta, {
    spec: {
      podSelector: { matchLabels: selector(platform, COMPONENT.etcd) },
      policyTypes: ['Ingress'],
      ingress: [
        { ports: [{ protocol: 'TCP', port: PORT.etcd }], from: [...from, applications, fromOperator()] },
        { ports: [{ protocol: 'TCP', port: PORT.etcdMetrics }], from: [{ namespaceSelector: {} }] },
      ],
    },
  });
}
