/**
 * The contract between the operator and the gateway: names that both sides must agree on. Nothing here does
 * anything; a change here is a change of the interface.
 */

/** API group of all our kinds. */
export const API_GROUP = 'causeway.dev';
/** API version of all our kinds. */
export const API_VERSION = 'v1alpha1';
/** `apiVersion` of a MessagePlatform. */
export const API_GROUP_VERSION = `${API_GROUP}/${API_VERSION}`;
/** Field manager of every server-side apply. */
export const FIELD_MANAGER = 'causeway';

/** Labels on everything that a platform owns. */
export const LABEL = {
  /** Name of the MessagePlatform. */
  platform: `${API_GROUP}/platform`,
  /** Zone of the part, a value of topology.kubernetes.io/zone. */
  zone: `${API_GROUP}/zone`,
  /** One of {@link COMPONENT}. */
  component: `${API_GROUP}/component`,
  /** "true" on gateway pods that the front Service may send clients to. */
  serving: `${API_GROUP}/serving`,
  /** On a user's pod: the name of the platform whose etcd it reads; opens the NetworkPolicy for it. */
  etcdClient: `${API_GROUP}/etcd-client`,
  /** On a ZoneFailover: name of the DrillSchedule that made it. */
  drillSchedule: `${API_GROUP}/drill-schedule`,
  /** "true" on a ZoneFailover that spec.failover.automatic made. */
  automatic: `${API_GROUP}/automatic`,
} as const;

/** Well-known label of nodes. */
export const ZONE_TOPOLOGY_LABEL = 'topology.kubernetes.io/zone';

/** Values of {@link LABEL}.component. */
export const COMPONENT = {
  gateway: 'gateway',
  redis: 'redis',
  etcd: 'etcd',
  replicator: 'replicator',
} as const;

/** Annotations. */
export const ANNOTATION = {
  /** "true" on a MessagePlatform: leave it alone. */
  paused: `${API_GROUP}/paused`,
  /** Any new value on a MessagePlatform asks for a certificate rotation; see {@link AUTHORITY_REQUEST}. */
  rotate: `${API_GROUP}/rotate`,
  /** On a MessagePlatform: `pause`, or `abort-<n>` to take back the rotation to version n. */
  rotation: `${API_GROUP}/rotation`,
  /** "true" on a MessagePlatform that is being deleted: give up on topics that cannot be deleted. */
  abandonTopics: `${API_GROUP}/abandon-topics`,
  /** On a gateway pod: number of the certificate version that it serves. */
  certificate: `${API_GROUP}/certificate`,
  /** On a gateway pod: since when {@link ANNOTATION}.certificate is what it is (RFC 3339, with microseconds). */
  certificateSince: `${API_GROUP}/certificate-since`,
  /**
   * On any pod of a platform: the step of a rotation that it should know of. It says nothing itself; but a changed
   * annotation makes the kubelet bring the pod's Secrets up to date now, not within a minute.
   */
  refresh: `${API_GROUP}/refresh`,
  /**
   * On a gateway pod: clients to send away per second, a decimal number over 0. While it is there the gateway is to be
   * empty; when it is removed the gateway serves again. See {@link DrainState}.
   */
  drain: `${API_GROUP}/drain`,
  /**
   * On a gateway pod: when a failover said last whether it is to drain (RFC 3339). Kubelets lose a changed annotation that comes while they
   * write the one before into the pod's volume, until they look at the pod again after 60 to 90 s (kubernetes issue 29633); a new
   * time here makes them look at once.
   */
  drainToldAt: `${API_GROUP}/drain-told-at`,
  /**
   * On a gateway pod: `<zone>/<epoch>` of the present home, see {@link homeNotice}. Its configuration says the same, but the
   * kubelet may take a minute to bring a mounted ConfigMap up to date; the higher epoch counts.
   */
  home: `${API_GROUP}/home`,
  /** On a gateway pod: name of the ZoneFailover that took it out of service, which is to take it in again. */
  failover: `${API_GROUP}/failover`,
  /** On a ZoneFailover of a DrillSchedule: when it was due (RFC 3339). */
  scheduledAt: `${API_GROUP}/scheduled-at`,
  /** Any new value on a DrillSchedule that a failed drill has stopped lets it go on. */
  resume: `${API_GROUP}/resume`,
  /** On pod templates: hash of the configuration that a pod reads only at its start. */
  configHash: `${API_GROUP}/config-hash`,
} as const;

/** A value of {@link ANNOTATION}.rotate that begins so asks for a new authority too. */
export const AUTHORITY_REQUEST = 'authority';

/** Finalizer that holds a MessagePlatform until the topics that it made are deleted. */
export const TOPICS_FINALIZER = `${API_GROUP}/topics`;

/** Ports of the containers. */
export const PORT = {
  /** Gateway: TLS 1.3, WebSocket. */
  gateway: 8443,
  /** Gateway and replicator: plain HTTP for probes, metrics and state; see {@link ADMIN_PATH}. */
  admin: 8081,
  /** Redis, TLS. */
  redis: 6379,
  /** etcd clients, TLS. */
  etcd: 2379,
  /** etcd health and metrics, plain HTTP. */
  etcdMetrics: 2381,
} as const;

/** Paths of the admin endpoint. */
export const ADMIN_PATH = {
  /** 200 while the process works. */
  healthz: '/healthz',
  /** 200 while it should get traffic; otherwise 503 and what is missing, as text. */
  readyz: '/readyz',
  /** Prometheus text format. */
  metrics: '/metrics',
  /** JSON: {@link CertificateState} of a gateway, {@link LinkState} of a replicator. */
  certificate: '/certificate',
  /** Gateway only: JSON, {@link LimitsState}. */
  limits: '/limits',
  /** Gateway only: JSON, {@link DrainState}. */
  drain: '/drain',
  /** Gateway only: JSON, {@link ZoneView}. */
  zones: '/zones',
  /** Replicator only: JSON, {@link ReplicationState}. */
  replication: '/replication',
  /**
   * Replicator only: JSON, {@link Verification}, or `{ error }`. It may take minutes, in which line ends come now and then.
   */
  verify: '/verify',
} as const;

/** Path that WebSocket clients connect to, as in Centrifugo. */
export const WEBSOCKET_PATH = '/connection/websocket';

/** Path of the stream of etcd's changes: WebSocket, and gRPC-Web. */
export const SYNC_PATH = '/sync';
/** Path that generated gRPC-Web clients call, of `gateway/proto/causeway/sync/v1/sync.proto`. */
export const SYNC_RPC_PATH = '/causeway.sync.v1.SyncService/Watch';

/** What `/certificate` of a gateway answers. */
export interface CertificateState {
  /** Version that is served now, the `<n>` of `tls-<n>.crt`. */
  version: number;
  /** SHA-256 of the leaf certificate's DER form, lower-case hex without colons. */
  fingerprint: string;
  /** Versions found in the Secret. */
  available: number[];
  /** SHA-256 of each certificate in the trust bundle. */
  bundle: string[];
  /** TLS handshakes with clients since this version is served, and while the one before it was. */
  handshakes: { since: HandshakeCount; before: HandshakeCount };
  /** Of the links to the managed Redis and etcd; absent when there is none. */
  inner?: InnerState;
}

/** How many handshakes ended well, and how many did not. */
export interface HandshakeCount {
  completed: number;
  failed: number;
}

/** What a client of the managed Redis or etcd uses for the connections that it makes from now on. */
export interface InnerState {
  /** SHA-256 of its certificate (the leaf), lower-case hex without colons. */
  fingerprint: string;
  /** SHA-256 of each certificate that it trusts. */
  bundle: string[];
}

/** What `/drain` of a gateway answers: how far it has come with {@link ANNOTATION}.drain. */
export interface DrainState {
  /**
   * Serving: not asked to be empty. Noticing: not ready any more, and waits for load balancers to know. Draining:
   * sends clients away. Drained: none is left; those that still come are sent away at once.
   */
  phase: 'Serving' | 'Noticing' | 'Draining' | 'Drained';
  /** Clients to send away per second; absent while Serving, as `startedAt` and `atStart` are. */
  perSecond?: number;
  /** When the drain began (RFC 3339): when the gateway stopped being ready. */
  startedAt?: string;
  /** When no client was left (RFC 3339); absent before. */
  endedAt?: string;
  /** Clients that are here now, those of `/sync` too. */
  connections: number;
  /** Clients that were here at `startedAt`. */
  atStart?: number;
  /** Clients sent away since `startedAt`, also such that came meanwhile; 0 while Serving. */
  sent: number;
}

/**
 * What `/zones` of a gateway answers: which gateways of the other zones answer it. This is what one gateway sees, and no
 * verdict: one that is cut off alone sees all others as unreachable. Whoever acts on it asks gateways of several zones,
 * and believes what most of them say who see anybody else.
 */
export interface ZoneView {
  /** The gateway's own zone, which it doesn't look at. */
  zone: string;
  seen: SeenZone[];
}

/** Another zone's gateways, as one gateway sees them. */
export interface SeenZone {
  zone: string;
  /** Pods that answered when they were asked last. A few are asked each second, so all are only after a while. */
  reachable: number;
  /** Pods whose addresses are known. 0: nothing can be said of the zone. */
  total: number;
  /** When one answered last (RFC 3339); absent: none ever did. */
  lastReachable?: string;
  /** For how long nobody has answered, milliseconds; 0 while somebody does, and while no address is known. */
  unreachableMs: number;
}

/** What `/certificate` of a replicator answers. */
export interface LinkState {
  /** Absent when etcd is external. */
  inner?: InnerState;
}

/** Names of the keys in our Secrets. */
export const SECRET_KEY = {
  /** Trust bundle, PEM. */
  ca: 'ca.crt',
  /** The authority's private key, PEM (PKCS #8); only in `<platform>-ca`. */
  caKey: 'ca.key',
  /** Certificate and key of the authority that takes over when the rotation under way retires the old one; in `<platform>-ca`. */
  nextCa: 'next.crt',
  nextCaKey: 'next.key',
  /** The next authority's key, signed by the present one, PEM; in `<platform>-ca`. */
  nextCross: 'next-cross.crt',
  /** The present authority's key, signed by the one before it, and the certificate of that; in `<platform>-ca`. */
  cross: 'cross.crt',
  previousCa: 'previous.crt',
  /** Leaf certificate, PEM, leaf first; in the inner and client Secrets. */
  cert: 'tls.crt',
  /** Private key, PEM (PKCS #8). */
  key: 'tls.key',
  /** 48 random bytes: the TLS session-ticket key that all gateway pods share. */
  ticketKey: 'ticket.key',
  /** Number of the version of the certificate at which {@link SECRET_KEY}.ticketKey was made. */
  ticketSince: 'ticket.since',
  /** When {@link SECRET_KEY}.ticketKey was made (RFC 3339). */
  ticketMade: 'ticket.made',
  /** Number of the version that a pod without {@link ANNOTATION}.certificate serves. */
  current: 'current',
  /** Shared secret for HMAC tokens, in the JWT Secret. */
  hmac: 'hmac',
  /** JSON Web Key Set, in the JWT Secret. */
  jwks: 'jwks.json',
  /** Bearer token for the application behind an rpc method. */
  token: 'token',
  username: 'username',
  password: 'password',
} as const;

/** Key of the certificate of version `n` in `<platform>-tls`; during a rotation in `<platform>-internal` and `-client` too. */
export function certificateKey(n: number): string {
  return `tls-${n}.crt`;
}

/** Key of the private key that goes with {@link certificateKey}. */
export function privateKeyKey(n: number): string {
  return `tls-${n}.key`;
}

/** Value of {@link ANNOTATION}.home. */
export function homeNotice(zone: string, epoch: number): string {
  return `${zone}/${epoch}`;
}

/** Where things are mounted in gateway and replicator pods. */
export const MOUNT = {
  /** ConfigMap with gateway.json or replicator.json. */
  config: '/etc/causeway/config',
  /** Secret `<platform>-tls`. */
  tls: '/etc/causeway/tls',
  /** Secret `<platform>-internal`: mutual TLS to Redis and etcd. */
  internal: '/etc/causeway/internal',
  /** The user's JWT Secret: `hmac` or `jwks.json`. */
  jwt: '/etc/causeway/jwt',
  /** The user's Secret with the authority of the key set's server. */
  jwksCa: '/etc/causeway/jwks-ca',
  /** The user's Secret with headers for the collector of traces. */
  tracingHeaders: '/etc/causeway/tracing-headers',
  /** The user's Secret with the authority of the collector of traces. */
  tracingCa: '/etc/causeway/tracing-ca',
  /** The user's Secret for TLS to Kafka. */
  kafkaTls: '/etc/causeway/kafka-tls',
  /** The user's Secret for SASL. */
  kafkaSasl: '/etc/causeway/kafka-sasl',
  /** The user's Secret for an external Redis. */
  redis: '/etc/causeway/redis',
  /** The user's Secret for an external etcd. */
  etcd: '/etc/causeway/etcd',
  /** The user's Secrets for rpc methods, in folders by the method's place in the spec: `<n>` and `<n>-ca`. */
  rpc: '/etc/causeway/rpc',
  /** Downward API: the file `annotations`. */
  podinfo: '/etc/causeway/podinfo',
} as const;

/** Names of a platform's objects. All are in the platform's namespace. */
export const objectName = {
  /** Secret with the platform's own authority. */
  authority: (platform: string): string => `${platform}-ca`,
  /** Secret that the gateways serve from. */
  tls: (platform: string): string => `${platform}-tls`,
  /** Secret for mutual TLS between gateways, Redis, etcd, replicators and the operator. */
  internal: (platform: string): string => `${platform}-internal`,
  /** Secret with a client certificate for applications that read etcd. */
  client: (platform: string): string => `${platform}-client`,
  /** Front Service, ConfigMap, ServiceAccount and NetworkPolicy of the gateways. */
  gateway: (platform: string): string => `${platform}-gateway`,
  /** Deployment, PodDisruptionBudget and Service of one zone's gateways. */
  zoneGateway: (platform: string, zone: string): string => `${platform}-gateway-${zone}`,
  /** Headless Service of one zone's gateways, also of those that are not ready: for the gateways of other zones. */
  zonePeers: (platform: string, zone: string): string => `${platform}-peers-${zone}`,
  /** Service that points at the Redis primary. */
  redis: (platform: string): string => `${platform}-redis`,
  /** StatefulSet and headless Service of one zone's Redis. */
  zoneRedis: (platform: string, zone: string): string => `${platform}-redis-${zone}`,
  /** Service that points at the home zone's etcd. */
  etcd: (platform: string): string => `${platform}-etcd`,
  /** StatefulSet and headless Service of one zone's etcd. */
  zoneEtcd: (platform: string, zone: string): string => `${platform}-etcd-${zone}`,
  /** ServiceAccount, ConfigMap and NetworkPolicy of the replicators. */
  replicator: (platform: string): string => `${platform}-replicator`,
  /** Deployment of one zone's replicator. */
  zoneReplicator: (platform: string, zone: string): string => `${platform}-replicator-${zone}`,
} as const;

/** Name in Kafka of a platform's topic. */
export function kafkaTopic(platform: string, topic: string): string {
  return `${platform}.${topic}`;
}

/** Consumer group in which a platform's gateways carry records from Kafka to Redis. */
export function kafkaGroup(platform: string): string {
  return `${platform}.causeway-delivery`;
}

/** Keys that Causeway keeps in each zone's etcd. No replicated prefix may begin with {@link ETCD_PREFIX}. */
export const ETCD_PREFIX = '/causeway.dev/';
export const ETCD_KEY = {
  /** In a target: JSON {@link ReplicationCheckpoint}, written in the transaction that it is about. */
  checkpoint: `${ETCD_PREFIX}replication/checkpoint`,
  /** In every zone: decimal epoch. A writer whose epoch is lower is fenced. */
  epoch: `${ETCD_PREFIX}epoch`,
  /** In a zone that isn't home any more: JSON {@link EtcdFence}. Its mod revision is where the zone's time as home ended. */
  fence: `${ETCD_PREFIX}fence`,
  /**
   * In a zone that was home, below it: `<epoch>/report` (JSON {@link OrphanReport}), and for each key that it wrote in
   * that epoch and no other zone has, `<epoch>/about/<key>` (JSON {@link OrphanAbout}) and `<epoch>/value/<key>`.
   */
  orphans: `${ETCD_PREFIX}orphans/`,
  /**
   * In a zone that was home, below it: the epoch of the next home, once what only this zone had has been kept aside (JSON
   * {@link KeptAside}). Not below `orphans/`, which people delete: from then on the zone's keys are the next home's.
   */
  keptAside: `${ETCD_PREFIX}kept-aside/`,
  /** JSON list of {@link HomeRecord}, ascending by epoch. Written where a zone becomes home, carried on by replicators. */
  homes: `${ETCD_PREFIX}homes`,
} as const;

/** How many of the last homes are remembered; one that has been away for more moves than that can't tell what it wrote alone. */
export const HOMES_KEPT = 16;

/** Says that a zone's etcd is not home, and since when. */
export interface EtcdFence {
  /** The zone isn't home under this epoch, and those before it. */
  epoch: number;
  /** Whether etcd itself refuses what applications write; Unmanaged: whoever runs that etcd has to see to it. */
  applications: 'Refused' | 'Unmanaged';
  /** RFC 3339. */
  at: string;
}

/** A zone became home. */
export interface HomeRecord {
  /** The epoch that began with it. */
  epoch: number;
  zone: string;
  /** RFC 3339. */
  at: string;
  /**
   * The home before it, and its last revision (decimal) that the new one holds: what the old home wrote after it nobody
   * else has. Absent when the zone was home before, too.
   */
  from?: { zone: string; revision: string; epoch: number };
}

/** What an old home wrote and no other zone has was kept aside. */
export interface OrphanReport {
  /** Epoch in which the zone was home. */
  epoch: number;
  zone: string;
  /** Its last revision that went over to the next home, decimal. */
  since: string;
  /** How many keys there are. */
  keys: number;
  /**
   * How many of them it deleted; Unknown when its history from then on was compacted: then deletions are not among them. Also
   * when somebody changed the report.
   */
  deletions: number | 'Unknown';
  /** RFC 3339. Absent when somebody changed the report. */
  at?: string;
}

/** What an old home wrote alone has been looked for, and is not to be looked for again. */
export interface KeptAside {
  /** How many keys were kept aside. */
  keys: number;
  /** RFC 3339. */
  at: string;
}

/** What is known of one key that was kept aside. */
export interface OrphanAbout {
  op: 'put' | 'delete';
  /** Of the value. */
  bytes?: number;
  /** Revision of the old home that wrote it, decimal. */
  modRevision?: string;
}

/** How far a replicator has come. */
export interface ReplicationCheckpoint {
  /** Cluster id of the source, decimal (64 bits, so a string). Clusters that were made alike have the same. */
  sourceClusterId: string;
  /** Zone of the source. Absent in checkpoints of earlier versions. */
  homeZone?: string;
  /** Last revision of the source that is whole in the target, decimal. */
  revision: string;
  /** Epoch under which it was written. */
  epoch: number;
  /** The replicated prefixes that are whole at `revision`, sorted. */
  prefixes: string[];
  /**
   * Revision of the source at which the last snapshot was taken, decimal: from there on the target's history is the
   * source's, and before it only what each of both was then. Absent in checkpoints of earlier versions.
   */
  since?: string;
  /**
   * The last change under `prefixes` up to `revision`, by which the source's history is known again. Absent in checkpoints of
   * earlier versions, and where nothing changed yet or the key is over 1 KiB.
   */
  last?: LastChange;
  /** Present while a snapshot of the source is being written: `revision` is "0" then, since the target is at none. */
  snapshot?: { revision: string };
  /** Present while a revision too large for one transaction is being written: how many of its changes are there. */
  partial?: { revision: string; changes: number };
}

/** One change of one revision of a source. */
export interface LastChange {
  /** Base64. */
  key: string;
  /** Revision of the source that made it, decimal. */
  revision: string;
  /** The first digits of the value's SHA-256, hexadecimal; absent: the key was deleted. */
  sha256?: string;
}

/** What `/replication` of a replicator answers. */
export interface ReplicationState {
  phase: 'Connecting' | 'Snapshot' | 'Following' | 'Fenced' | 'Blocked' | 'Stopped';
  /** Why it isn't ready, for a person; empty when it is. */
  reason: string;
  epoch: number;
  /** Last revision that the target is known to hold whole, and last seen at the source; decimal, absent while unknown. */
  revision?: string;
  sourceRevision?: string;
  /** Absent while unknown. */
  lagRevisions?: number;
  lagSeconds: number;
  /** What this zone wrote as home, nobody else has, and nobody has removed yet; absent when there is nothing. */
  orphans?: OrphanReport[];
}

/** What `/verify` of a replicator answers: a comparison of the zone's keys with the home's. */
export interface Verification {
  zone: string;
  homeZone: string;
  epoch: number;
  /** Revision of the home's etcd, and that of the zone's which holds it, decimal. */
  revision: string;
  zoneRevision: string;
  equal: boolean;
  keys: { home: number; zone: number };
  /** SHA-256, hexadecimal, over all keys in order: length (32 bits, big endian) and bytes of the key, then of its value. */
  sha256: { home: string; zone: string };
  /** How many keys differ. */
  differences: number;
  /** The first of them. */
  shown: KeyDifference[];
  /** How long it took. */
  ms: number;
}

/** A key that isn't the same on both sides. Never its values. */
export interface KeyDifference {
  key: string;
  /** The key's bytes, where they aren't UTF-8. */
  keyBase64?: string;
  /** Absent: the key isn't there. `hash` can be compared within one answer, and says nothing elsewhere. */
  home?: { bytes: number; hash: string };
  zone?: { bytes: number; hash: string };
}

/** How to reach Kafka. Directories hold files with the names in {@link SECRET_KEY}. */
export interface KafkaConnectionConfig {
  /** host:port each. */
  brokers: string[];
  /** Present: TLS. `dir`: mounted Secret with ca.crt and, for client authentication, tls.crt and tls.key. */
  tls?: { dir?: string };
  /** `dir`: mounted Secret with username and password. */
  sasl?: { mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'; dir: string };
}

/** How to reach an etcd. */
export interface EtcdConnectionConfig {
  /** Client URLs. */
  endpoints: string[];
  /** Mounted Secret with ca.crt, tls.crt and tls.key, or ca.crt, username and password. */
  dir?: string;
}

/** How fast messages may come: `burst` at once after a pause, `messagesPerSecond` on end. */
export interface RateConfig {
  messagesPerSecond: number;
  burst: number;
}

/** How fast clients may send, on each gateway: each user, each of a tier, and all of a tenant together. */
export interface SendLimitsConfig extends RateConfig {
  tiers: ({ name: string } & RateConfig)[];
  /** Left out: only each user has a rate. */
  tenant?: RateConfig;
}

/** What `/limits` of a gateway answers. */
export interface LimitsState {
  /** What applies. */
  limits: SendLimitsConfig;
  /** spec: the platform's. etcd: these, and the value of `etcd.key` over them. */
  from: 'spec' | 'etcd';
  /** Absent without `spec.gateway.limits.etcdKey`. */
  etcd?: {
    key: string;
    /** Revision of this zone's etcd that wrote the value which applies; absent while the spec's limits do. */
    revision?: number;
    /** Whether changes are seen at once, now. */
    followed: boolean;
  };
  /** Why what applies may not be what was wanted, and what to do. */
  problem?: string;
}

/** What the channels of one topic offer, and to whom. */
export interface ChannelOptions {
  /** Granted: only those whose token says so. */
  subscribe: 'Authenticated' | 'Granted';
  publish: 'Authenticated' | 'Subscribers' | 'Granted';
  /** What Redis keeps of each channel: `size` publications, about, for `seconds` after the last one. */
  history: { size: number; seconds: number };
  recovery: boolean;
  presence: boolean;
  joinLeave: boolean;
}

/** What tokens must say. */
export interface TokenRules {
  issuer?: string;
  audience?: string;
}

/** A key set behind a URL. `caDir`: mounted Secret with ca.crt, the authority of the URL's server. */
export interface RemoteKeySet {
  url: string;
  refreshMs: number;
  caDir?: string;
}

/** Where spans go, and how many. */
export interface TracingConfig {
  /** Base URL of a collector that takes OTLP over HTTP; spans go to `/v1/traces` under it. */
  endpoint: string;
  /** Publications of a million that begin a trace. */
  samplingRatePerMillion: number;
  /** Mounted Secret: each key is the name of an HTTP header, with its value. */
  headersDir?: string;
  /** Mounted Secret with ca.crt, the authority of the collector. */
  caDir?: string;
}

/** An rpc method that an application carries out over HTTP. */
export interface RpcMethodConfig {
  method: string;
  url: string;
  timeoutMs: number;
  /** Calls under way at most, on each gateway. */
  concurrency: number;
  /** Mounted Secret with `token`. */
  dir?: string;
  /** Mounted Secret with ca.crt, the authority of the URL's server. */
  caDir?: string;
}

/** `gateway.json`: all that `causeway-gateway serve` needs besides POD_NAME, POD_NAMESPACE and ZONE. */
export interface GatewayConfig {
  platform: string;
  namespace: string;
  listen: { port: number; adminPort: number };
  /** `dir`: mounted `<platform>-tls`. `annotationsFile`: downward API file with the pod's annotations. */
  tls: { dir: string; annotationsFile: string };
  auth: { jwt: TokenRules & ({ dir: string } | { jwks: RemoteKeySet }) };
  allowedOrigins: string[];
  /** Server ping interval and the time a client has to answer, milliseconds. */
  heartbeat: { intervalMs: number; timeoutMs: number };
  /** Time for TLS and a valid connect, milliseconds. */
  connectTimeoutMs: number;
  /** `etcdKey`: a key under one of `etcd.prefixes`, whose value is laid over the rest while the gateway runs. */
  limits: { connections: number; etcdKey?: string } & SendLimitsConfig;
  rpc?: RpcMethodConfig[];
  kafka: KafkaConnectionConfig & {
    group: string;
    /** `name`: channel namespace; `topic`: name in Kafka. */
    topics: { name: string; topic: string; channels: ChannelOptions }[];
  };
  /** `tlsDir`: mutual TLS to a managed Redis. `dir`: the user's Secret for an external one (any of username, password, ca.crt, tls.crt, tls.key). */
  redis: { url: string; tlsDir?: string; dir?: string };
  /** The etcd of each zone, for `/sync`; absent when nothing is replicated. */
  etcd?: GatewayEtcdConfig;
  /** Absent: no traces. */
  tracing?: TracingConfig;
  /**
   * Gateways of all zones, whom those of other zones ask whether they are there; see {@link ZoneView}. `host`: its addresses
   * are the pods', also of those that are not ready; `port`: their admin port.
   */
  peers: { zone: string; host: string; port: number }[];
  /**
   * `perSecond`, `timeoutMs`: of a gateway that ends. `noticeMs`: how long load balancers get to notice that one is not
   * ready which is asked to be empty.
   */
  drain: { perSecond: number; timeoutMs: number; noticeMs: number };
}

/** `etcd` in `gateway.json`. A gateway follows changes of `homeZone` and `epoch` without a restart. */
export interface GatewayEtcdConfig {
  homeZone: string;
  /** Epoch of the present home. */
  epoch: number;
  prefixes: string[];
  /** A gateway uses that of its own zone. */
  zones: { zone: string; endpoints: string[] }[];
  /** See {@link EtcdConnectionConfig}. */
  dir?: string;
}

/** `replicator.json`: all that `causeway-gateway replicate` needs. */
export interface ReplicatorConfig {
  platform: string;
  namespace: string;
  listen: { adminPort: number };
  homeZone: string;
  zone: string;
  /** Epoch of the present home. */
  epoch: number;
  source: EtcdConnectionConfig;
  target: EtcdConnectionConfig;
  prefixes: string[];
}
