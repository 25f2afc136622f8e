/** etcd: a cluster of one member in each zone, written in the home zone and replicated to the others. */
import { COMPONENT, LABEL, MOUNT, PORT, SECRET_KEY, objectName } from '@causeway/crds';
import type { KubeObject } from '../controller/kube-api.ts';
import { KIND } from './kinds.ts';
import {
  containerSecurity,
  inZone,
  mount,
  owned,
  podSecurity,
  rightlessServiceAccount,
  secretVolume,
  selector,
} from './objects.ts';
import { DEFAULT_STORAGE, dataClaim, fromOperator } from './redis.ts';
import { homeOf, type Images, type MessagePlatform } from './types.ts';

/** True when Causeway runs etcd itself. */
export function managesEtcd(platform: MessagePlatform): boolean {
  return platform.spec.etcd.external === undefined;
}

/** Client URLs of one zone's etcd. */
export function etcdEndpoints(platform: MessagePlatform, zone: string): string[] {
  const { namespace, name } = platform.metadata;
  const { external } = platform.spec.etcd;
  if (external === undefined)
    return [`https://${objectName.zoneEtcd(name, zone)}.${namespace}.svc:${PORT.etcd}`];
  return external.zones.find((entry) => entry.zone === zone)?.endpoints ?? [];
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
      headlessService(platform, zone.name),
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

function headlessService(platform: MessagePlatform, zone: string): KubeObject {
  return owned(platform, KIND.service, zoneMeta(platform, zone), {
    spec: {
      clusterIP: 'None',
      selector: selector(platform, COMPONENT.etcd, zone),
      ports: [{ name: 'client', protocol: 'TCP', port: PORT.etcd, targetPort: PORT.etcd }],
    },
  });
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
  const set = owned(platform, KIND.statefulSet, zoneMeta(platform, zone), {});
  const { storage, deletionPolicy } = platform.spec.etcd;
  return {
    ...set,
    spec: {
      replicas: 1,
      serviceName: objectName.zoneEtcd(platform.metadata.name, zone),
      selector: { matchLabels: selector(platform, COMPONENT.etcd, zone) },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: deletionPolicy, whenScaled: 'Retain' },
      template: {
        metadata: { labels: set.metadata.labels },
        spec: {
          serviceAccountName: objectName.etcd(platform.metadata.name),
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 30,
          ...(images.pullSecrets === undefined
            ? {}
            : { imagePullSecrets: images.pullSecrets.map((name) => ({ name })) }),
          securityContext: podSecurity,
          affinity: inZone(zone),
          containers: [
            {
              name: 'etcd',
              image: images.etcd,
              command: ['etcd', ...etcdArguments(platform, zone)],
              ports: [
                { name: 'client', containerPort: PORT.etcd, protocol: 'TCP' },
                { name: 'metrics', containerPort: PORT.etcdMetrics, protocol: 'TCP' },
              ],
              resources: { requests: { cpu: '50m', memory: '64Mi' } },
              startupProbe: {
                httpGet: { path: '/readyz', port: 'metrics' },
                periodSeconds: 1,
                failureThreshold: 120,
              },
              readinessProbe: {
                httpGet: { path: '/readyz', port: 'metrics' },
                periodSeconds: 2,
                timeoutSeconds: 2,
              },
              livenessProbe: {
                httpGet: { path: '/livez', port: 'metrics' },
                periodSeconds: 10,
                failureThreshold: 6,
              },
              securityContext: containerSecurity,
              volumeMounts: [mount('internal', MOUNT.internal), { name: 'data', mountPath: '/data' }],
            },
          ],
          volumes: [secretVolume('internal', objectName.internal(platform.metadata.name))],
        },
      },
      volumeClaimTemplates: [dataClaim(platform, zone, storage ?? DEFAULT_STORAGE, COMPONENT.etcd)],
    },
  } as KubeObject;
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
