/** The gateways: for each zone a Deployment, a PodDisruptionBudget and a Service; over all a front Service. */
import {
  ANNOTATION,
  COMPONENT,
  LABEL,
  MOUNT,
  PORT,
  kafkaGroup,
  kafkaTopic,
  objectName,
  parseDuration,
  type ChannelOptions,
  type GatewayConfig,
  type RateConfig,
  type RemoteKeySet,
  type RpcMethodConfig,
  type TracingConfig,
} from '@causeway/crds';
import type { KubeObject } from '../controller/kube-api.ts';
import { etcdEndpoints, etcdSecretDir, managesEtcd, replicatesEtcd } from './etcd.ts';
import { KIND } from './kinds.ts';
import {
  adminProbes,
  configHash,
  mount,
  owned,
  podEnvironment,
  podSpec,
  rightlessServiceAccount,
  secretVolume,
  selector,
  spreadOverNodes,
  UNREADY_NOTICE_MS,
} from './objects.ts';
import { managesRedis } from './redis.ts';
import { epochOf, homeOf, type Images, type MessagePlatform } from './types.ts';

type RpcMethodSpec = NonNullable<MessagePlatform['spec']['gateway']['rpc']>[number];
type TopicChannels = MessagePlatform['spec']['kafka']['topics'][number]['channels'];

/** Time that a pod has to send its clients away before it is killed, seconds. */
const TERMINATION_GRACE_SECONDS = 60;

/** `gateway.json` of a platform. */
export function gatewayConfig(platform: MessagePlatform): GatewayConfig {
  const { namespace, name } = platform.metadata;
  const { gateway, kafka, failover } = platform.spec;
  const { jwt } = gateway.auth;
  return {
    platform: name,
    namespace,
    listen: { port: PORT.gateway, adminPort: PORT.admin },
    tls: { dir: MOUNT.tls, annotationsFile: `${MOUNT.podinfo}/annotations` },
    auth: {
      jwt: {
        ...tokenKeys(jwt),
        ...(jwt.issuer === undefined ? {} : { issuer: jwt.issuer }),
        ...(jwt.audience === undefined ? {} : { audience: jwt.audience }),
      },
    },
    allowedOrigins: gateway.allowedOrigins ?? [],
    heartbeat: {
      intervalMs: parseDuration(gateway.heartbeat.interval),
      timeoutMs: parseDuration(gateway.heartbeat.timeout),
    },
    connectTimeoutMs: parseDuration(gateway.connectTimeout),
    limits: {
      connections: gateway.limits.connectionsPerReplica,
      messagesPerSecond: gateway.limits.messagesPerSecond,
      burst: gateway.limits.burst,
      tiers: (gateway.limits.tiers ?? []).map(withBurst),
      ...(gateway.limits.tenant === undefined ? {} : { tenant: withBurst(gateway.limits.tenant) }),
      ...(gateway.limits.etcdKey === undefined ? {} : { etcdKey: gateway.limits.etcdKey }),
    },
    ...(gateway.rpc === undefined ? {} : { rpc: gateway.rpc.map(rpcMethod) }),
    kafka: {
      brokers: kafka.bootstrapServers.split(','),
      ...(kafka.tls === undefined
        ? {}
        : { tls: kafka.tls.secretRef === undefined ? {} : { dir: MOUNT.kafkaTls } }),
      ...(kafka.sasl === undefined
        ? {}
        : { sasl: { mechanism: kafka.sasl.mechanism, dir: MOUNT.kafkaSasl } }),
      group: kafkaGroup(name),
      topics: kafka.topics.map((topic) => ({
        name: topic.name,
        topic: kafkaTopic(name, topic.name),
        channels: channelOptions(topic.channels),
      })),
    },
    redis: redisConnection(platform),
    ...etcdConnections(platform),
    ...(gateway.tracing === undefined ? {} : { tracing: tracing(gateway.tracing) }),
    peers: platform.spec.zones.map(({ name: zone }) => ({
      zone,
      host: `${objectName.zonePeers(name, zone)}.${namespace}.svc`,
      port: PORT.admin,
    })),
    drain: {
      perSecond: failover.drainPerSecond,
      timeoutMs: (TERMINATION_GRACE_SECONDS - 10) * 1000,
      noticeMs: UNREADY_NOTICE_MS,
    },
  };
}

function tokenKeys({
  jwks,
}: MessagePlatform['spec']['gateway']['auth']['jwt']): { dir: string } | { jwks: RemoteKeySet } {
  if (jwks === undefined) return { dir: MOUNT.jwt };
  const caDir = jwks.caSecretRef === undefined ? {} : { caDir: MOUNT.jwksCa };
  return { jwks: { url: jwks.url, refreshMs: parseDuration(jwks.refreshInterval), ...caDir } };
}

function tracing({
  endpoint,
  samplingRatePerMillion,
  headersSecretRef,
  caSecretRef,
}: NonNullable<MessagePlatform['spec']['gateway']['tracing']>): TracingConfig {
  return {
    endpoint,
    samplingRatePerMillion,
    ...(headersSecretRef === undefined ? {} : { headersDir: MOUNT.tracingHeaders }),
    ...(caSecretRef === undefined ? {} : { caDir: MOUNT.tracingCa }),
  };
}

function rpcMethod(
  { method, url, timeout, concurrency, secretRef, caSecretRef }: RpcMethodSpec,
  index: number,
): RpcMethodConfig {
  return {
    method,
    url,
    timeoutMs: parseDuration(timeout),
    concurrency,
    ...(secretRef === undefined ? {} : { dir: `${MOUNT.rpc}/${index}` }),
    ...(caSecretRef === undefined ? {} : { caDir: `${MOUNT.rpc}/${index}-ca` }),
  };
}

/** A rate with twice its messages a second as burst, if it says nothing else. */
function withBurst<T extends { messagesPerSecond: number; burst?: number }>(rate: T): T & RateConfig {
  return { ...rate, burst: rate.burst ?? 2 * rate.messagesPerSecond };
}

function channelOptions({ history, ...options }: TopicChannels): ChannelOptions {
  return { ...options, history: { size: history.size, seconds: parseDuration(history.ttl) / 1000 } };
}

function redisConnection(platform: MessagePlatform): GatewayConfig['redis'] {
  const { namespace, name } = platform.metadata;
  const { external } = platform.spec.redis;
  if (external === undefined) {
    return {
      url: `rediss://${objectName.redis(name)}.${namespace}.svc:${PORT.redis}`,
      tlsDir: MOUNT.internal,
    };
  }
  return { url: external.url, ...(external.secretRef === undefined ? {} : { dir: MOUNT.redis }) };
}

/** For `/sync`; nothing where nothing is replicated. */
function etcdConnections(platform: MessagePlatform): Pick<GatewayConfig, 'etcd'> {
  if (!replicatesEtcd(platform)) return {};
  const dir = etcdSecretDir(platform);
  return {
    etcd: {
      homeZone: homeOf(platform),
      epoch: epochOf(platform),
      prefixes: [...(platform.spec.etcd.prefixes ?? [])].sort(),
      zones: platform.spec.zones.map(({ name: zone }) => ({
        zone,
        endpoints: etcdEndpoints(platform, zone),
      })),
      ...(dir === undefined ? {} : { dir }),
    },
  };
}

/** Whether gateways reach Redis or etcd with the platform's own certificates. */
export function hasInnerLink(platform: MessagePlatform): boolean {
  return managesRedis(platform) || (replicatesEtcd(platform) && managesEtcd(platform));
}

/** What a gateway reads only at its start: which zone is home it follows while it runs. */
function startConfig({ etcd, ...rest }: GatewayConfig): object {
  if (etcd === undefined) return rest;
  const { homeZone: _home, epoch: _epoch, ...fixed } = etcd;
  return { ...rest, etcd: fixed };
}

/** A Secret of the user that gateway pods mount. */
interface UserSecret {
  /** Of the volume. */
  name: string;
  path: string;
  secret: string;
}
type WishedSecret = Omit<UserSecret, 'secret'> & { secret: string | undefined };

/** The Secrets of the user that gateway pods mount. */
export function gatewayUserSecrets(platform: MessagePlatform): UserSecret[] {
  const all = [...clientSecrets(platform), ...backendSecrets(platform)];
  return all.flatMap(({ name, path, secret }) => (secret === undefined ? [] : [{ name, path, secret }]));
}

/** For what clients ask of a gateway. */
function clientSecrets({ spec: { gateway } }: MessagePlatform): WishedSecret[] {
  const { headersSecretRef, caSecretRef } = gateway.tracing ?? {};
  return [
    { name: 'jwt', path: MOUNT.jwt, secret: gateway.auth.jwt.secretRef?.name },
    { name: 'jwks-ca', path: MOUNT.jwksCa, secret: gateway.auth.jwt.jwks?.caSecretRef?.name },
    { name: 'tracing-headers', path: MOUNT.tracingHeaders, secret: headersSecretRef?.name },
    { name: 'tracing-ca', path: MOUNT.tracingCa, secret: caSecretRef?.name },
    ...(gateway.rpc ?? []).flatMap((rpc, index) => [
      { name: `rpc-${index}`, path: `${MOUNT.rpc}/${index}`, secret: rpc.secretRef?.name },
      { name: `rpc-${index}-ca`, path: `${MOUNT.rpc}/${index}-ca`, secret: rpc.caSecretRef?.name },
    ]),
  ];
}

/** For what is behind a gateway. */
function backendSecrets(platform: MessagePlatform): WishedSecret[] {
  const { kafka, redis, etcd } = platform.spec;
  const etcdSecret = replicatesEtcd(platform) ? etcd.external?.secretRef?.name : undefined;
  return [
    { name: 'kafka-tls', path: MOUNT.kafkaTls, secret: kafka.tls?.secretRef?.name },
    { name: 'kafka-sasl', path: MOUNT.kafkaSasl, secret: kafka.sasl?.secretRef.name },
    { name: 'redis', path: MOUNT.redis, secret: redis.external?.secretRef?.name },
    { name: 'etcd', path: MOUNT.etcd, secret: etcdSecret },
  ];
}

/** All objects of the gateways. */
export function desiredGateways(platform: MessagePlatform, images: Images): KubeObject[] {
  const config = gatewayConfig(platform);
  const name = objectName.gateway(platform.metadata.name);
  const meta = { name, component: COMPONENT.gateway };
  return [
    rightlessServiceAccount(platform, KIND.serviceAccount, meta),
    owned(platform, KIND.configMap, meta, {
      data: { 'gateway.json': `${JSON.stringify(config, null, 2)}\n` },
    }),
    frontService(platform),
    gatewayNetworkPolicy(platform),
    ...platform.spec.zones.flatMap((zone) => [
      zoneService(platform, zone.name),
      peerService(platform, zone.name),
      disruptionBudget(platform, zone.name),
      gatewayDeployment(platform, zone.name, images, config),
    ]),
  ];
}

function frontService(platform: MessagePlatform): KubeObject {
  const { service } = platform.spec.gateway;
  const meta = {
    name: objectName.gateway(platform.metadata.name),
    component: COMPONENT.gateway,
    ...(service.annotations === undefined ? {} : { annotations: service.annotations }),
  };
  return owned(platform, KIND.service, meta, {
    spec: {
      type: service.type,
      selector: { ...selector(platform, COMPONENT.gateway), [LABEL.serving]: 'true' },
      ports: [{ name: 'https', protocol: 'TCP', port: service.port, targetPort: PORT.gateway }],
    },
  });
}

function zoneService(platform: MessagePlatform, zone: string): KubeObject {
  const meta = {
    name: objectName.zoneGateway(platform.metadata.name, zone),
    component: COMPONENT.gateway,
    zone,
  };
  return owned(platform, KIND.service, meta, {
    spec: {
      type: 'ClusterIP',
      selector: selector(platform, COMPONENT.gateway, zone),
      ports: [
        {
          name: 'https',
          protocol: 'TCP',
          port: platform.spec.gateway.service.port,
          targetPort: PORT.gateway,
        },
      ],
    },
  });
}

/** Gives the addresses of the zone's gateways to those of other zones, which ask whether they are there. */
function peerService(platform: MessagePlatform, zone: string): KubeObject {
  const meta = {
    name: objectName.zonePeers(platform.metadata.name, zone),
    component: COMPONENT.gateway,
    zone,
  };
  return owned(platform, KIND.service, meta, {
    spec: {
      clusterIP: 'None',
      // One that is not ready, since Redis is away or it is to be empty, is no zone that is away.
      publishNotReadyAddresses: true,
      selector: selector(platform, COMPONENT.gateway, zone),
      ports: [{ name: 'admin', protocol: 'TCP', port: PORT.admin, targetPort: PORT.admin }],
    },
  });
}

function disruptionBudget(platform: MessagePlatform, zone: string): KubeObject {
  const meta = {
    name: objectName.zoneGateway(platform.metadata.name, zone),
    component: COMPONENT.gateway,
    zone,
  };
  return owned(platform, KIND.podDisruptionBudget, meta, {
    spec: {
      maxUnavailable: 1,
      selector: { matchLabels: selector(platform, COMPONENT.gateway, zone) },
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
    },
  });
}

function gatewayDeployment(
  platform: MessagePlatform,
  zone: string,
  images: Images,
  config: GatewayConfig,
): KubeObject {
  const name = platform.metadata.name;
  const matchLabels = selector(platform, COMPONENT.gateway, zone);
  const meta = { name: objectName.zoneGateway(name, zone), component: COMPONENT.gateway, zone };
  const replicas = gatewayReplicas(platform, zone);
  const deployment = owned(platform, KIND.deployment, meta, {});
  return {
    ...deployment,
    spec: {
      ...(replicas === undefined ? {} : { replicas }),
      selector: { matchLabels },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: {
          labels: { ...deployment.metadata.labels, [LABEL.serving]: 'true' },
          annotations: { [ANNOTATION.configHash]: configHash(startConfig(config)) },
        },
        spec: gatewayPod(platform, zone, images, matchLabels),
      },
    },
  } as KubeObject;
}

/** Gateways of a zone: while a failover has taken another zone out of service, more. Undefined: an autoscaler decides. */
export function gatewayReplicas({ spec, status }: MessagePlatform, zone: string): number | undefined {
  const { replicasPerZone } = spec.gateway;
  if (replicasPerZone === undefined) return undefined;
  const taken = (status?.away ?? []).filter((one) => one.zone !== zone).map(({ replicas = 0 }) => replicas);
  return Math.max(replicasPerZone, ...taken);
}

function gatewayPod(
  platform: MessagePlatform,
  zone: string,
  images: Images,
  matchLabels: Record<string, string>,
): object {
  const { name } = platform.metadata;
  const { tolerations } = platform.spec.gateway;
  const userSecrets = gatewayUserSecrets(platform);
  const mountsInternal = hasInnerLink(platform);
  const pod = podSpec({
    zone,
    account: objectName.gateway(name),
    images,
    graceSeconds: TERMINATION_GRACE_SECONDS,
    container: {
      ...gatewayContainer(platform, zone, images),
      volumeMounts: [
        mount('config', MOUNT.config),
        mount('tls', MOUNT.tls),
        mount('podinfo', MOUNT.podinfo),
        ...(mountsInternal ? [mount('internal', MOUNT.internal)] : []),
        ...userSecrets.map((secret) => mount(secret.name, secret.path)),
      ],
    },
    volumes: [
      { name: 'config', configMap: { name: objectName.gateway(name) } },
      secretVolume('tls', objectName.tls(name)),
      {
        name: 'podinfo',
        downwardAPI: { items: [{ path: 'annotations', fieldRef: { fieldPath: 'metadata.annotations' } }] },
      },
      ...(mountsInternal ? [secretVolume('internal', objectName.internal(name))] : []),
      ...userSecrets.map((secret) => secretVolume(secret.name, secret.secret)),
    ],
  });
  return {
    ...pod,
    topologySpreadConstraints: spreadOverNodes(matchLabels),
    ...(tolerations === undefined ? {} : { tolerations }),
  };
}

function gatewayContainer(platform: MessagePlatform, zone: string, images: Images): object {
  const { runtime, resources } = platform.spec.gateway;
  return {
    name: 'gateway',
    image: runtime === 'Node' ? images.gatewayNode : images.gatewayBun,
    args: ['serve', '--config', `${MOUNT.config}/gateway.json`],
    env: podEnvironment(zone),
    ports: [
      { name: 'https', containerPort: PORT.gateway, protocol: 'TCP' },
      { name: 'admin', containerPort: PORT.admin, protocol: 'TCP' },
    ],
    ...(resources === undefined ? {} : { resources }),
    ...adminProbes(),
  };
}

function gatewayNetworkPolicy(platform: MessagePlatform): KubeObject {
  const meta = { name: objectName.gateway(platform.metadata.name), component: COMPONENT.gateway };
  return owned(platform, KIND.networkPolicy, meta, {
    spec: {
      podSelector: { matchLabels: selector(platform, COMPONENT.gateway) },
      policyTypes: ['Ingress'],
      ingress: [
        { ports: [{ protocol: 'TCP', port: PORT.gateway }] },
        { ports: [{ protocol: 'TCP', port: PORT.admin }], from: [{ namespaceSelector: {} }] },
      ],
    },
  });
}
