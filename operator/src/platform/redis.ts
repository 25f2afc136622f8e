/** Redis: one in each zone, the primary in the home zone, replicas in the others; and who should be what. */
import { COMPONENT, MOUNT, PORT, SECRET_KEY, objectName } from '@causeway/crds';
import type { KubeObject } from '../controller/kube-api.ts';
import { KIND } from './kinds.ts';
import { mount, owned, rightlessServiceAccount, secretVolume, selector } from './objects.ts';
import { homeOf, type Images, type MessagePlatform } from './types.ts';
import { DEFAULT_STORAGE, fromOperator, storeService, storeStatefulSet } from './zone-store.ts';

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
      storeService(platform, zoneMeta(platform, name), {
        name: 'redis',
        number: PORT.redis,
        beforeReady: true,
      }),
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

/** Where Redis has its certificate: names and values of its settings. */
function tlsFiles(): [string, string][] {
  return [
    ['tls-cert-file', `${MOUNT.internal}/${SECRET_KEY.cert}`],
    ['tls-key-file', `${MOUNT.internal}/${SECRET_KEY.key}`],
    ['tls-ca-cert-file', `${MOUNT.internal}/${SECRET_KEY.ca}`],
  ];
}

/** Settings of every Redis; a change restarts the pods. */
function settings(): string[] {
  return [
    'port 0',
    // It would refuse all but loopback for lack of a password; here a client certificate is the key.
    'protected-mode no',
    `tls-port ${PORT.redis}`,
    ...tlsFiles().map((setting) => setting.join(' ')),
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

/** Asks Redis PING over mutual TLS; fails while it still loads its data. */
function pingCommand(): string[] {
  const files = { '--cert': SECRET_KEY.cert, '--key': SECRET_KEY.key, '--cacert': SECRET_KEY.ca };
  const tls = Object.entries(files).flatMap(([flag, key]) => [flag, `${MOUNT.internal}/${key}`]);
  return ['redis-cli', '-e', '-p', String(PORT.redis), '--tls', ...tls, 'ping'];
}

function statefulSet(platform: MessagePlatform, zone: string, images: Images): KubeObject {
  const { name } = platform.metadata;
  const ping = { exec: { command: pingCommand() }, timeoutSeconds: 3 };
  return storeStatefulSet(platform, {
    ...zoneMeta(platform, zone),
    account: objectName.redis(name),
    images,
    storage: platform.spec.redis.storage ?? DEFAULT_STORAGE,
    // Redis is rebuilt from Kafka: its volume is worth nothing without the platform.
    whenDeleted: 'Delete',
    settings: settings(),
    container: {
      name: 'redis',
      image: images.redis,
      command: ['redis-server', '/etc/redis/redis.conf'],
      ports: [{ name: 'redis', containerPort: PORT.redis, protocol: 'TCP' }],
      resources: { requests: { cpu: '50m', memory: '64Mi' } },
      // A command in a container costs the node a tenth of a second of processor time; a connection costs nothing.
      startupProbe: { tcpSocket: { port: PORT.redis }, periodSeconds: 1, failureThreshold: 120 },
      readinessProbe: { ...ping, periodSeconds: 10 },
      livenessProbe: { tcpSocket: { port: PORT.redis }, periodSeconds: 10, failureThreshold: 6 },
      volumeMounts: [
        mount('config', '/etc/redis'),
        mount('internal', MOUNT.internal),
        { name: 'data', mountPath: '/data' },
      ],
    },
    volumes: [
      { name: 'config', configMap: { name: objectName.zoneRedis(name, zone) } },
      secretVolume('internal', objectName.internal(name)),
    ],
  });
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

/** What a Redis says of itself (`INFO replication`). */
export interface RedisState {
  role: 'primary' | 'replica';
  /** Of a replica: host that it follows. */
  primaryHost?: string;
  /** Of a replica: connected and not in its first synchronization. */
  inSync?: boolean;
  /** A primary that refuses writes: see {@link FENCE_REPLICAS}. */
  fenced?: boolean;
  /** A primary that refuses writes once it has lost all its replicas: see {@link GUARD}. */
  guarded?: boolean;
  /** Replicas that a primary has heard of in the last {@link GUARD}.maxLagSeconds; absent: none. */
  heard?: number;
  /** Bytes of the replication stream that it has written, or received. */
  offset?: number;
  /** SHA-256 of the certificate that it showed, lower-case hex; undefined without TLS. */
  certificate?: string;
}

/**
 * A fenced primary asks for so many replicas before it takes a write (`min-replicas-to-write`), which it never has. It
 * answers NOREPLICAS then, and goes on to replicate; reads go on too. It is in memory only: a restart lifts it.
 */
export const FENCE_REPLICAS = 1_000_000;

/**
 * A guarded primary takes writes only while a replica has answered in the last ten seconds. One that is cut off with its
 * zone would otherwise go on alone, and when the zone is back show its gateways' clients the past, until it is told to follow
 * the next home (seen in the lab: publications came twice). In a platform of two zones the loss of one would stop the home as
 * well, until we say otherwise: there it is not done.
 */
export const GUARD = { replicas: 1, maxLagSeconds: 10, leastZones: 3 } as const;

/** A command for the Redis of one zone. */
export type RedisAction =
  /** It takes writes. */
  | { zone: string; act: 'promote' }
  /** It refuses writes, and stays the primary until another one is. */
  | { zone: string; act: 'fence' }
  | { zone: string; act: 'guard' }
  | { zone: string; act: 'follow'; host: string; port: number }
  | { zone: string; act: 'reload' };

/** The files that a running Redis reads anew when it is told them again, in one command (redis pull requests 9748, 10713). */
export function reloadCommand(): string[] {
  return ['CONFIG', 'SET', ...tlsFiles().flat()];
}

/**
 * Which Redis is to read its certificate anew: each that shows another than `fingerprint`, the one in the Secret.
 * Open connections stay.
 */
export function planRedisReloads(
  fingerprint: string | undefined,
  seen: ReadonlyMap<string, RedisState>,
): RedisAction[] {
  return [...seen]
    .filter(
      ([, { certificate }]) =>
        fingerprint !== undefined && certificate !== undefined && certificate !== fingerprint,
    )
    .map(([zone]) => ({ zone, act: 'reload' }));
}

/**
 * Guards the home's Redis once it hears a replica: before, it would refuse writes. One is enough, so that a home that took over
 * from a zone that is gone is guarded by the zone that is left. The guard is taken off again when that zone goes too: when
 * the home hears nobody and no other Redis answers us. If one does, the way between them is cut, and the other may be home next.
 * A promotion lifts the guard, also when too few zones are left for it.
 */
export function planRedisGuard(
  platform: MessagePlatform,
  seen: ReadonlyMap<string, RedisState>,
): RedisAction[] {
  const zones = platform.spec.zones.map(({ name }) => name);
  const zone = homeOf(platform);
  const state = seen.get(zone);
  if (state?.role !== 'primary' || state.fenced === true) return [];
  const isHeard = (state.heard ?? 0) >= GUARD.replicas;
  const isAlone = !isHeard && zones.every((name) => name === zone || !seen.has(name));
  if (state.guarded === true)
    return zones.length < GUARD.leastZones || isAlone ? [{ zone, act: 'promote' }] : [];
  return zones.length >= GUARD.leastZones && isHeard ? [{ zone, act: 'guard' }] : [];
}

/**
 * What must be said to which Redis so that the home zone's is the primary and the others follow it. The home comes
 * first; nobody follows a home that is not a primary yet. A zone that cannot be seen is left alone.
 *
 * The home is followed by its name, so that a pod that takes the place of its pod is found without us. In a failover it is
 * by its pod's address (docs/adr/0067), which is as good for as long as that is `homeAddress`.
 */
export function planRedisRoles(
  platform: MessagePlatform,
  seen: ReadonlyMap<string, RedisState>,
  homeAddress?: string,
): RedisAction[] {
  const home = homeOf(platform);
  const homeState = seen.get(home);
  if (homeState === undefined) return [];
  if (homeState.role !== 'primary' || homeState.fenced === true) return [{ zone: home, act: 'promote' }];
  const host = redisHost(platform, home);
  const isHome = (at: string | undefined): boolean => at !== undefined && (at === host || at === homeAddress);
  return platform.spec.zones
    .map((zone) => zone.name)
    .filter((zone) => zone !== home)
    .filter((zone) => {
      const state = seen.get(zone);
      return state !== undefined && (state.role === 'primary' || !isHome(state.primaryHost));
    })
    .map((zone) => ({ zone, act: 'follow', host, port: PORT.redis }));
}
