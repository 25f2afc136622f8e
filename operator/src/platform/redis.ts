/** Redis: one in each zone, the primary in the home zone, replicas in the others; and who should be what. */
import { ANNOTATION, COMPONENT, LABEL, MOUNT, PORT, SECRET_KEY, objectName } from '@causeway/crds';
import type { KubeObject } from '../controller/kube-api.ts';
import { KIND } from './kinds.ts';
import {
  configHash,
  containerSecurity,
  inZone,
  mount,
  owned,
  podSecurity,
  rightlessServiceAccount,
  secretVolume,
  selector,
} from './objects.ts';
import { homeOf, type Images, type MessagePlatform } from './types.ts';

/** Default size of a volume. */
export const DEFAULT_STORAGE = '1Gi';

/** DNS name of one zone's Redis. */
export function redisHost(platform: MessagePlatform, zone: string): string {
  const { namespace, name } = platform.metadata;
  return `${objectName.zoneRedis(name, zone)}.${namespace}.svc`;
}

/** True when Causeway runs Redis itself. */
export function managesRedis(platform: MessagePlatform): boolean {
  return platform.spec.redis.external === undefined;
}

/** All objects of the managed Redis; none when it is external. */
export function desiredRedis(platform: MessagePlatform, images: Images): KubeObject[] {
  if (!managesRedis(platform)) return [];
  const meta = { name: objectName.redis(platform.metadata.name), component: COMPONENT.redis };
  return [
    rightlessServiceAccount(platform, KIND.serviceAccount, meta),
    owned(platform, KIND.service, meta, {
      spec: {
        type: 'ClusterIP',
        selector: selector(platform, COMPONENT.redis, homeOf(platform)),
        ports: [{ name: 'redis', protocol: 'TCP', port: PORT.redis, targetPort: PORT.redis }],
      },
    }),
    networkPolicy(platform),
    ...platform.spec.zones.flatMap(({ name }) => [
      zoneConfig(platform, name),
      headlessService(platform, name),
      statefulSet(platform, name, images),
    ]),
  ];
}

function zoneMeta(
  platform: MessagePlatform,
  zone: string,
): { name: string; component: string; zone: string } {
  return { name: objectName.zoneRedis(platform.metadata.name, zone), component: COMPONENT.redis, zone };
}

/** Settings of every Redis; a change restarts the pods. */
function settings(): string[] {
  return [
    'port 0',
    // It would refuse all but loopback for lack of a password; here a client certificate is the key.
    'protected-mode no',
    `tls-port ${PORT.redis}`,
    `tls-cert-file ${MOUNT.internal}/${SECRET_KEY.cert}`,
    `tls-key-file ${MOUNT.internal}/${SECRET_KEY.key}`,
    `tls-ca-cert-file ${MOUNT.internal}/${SECRET_KEY.ca}`,
    'tls-auth-clients yes',
    'tls-replication yes',
    'tls-protocols "TLSv1.3"',
    'dir /data',
    'appendonly yes',
    'appendfsync everysec',
    'save ""',
    'maxmemory-policy noeviction',
    'repl-diskless-sync-delay 0',
  ];
}

/** redis.conf. Its `replicaof` is read at the start of a pod; a running Redis is moved by command. */
function zoneConfig(platform: MessagePlatform, zone: string): KubeObject {
  const home = homeOf(platform);
  const follow = zone === home ? [] : [`replicaof ${redisHost(platform, home)} ${PORT.redis}`];
  const lines = [...settings(), ...follow];
  return owned(platform, KIND.configMap, zoneMeta(platform, zone), {
    data: { 'redis.conf': `${lines.join('\n')}\n` },
  });
}

function headlessService(platform: MessagePlatform, zone: string): KubeObject {
  return owned(platform, KIND.service, zoneMeta(platform, zone), {
    spec: {
      clusterIP: 'None',
      publishNotReadyAddresses: true,
      selector: selector(platform, COMPONENT.redis, zone),
      ports: [{ name: 'redis', protocol: 'TCP', port: PORT.redis, targetPort: PORT.redis }],
    },
  });
}

function statefulSet(platform: MessagePlatform, zone: string, images: Images): KubeObject {
  const set = owned(platform, KIND.statefulSet, zoneMeta(platform, zone), {});
  const tls = ['cert', 'key', 'cacert'].map((flag, i) => {
    const file = [SECRET_KEY.cert, SECRET_KEY.key, SECRET_KEY.ca][i];
    return `--${flag} ${MOUNT.internal}/${file}`;
  });
  const ping = [
    'redis-cli',
    '-e',
    '-p',
    String(PORT.redis),
    '--tls',
    ...tls.flatMap((flag) => flag.split(' ')),
    'ping',
  ];
  return {
    ...set,
    spec: {
      replicas: 1,
      serviceName: objectName.zoneRedis(platform.metadata.name, zone),
      selector: { matchLabels: selector(platform, COMPONENT.redis, zone) },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete', whenScaled: 'Retain' },
      template: {
        metadata: {
          labels: set.metadata.labels,
          annotations: { [ANNOTATION.configHash]: configHash(settings()) },
        },
        spec: {
          serviceAccountName: objectName.redis(platform.metadata.name),
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
              name: 'redis',
              image: images.redis,
              command: ['redis-server', '/etc/redis/redis.conf'],
              ports: [{ name: 'redis', containerPort: PORT.redis, protocol: 'TCP' }],
              resources: { requests: { cpu: '50m', memory: '64Mi' } },
              startupProbe: {
                exec: { command: ping },
                periodSeconds: 1,
                timeoutSeconds: 3,
                failureThreshold: 120,
              },
              readinessProbe: { exec: { command: ping }, periodSeconds: 5, timeoutSeconds: 3 },
              livenessProbe: { tcpSocket: { port: PORT.redis }, periodSeconds: 10, failureThreshold: 6 },
              securityContext: containerSecurity,
              volumeMounts: [
                mount('config', '/etc/redis'),
                mount('internal', MOUNT.internal),
                { name: 'data', mountPath: '/data' },
              ],
            },
          ],
          volumes: [
            { name: 'config', configMap: { name: objectName.zoneRedis(platform.metadata.name, zone) } },
            secretVolume('internal', objectName.internal(platform.metadata.name)),
          ],
        },
      },
      volumeClaimTemplates: [
        dataClaim(platform, zone, platform.spec.redis.storage ?? DEFAULT_STORAGE, COMPONENT.redis),
      ],
    },
  } as KubeObject;
}

/** The volume `data` of a StatefulSet. */
export function dataClaim(
  platform: MessagePlatform,
  zone: string,
  storage: string,
  component: string,
): object {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'data', labels: selector(platform, component, zone) },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } },
  };
}

function networkPolicy(platform: MessagePlatform): KubeObject {
  const meta = { name: objectName.redis(platform.metadata.name), component: COMPONENT.redis };
  const from = [COMPONENT.gateway, COMPONENT.redis].map((component) => ({
    podSelector: { matchLabels: selector(platform, component) },
  }));
  return owned(platform, KIND.networkPolicy, meta, {
    spec: {
      podSelector: { matchLabels: selector(platform, COMPONENT.redis) },
      policyTypes: ['Ingress'],
      ingress: [{ ports: [{ protocol: 'TCP', port: PORT.redis }], from: [...from, fromOperator()] }],
    },
  });
}

/** Peers of a NetworkPolicy: the operator's pods, in any namespace. */
export function fromOperator(): object {
  return {
    namespaceSelector: {},
    podSelector: { matchLabels: { 'app.kubernetes.io/name': 'causeway', [LABEL.component]: 'operator' } },
  };
}

/** What a Redis says of itself (`INFO replication`). */
export interface RedisState {
  role: 'primary' | 'replica';
  /** Of a replica: host that it follows. */
  primaryHost?: string;
  /** Of a replica: connected and not in its first synchronization. */
  inSync?: boolean;
}

/** A command for the Redis of one zone. */
export type RedisAction =
  { zone: string; act: 'promote' } | { zone: string; act: 'follow'; host: string; port: number };

/**
 * What must be said to which Redis so that the home zone's is the primary and the others follow it. The home comes
 * first; nobody follows a home that is not a primary yet. A zone that cannot be seen is left alone.
 */
export function planRedisRoles(
  platform: MessagePlatform,
  seen: ReadonlyMap<string, RedisState>,
): RedisAction[] {
  const home = homeOf(platform);
  const homeState = seen.get(home);
  if (homeState === undefined) return [];
  if (homeState.role !== 'primary') return [{ zone: home, act: 'promote' }];
  const host = redisHost(platform, home);
  return platform.spec.zones
    .map((zone) => zone.name)
    .filter((zone) => zone !== home)
    .filter((zone) => {
      const state = seen.get(zone);
      return state !== undefined && (state.role === 'primary' || state.primaryHost !== host);
    })
    .map((zone) => ({ zone, act: 'follow', host, port: PORT.redis }));
}
