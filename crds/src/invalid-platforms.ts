/** A JSON merge patch (RFC 7396): null takes a field away, a list replaces a list. */
export type Change = Readonly<Record<string, unknown>>;

/** A platform that must be refused, as a small change to {@link validPlatform}. */
export interface InvalidPlatform {
  /** What is wrong, as the end of the sentence "refuses …". */
  name: string;
  change: Change;
  /** Path of the field that the refusal must name. */
  field: string;
  /** What the refusal must say to the person. */
  message: string;
}

/** An edit that must be refused, though the platform that it makes could have been created. */
export interface InvalidEdit extends InvalidPlatform {
  /** Change that makes the platform before the edit; left out, it is {@link validPlatform}. */
  before?: Change;
  /** Status of the platform before the edit. */
  status?: Change;
}

/** A platform that is accepted, and that has something in every part that the tables change. */
export const validPlatform = {
  apiVersion: 'causeway.dev/v1alpha1',
  kind: 'MessagePlatform',
  metadata: { name: 'orders', namespace: 'default' },
  spec: {
    zones: [{ name: 'zone-a' }, { name: 'zone-b' }, { name: 'zone-c' }],
    homeZone: 'zone-a',
    gateway: {
      replicasPerZone: 2,
      auth: { jwt: { secretRef: { name: 'orders-jwt' } } },
    },
    kafka: {
      bootstrapServers: 'kafka.kafka:9092',
      topics: [{ name: 'chat', config: { 'min.insync.replicas': '2' } }],
    },
  },
};

/** Applies a JSON merge patch (RFC 7396). */
export function merge(target: unknown, change: unknown): unknown {
  if (typeof change !== 'object' || change === null || Array.isArray(change)) return change;
  const base = typeof target === 'object' && target !== null && !Array.isArray(target) ? target : {};
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(change)) {
    if (value === null) delete merged[key];
    else merged[key] = merge(merged[key], value);
  }
  return merged;
}

/** A change of the spec. */
export const spec = (change: Change): Change => ({ spec: change });
const gateway = (change: Change): Change => spec({ gateway: change });
const kafka = (change: Change): Change => spec({ kafka: change });
const mirror = (change: Change): Change =>
  kafka({ mirror: { bootstrapServers: 'west:9092', sourceAlias: 'east', targetAlias: 'west', ...change } });
const topic = (change: Change): Change => kafka({ topics: [{ name: 'chat', ...change }] });
const external = (...zones: string[]): Change =>
  spec({
    etcd: {
      external: { zones: zones.map((zone) => ({ zone, endpoints: [`https://${zone}.example.com:2379`] })) },
    },
  });

/** What is said of a text that is no duration. */
export const NOT_A_DURATION = 'with the units ms, s, m or h, such as 500ms, 25s or 1h30m';

const names: InvalidPlatform[] = [
  {
    name: 'a name that is too long',
    change: { metadata: { name: 'orders-of-the-north-sea' } },
    field: 'metadata.name',
    message: 'must have at most 22 characters',
  },
  {
    name: 'a name that starts with a digit',
    change: { metadata: { name: '2nd-orders' } },
    field: 'metadata.name',
    message: 'must start with a letter and have only lower-case letters, digits and dashes',
  },
  {
    name: 'a name with a dot',
    change: { metadata: { name: 'orders.eu' } },
    field: 'metadata.name',
    message: 'must start with a letter and have only lower-case letters, digits and dashes',
  },
  {
    name: 'names of platform and zone that are too long together',
    change: {
      metadata: { name: 'orders-of-the-northsea' },
      spec: { zones: [{ name: 'northamerica-northeast1-a' }], homeZone: 'northamerica-northeast1-a' },
    },
    field: 'metadata.name',
    message: 'must have at most 44 characters together',
  },
  { name: 'no spec', change: { spec: null }, field: 'spec', message: 'Required value' },
];

const zones: InvalidPlatform[] = [
  { name: 'no zones', change: spec({ zones: null }), field: 'spec.zones', message: 'Required value' },
  {
    name: 'an empty list of zones',
    change: spec({ zones: [] }),
    field: 'spec.zones',
    message: 'should have at least 1 items',
  },
  {
    name: 'ten zones',
    change: spec({ zones: Array.from('abcdefghij', (letter) => ({ name: `zone-${letter}` })) }),
    field: 'spec.zones',
    message: 'must have at most 9 items',
  },
  {
    name: 'a zone that stands twice',
    change: spec({ zones: [{ name: 'zone-a' }, { name: 'zone-b' }, { name: 'zone-b' }] }),
    field: 'spec.zones[2]',
    message: 'Duplicate value: {"name":"zone-b"}',
  },
  {
    name: 'a zone without a name',
    change: spec({ zones: [{ name: 'zone-a' }, {}] }),
    field: 'spec.zones[1].name',
    message: 'Required value',
  },
  {
    name: 'a zone in capitals',
    change: spec({ zones: [{ name: 'zone-a' }, { name: 'Zone-B' }] }),
    field: 'spec.zones[1].name',
    message: 'a zone has only lower-case letters, digits and dashes',
  },
  {
    name: 'a zone with an empty name',
    change: spec({ zones: [{ name: 'zone-a' }, { name: '' }] }),
    field: 'spec.zones[1].name',
    message: 'a zone has only lower-case letters, digits and dashes',
  },
  {
    name: 'no home zone',
    change: spec({ homeZone: null }),
    field: 'spec.homeZone',
    message: 'Required value',
  },
  {
    name: 'a home zone that is not one of the zones',
    change: spec({ homeZone: 'zone-d' }),
    field: 'spec.homeZone',
    message: 'homeZone must be the name of one of spec.zones',
  },
  {
    name: 'automatic failover with two zones',
    change: spec({ zones: [{ name: 'zone-a' }, { name: 'zone-b' }], failover: { automatic: true } }),
    field: 'spec.failover.automatic',
    message: 'needs at least 3 zones: two zones must agree that a third one is gone',
  },
  {
    name: 'an outage of less than three seconds',
    change: spec({ failover: { unhealthyAfter: '2s' } }),
    field: 'spec.failover.unhealthyAfter',
    message: 'failover.unhealthyAfter must be from 3s to 1h',
  },
  {
    name: 'a drain that never moves anybody',
    change: spec({ failover: { drainPerSecond: 0 } }),
    field: 'spec.failover.drainPerSecond',
    message: 'should be greater than or equal to 1',
  },
];

const gateways: InvalidPlatform[] = [
  {
    name: 'a runtime that does not exist',
    change: gateway({ runtime: 'Deno' }),
    field: 'spec.gateway.runtime',
    message: 'supported values: "Bun", "Node"',
  },
  {
    name: 'no gateway pods',
    change: gateway({ replicasPerZone: 0 }),
    field: 'spec.gateway.replicasPerZone',
    message: 'should be greater than or equal to 1',
  },
  {
    name: 'no authentication',
    change: gateway({ auth: null }),
    field: 'spec.gateway.auth',
    message: 'Required value',
  },
  {
    name: 'tokens without a Secret',
    change: gateway({ auth: { jwt: { secretRef: null } } }),
    field: 'spec.gateway.auth.jwt',
    message: 'set secretRef (keys in a Secret) or jwks (a key set behind a URL), one of them',
  },
  {
    name: 'tokens with keys from two places',
    change: gateway({
      auth: { jwt: { secretRef: { name: 'orders-jwt' }, jwks: { url: 'https://id.example.com/keys' } } },
    }),
    field: 'spec.gateway.auth.jwt',
    message: 'set secretRef (keys in a Secret) or jwks (a key set behind a URL), one of them',
  },
  {
    name: 'a key set that anybody on the way can change',
    change: gateway({ auth: { jwt: { secretRef: null, jwks: { url: 'http://id.example.com/keys' } } } }),
    field: 'spec.gateway.auth.jwt.jwks.url',
    message: 'url must begin with https://',
  },
  {
    name: 'a key set that is asked for all the time',
    change: gateway({
      auth: {
        jwt: { secretRef: null, jwks: { url: 'https://id.example.com/keys', refreshInterval: '1s' } },
      },
    }),
    field: 'spec.gateway.auth.jwt.jwks.refreshInterval',
    message: 'refreshInterval must be from 10s to 24h',
  },
  {
    name: 'a Secret with a name that no Secret can have',
    change: gateway({ auth: { jwt: { secretRef: { name: 'Orders_JWT' } } } }),
    field: 'spec.gateway.auth.jwt.secretRef.name',
    message: 'must be the name of a Secret: lower-case letters, digits, dashes and dots',
  },
  {
    name: 'a Secret without a name',
    change: gateway({ auth: { jwt: { secretRef: { name: '' } } } }),
    field: 'spec.gateway.auth.jwt.secretRef.name',
    message: 'must be the name of a Secret',
  },
  {
    name: 'a heartbeat without a unit',
    change: gateway({ heartbeat: { interval: '25' } }),
    field: 'spec.gateway.heartbeat.interval',
    message: NOT_A_DURATION,
  },
  {
    name: 'a duration with a fraction',
    change: gateway({ connectTimeout: '2.5s' }),
    field: 'spec.gateway.connectTimeout',
    message: NOT_A_DURATION,
  },
  {
    name: 'a negative duration',
    change: gateway({ heartbeat: { timeout: '-10s' } }),
    field: 'spec.gateway.heartbeat.timeout',
    message: NOT_A_DURATION,
  },
  {
    name: 'a duration in days',
    change: spec({ tls: { duration: '90d' } }),
    field: 'spec.tls.duration',
    message: NOT_A_DURATION,
  },
  {
    name: 'a duration that no clock can hold',
    change: spec({ tls: { duration: '9999999999999h' } }),
    field: 'spec.tls.duration',
    message: 'whole numbers of at most six digits',
  },
  {
    name: 'a heartbeat many times a second',
    change: gateway({ heartbeat: { interval: '200ms', timeout: '100ms' } }),
    field: 'spec.gateway.heartbeat.interval',
    message: 'heartbeat.interval must be from 1s to 1h',
  },
  {
    name: 'a heartbeat so slow that timers overflow',
    change: gateway({ heartbeat: { interval: '720h' } }),
    field: 'spec.gateway.heartbeat.interval',
    message: 'heartbeat.interval must be from 1s to 1h',
  },
  {
    name: 'no time at all to answer a ping',
    change: gateway({ heartbeat: { timeout: '0s' } }),
    field: 'spec.gateway.heartbeat.timeout',
    message: 'heartbeat.timeout must be at least 100ms',
  },
  {
    name: 'a ping that may be answered after the next one',
    change: gateway({ heartbeat: { interval: '10s', timeout: '10s' } }),
    field: 'spec.gateway.heartbeat.timeout',
    message: 'must be shorter than heartbeat.interval: a ping has to be answered before the next one',
  },
  {
    name: 'a heartbeat shorter than the default time to answer',
    change: gateway({ heartbeat: { interval: '5s' } }),
    field: 'spec.gateway.heartbeat.timeout',
    message: 'must be shorter than heartbeat.interval',
  },
  {
    name: 'no time at all to connect',
    change: gateway({ connectTimeout: '0s' }),
    field: 'spec.gateway.connectTimeout',
    message: 'connectTimeout must be from 1s to 5m',
  },
  {
    name: 'an origin with a path',
    change: gateway({ allowedOrigins: ['https://app.example.com/'] }),
    field: 'spec.gateway.allowedOrigins[0]',
    message:
      'an origin is scheme://host or scheme://host:port in lower case, such as https://app.example.com',
  },
  {
    name: 'an origin without a scheme',
    change: gateway({ allowedOrigins: ['https://app.example.com', 'app.example.com'] }),
    field: 'spec.gateway.allowedOrigins[1]',
    message: 'an origin is scheme://host',
  },
  {
    name: 'an origin with a wildcard',
    change: gateway({ allowedOrigins: ['https://*.example.com'] }),
    field: 'spec.gateway.allowedOrigins[0]',
    message: 'without path and without wildcard',
  },
  {
    name: 'an origin that no browser sends',
    change: gateway({ allowedOrigins: ['https://app.example.com:443'] }),
    field: 'spec.gateway.allowedOrigins[0]',
    message: "leave out the scheme's own port",
  },
  {
    name: 'an origin that stands twice',
    change: gateway({ allowedOrigins: ['https://app.example.com', 'https://app.example.com'] }),
    field: 'spec.gateway.allowedOrigins[1]',
    message: 'Duplicate value: "https://app.example.com"',
  },
  {
    name: 'an empty issuer of tokens',
    change: gateway({ auth: { jwt: { issuer: '' } } }),
    field: 'spec.gateway.auth.jwt.issuer',
    message: 'should be at least 1 chars long',
  },
];

const limits: InvalidPlatform[] = [
  {
    name: 'a burst below the rate',
    change: gateway({ limits: { messagesPerSecond: 200, burst: 100 } }),
    field: 'spec.gateway.limits.burst',
    message: 'limits.burst must be at least limits.messagesPerSecond, or the rate can never be reached',
  },
  {
    name: 'a rate over the default burst',
    change: gateway({ limits: { messagesPerSecond: 1000 } }),
    field: 'spec.gateway.limits.burst',
    message: 'limits.burst must be at least limits.messagesPerSecond',
  },
  {
    name: 'a tier that stands twice',
    change: gateway({
      limits: {
        tiers: [
          { name: 'vip', messagesPerSecond: 500 },
          { name: 'vip', messagesPerSecond: 900 },
        ],
      },
    }),
    field: 'spec.gateway.limits.tiers[1]',
    message: 'Duplicate value: {"name":"vip"}',
  },
  {
    name: 'a tier without a rate',
    change: gateway({ limits: { tiers: [{ name: 'vip' }] } }),
    field: 'spec.gateway.limits.tiers[0].messagesPerSecond',
    message: 'Required value',
  },
  {
    name: 'a tier with a burst below its rate',
    change: gateway({ limits: { tiers: [{ name: 'vip', messagesPerSecond: 500, burst: 100 }] } }),
    field: 'spec.gateway.limits.tiers[0].burst',
    message: 'burst must be at least messagesPerSecond',
  },
  {
    name: 'pods that take no connections',
    change: gateway({ limits: { connectionsPerReplica: 0 } }),
    field: 'spec.gateway.limits.connectionsPerReplica',
    message: 'should be greater than or equal to 1',
  },
  {
    name: 'a limit that is text',
    change: gateway({ limits: { connectionsPerReplica: '20000' } }),
    field: 'spec.gateway.limits.connectionsPerReplica',
    message: 'must be of type integer: "string"',
  },
  {
    name: 'a request that is no quantity',
    change: gateway({ resources: { requests: { memory: '128 MB' } } }),
    field: 'spec.gateway.resources.requests[memory]',
    message: 'such as 100m or "0.5" for cpu and 128Mi or 1Gi for memory',
  },
  {
    name: 'a limit that is no quantity',
    change: gateway({ resources: { limits: { cpu: 'two' } } }),
    field: 'spec.gateway.resources.limits[cpu]',
    message: 'a quantity is a number of zero or more with a unit',
  },
  {
    name: 'a negative request',
    change: gateway({ resources: { requests: { cpu: '-100m' } } }),
    field: 'spec.gateway.resources.requests[cpu]',
    message: 'a quantity is a number of zero or more with a unit',
  },
  {
    name: 'a fraction without quotes',
    change: gateway({ resources: { requests: { cpu: 0.5 } } }),
    field: 'spec.gateway.resources.requests.cpu',
    message: 'must be of type integer,string: "number"',
  },
  {
    name: 'a request over its limit',
    change: gateway({ resources: { requests: { memory: '1Gi' }, limits: { memory: '1000Mi' } } }),
    field: 'spec.gateway.resources.requests',
    message: 'a request must not be over its limit',
  },
  {
    name: 'a resource that does not exist',
    change: gateway({ resources: { requests: { mem: '1Gi' } } }),
    field: 'spec.gateway.resources.requests',
    message: 'a resource is cpu, memory, ephemeral-storage, hugepages-<size> or one with a domain',
  },
  {
    name: 'a Service of another kind',
    change: gateway({ service: { type: 'ExternalName' } }),
    field: 'spec.gateway.service.type',
    message: 'supported values: "ClusterIP", "NodePort", "LoadBalancer"',
  },
  {
    name: 'a port that does not exist',
    change: gateway({ service: { port: 70000 } }),
    field: 'spec.gateway.service.port',
    message: 'should be less than or equal to 65535',
  },
  {
    name: 'an annotation with spaces in its name',
    change: gateway({ service: { annotations: { 'my annotation': 'x' } } }),
    field: 'spec.gateway.service.annotations',
    message: "an annotation's name has letters, digits, dashes, underscores and dots",
  },
  {
    name: 'a toleration of any value with a value',
    change: gateway({ tolerations: [{ key: 'dedicated', operator: 'Exists', value: 'gateways' }] }),
    field: 'spec.gateway.tolerations[0].value',
    message: 'operator Exists takes no value',
  },
  {
    name: 'a toleration of nothing',
    change: gateway({ tolerations: [{ value: 'gateways' }] }),
    field: 'spec.gateway.tolerations[0].key',
    message: 'a toleration needs a key, or operator Exists to match every taint',
  },
  {
    name: 'a toleration that ends, of a taint that does not evict',
    change: gateway({ tolerations: [{ key: 'dedicated', effect: 'NoSchedule', tolerationSeconds: 60 }] }),
    field: 'spec.gateway.tolerations[0].tolerationSeconds',
    message: 'tolerationSeconds needs effect NoExecute',
  },
];

const COLLECTOR = 'https://otel.example.com:4318';
const tracing = (change: Change): Change => gateway({ tracing: { endpoint: COLLECTOR, ...change } });

const traces: InvalidPlatform[] = [
  {
    name: 'traces that go nowhere',
    change: tracing({ endpoint: null }),
    field: 'spec.gateway.tracing.endpoint',
    message: 'Required value',
  },
  {
    name: 'a collector without a scheme',
    change: tracing({ endpoint: 'otel-collector:4318' }),
    field: 'spec.gateway.tracing.endpoint',
    message: 'endpoint must be http://host:port or https://host:port',
  },
  {
    name: 'a collector with a password in its URL',
    change: tracing({ endpoint: 'https://me:hush@otel.example.com' }),
    field: 'spec.gateway.tracing.endpoint',
    message: 'what proves who you are goes into the Secret of headersSecretRef',
  },
  {
    name: 'a collector with the path of its traces',
    change: tracing({ endpoint: `${COLLECTOR}/v1/traces` }),
    field: 'spec.gateway.tracing.endpoint',
    message: 'leave out /v1/traces at the end',
  },
  {
    name: 'more traces than publications',
    change: tracing({ samplingRatePerMillion: 1_000_001 }),
    field: 'spec.gateway.tracing.samplingRatePerMillion',
    message: 'should be less than or equal to 1000000',
  },
  {
    name: 'secret headers to a collector without TLS',
    change: tracing({ endpoint: 'http://otel:4318', headersSecretRef: { name: 'otel' } }),
    field: 'spec.gateway.tracing.headersSecretRef',
    message: 'it would send the headers in the clear',
  },
  {
    name: 'an authority of a collector without TLS',
    change: tracing({ endpoint: 'http://otel:4318', caSecretRef: { name: 'otel-ca' } }),
    field: 'spec.gateway.tracing.caSecretRef',
    message: 'without TLS no authority is asked',
  },
];

const liveLimits: InvalidPlatform[] = [
  {
    name: 'limits in etcd that no zone but home would get',
    change: spec({
      gateway: { limits: { etcdKey: '/elsewhere/limits' } },
      etcd: { prefixes: ['/config/', '/tenants/'] },
    }),
    field: 'spec.gateway.limits.etcdKey',
    message: 'limits.etcdKey must lie under one of etcd.prefixes, or the other zones would not get it',
  },
  {
    name: 'limits in etcd where nothing is replicated',
    change: gateway({ limits: { etcdKey: '/config/gateway-limits' } }),
    field: 'spec.gateway.limits.etcdKey',
    message: 'such as /config/gateway-limits with the prefix /config/',
  },
  {
    name: 'a prefix as the key of limits',
    change: spec({ gateway: { limits: { etcdKey: '/config/' } }, etcd: { prefixes: ['/config/'] } }),
    field: 'spec.gateway.limits.etcdKey',
    message: 'an etcdKey starts with a slash and ends without one, such as /config/gateway-limits',
  },
];

const rpcMethod = (change: Change): Change =>
  gateway({ rpc: [{ method: 'orders.create', url: 'https://orders.shop.svc/rpc', ...change }] });
const rpc: InvalidPlatform[] = [
  {
    name: "an rpc method of Causeway's own",
    change: rpcMethod({ method: 'causeway.publish' }),
    field: 'spec.gateway.rpc[0].method',
    message: 'methods that begin with causeway. are kept for Causeway itself',
  },
  {
    name: 'an rpc method with a space in its name',
    change: rpcMethod({ method: 'create order' }),
    field: 'spec.gateway.rpc[0].method',
    message:
      'a method has letters, digits, dots, colons, slashes, dashes and underscores, such as orders.create',
  },
  {
    name: 'an rpc method behind a URL with a password',
    change: rpcMethod({ url: 'https://u:p@orders.shop.svc/rpc' }),
    field: 'spec.gateway.rpc[0].url',
    message: 'and have no user and password: a token goes into the Secret of secretRef',
  },
  {
    name: 'an rpc method that would send its token in clear',
    change: rpcMethod({ url: 'http://orders.shop.svc/rpc', secretRef: { name: 'orders-rpc' } }),
    field: 'spec.gateway.rpc[0].url',
    message: 'secretRef needs a url that begins with https://',
  },
  {
    name: 'an rpc method with an authority for nothing',
    change: rpcMethod({ url: 'http://orders.shop.svc/rpc', caSecretRef: { name: 'orders-ca' } }),
    field: 'spec.gateway.rpc[0].url',
    message: 'caSecretRef needs a url that begins with https://',
  },
  {
    name: 'an rpc method that may take a minute',
    change: rpcMethod({ timeout: '1m' }),
    field: 'spec.gateway.rpc[0].timeout',
    message: 'timeout must be from 100ms to 30s',
  },
  {
    name: 'an rpc method without a call at a time',
    change: rpcMethod({ concurrency: 0 }),
    field: 'spec.gateway.rpc[0].concurrency',
    message: 'should be greater than or equal to 1',
  },
];

const tenants: InvalidPlatform[] = [
  {
    name: 'a rate of tenants that is never reached',
    change: gateway({ limits: { tenant: { messagesPerSecond: 10, burst: 5 } } }),
    field: 'spec.gateway.limits.tenant.burst',
    message: 'burst must be at least messagesPerSecond',
  },
  {
    name: 'tenants with a burst and no rate',
    change: gateway({ limits: { tenant: { burst: 5 } } }),
    field: 'spec.gateway.limits.tenant.messagesPerSecond',
    message: 'Required value',
  },
];

const topics: InvalidPlatform[] = [
  {
    name: 'no Kafka',
    change: spec({ kafka: null }),
    field: 'spec.kafka',
    message: 'Required value',
  },
  {
    name: 'a broker without a port',
    change: kafka({ bootstrapServers: 'kafka.kafka' }),
    field: 'spec.kafka.bootstrapServers',
    message: 'must be host:port, several separated by commas without spaces, such as kafka.kafka:9092',
  },
  {
    name: 'brokers with a space between',
    change: kafka({ bootstrapServers: 'kafka-1:9092, kafka-2:9092' }),
    field: 'spec.kafka.bootstrapServers',
    message: 'several separated by commas without spaces',
  },
  {
    name: 'a broker as a URL',
    change: kafka({ bootstrapServers: 'kafka://kafka.kafka:9092' }),
    field: 'spec.kafka.bootstrapServers',
    message: 'must be host:port',
  },
  {
    name: 'credentials in the brokers',
    change: kafka({ bootstrapServers: 'user:secret@kafka:9092' }),
    field: 'spec.kafka.bootstrapServers',
    message: 'must be host:port',
  },
  {
    name: 'a broker with a port that does not exist',
    change: kafka({ bootstrapServers: 'kafka-1:9092,kafka-2:90920' }),
    field: 'spec.kafka.bootstrapServers',
    message: 'a port in bootstrapServers must be from 1 to 65535',
  },
  {
    name: 'a deletion policy that does not exist',
    change: kafka({ deletionPolicy: 'Keep' }),
    field: 'spec.kafka.deletionPolicy',
    message: 'supported values: "Retain", "Delete"',
  },
  {
    name: 'a password sent in the clear',
    change: kafka({ sasl: { mechanism: 'PLAIN', secretRef: { name: 'kafka-user' } } }),
    field: 'spec.kafka.sasl.mechanism',
    message: 'PLAIN needs kafka.tls: it would send the password in the clear',
  },
  {
    name: 'SASL without a Secret',
    change: kafka({ sasl: { mechanism: 'SCRAM-SHA-512' } }),
    field: 'spec.kafka.sasl.secretRef',
    message: 'Required value',
  },
  {
    name: 'a SASL mechanism that does not exist',
    change: kafka({ sasl: { mechanism: 'SCRAM-SHA-1', secretRef: { name: 'kafka-user' } } }),
    field: 'spec.kafka.sasl.mechanism',
    message: 'supported values: "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"',
  },
  {
    name: "a password sent in the clear to the mirror's Kafka",
    change: mirror({ sasl: { mechanism: 'PLAIN', secretRef: { name: 'west-user' } } }),
    field: 'spec.kafka.mirror.sasl.mechanism',
    message: 'PLAIN needs mirror.tls: it would send the password in the clear',
  },
  {
    name: "a mirror's address without a port",
    change: mirror({ bootstrapServers: 'west' }),
    field: 'spec.kafka.mirror.bootstrapServers',
    message: 'bootstrapServers must be host:port',
  },
  {
    name: "a mirror's port that there is not",
    change: mirror({ bootstrapServers: 'west:70000' }),
    field: 'spec.kafka.mirror.bootstrapServers',
    message: 'a port in bootstrapServers must be from 1 to 65535',
  },
  {
    name: "a source's alias that no topic's name can have",
    change: mirror({ sourceAlias: 'the east' }),
    field: 'spec.kafka.mirror.sourceAlias',
    message: 'an alias has only letters, digits, dots, dashes and underscores',
  },
  {
    name: "a target's alias that no topic's name can have",
    change: mirror({ targetAlias: 'the/west' }),
    field: 'spec.kafka.mirror.targetAlias',
    message: 'an alias has only letters, digits, dots, dashes and underscores',
  },
  {
    name: 'no topics',
    change: kafka({ topics: [] }),
    field: 'spec.kafka.topics',
    message: 'should have at least 1 items',
  },
  {
    name: 'a topic that stands twice',
    change: kafka({ topics: [{ name: 'chat' }, { name: 'chat', partitions: 3 }] }),
    field: 'spec.kafka.topics[1]',
    message: 'Duplicate value: {"name":"chat"}',
  },
  {
    name: 'a topic with a dot, which parts it from the name of its platform',
    change: topic({ name: 'chat.v2' }),
    field: 'spec.kafka.topics[0].name',
    message: 'a topic name has only lower-case letters, digits, dashes and underscores',
  },
  {
    name: 'a topic without partitions',
    change: topic({ partitions: 0 }),
    field: 'spec.kafka.topics[0].partitions',
    message: 'should be greater than or equal to 1',
  },
  {
    name: 'ten copies of a partition',
    change: topic({ replicationFactor: 10 }),
    field: 'spec.kafka.topics[0].replicationFactor',
    message: 'should be less than or equal to 9',
  },
  {
    name: 'more in-sync replicas than replicas',
    change: topic({ replicationFactor: 2, config: { 'min.insync.replicas': '3' } }),
    field: 'spec.kafka.topics[0].config',
    message:
      'min.insync.replicas must not be over replicationFactor: no publication could ever be acknowledged',
  },
  {
    name: 'more in-sync replicas than the default of replicas',
    change: topic({ config: { 'min.insync.replicas': '4' } }),
    field: 'spec.kafka.topics[0].config',
    message: 'min.insync.replicas must not be over replicationFactor',
  },
  {
    name: 'in-sync replicas that are no number',
    change: topic({ config: { 'min.insync.replicas': 'two' } }),
    field: 'spec.kafka.topics[0].config',
    message: 'min.insync.replicas must be a whole number of at least 1',
  },
  {
    name: 'a topic setting that is no text',
    change: topic({ config: { 'retention.ms': 86_400_000 } }),
    field: 'spec.kafka.topics[0].config.retention.ms',
    message: 'must be of type string: "integer"',
  },
  {
    name: 'a topic setting that is none of Kafka',
    change: topic({ config: { retentionMs: '86400000' } }),
    field: 'spec.kafka.topics[0].config',
    message: 'config keys are Kafka topic settings, such as retention.ms',
  },
  {
    name: 'channels that somebody unknown may publish to',
    change: topic({ channels: { publish: 'Nobody' } }),
    field: 'spec.kafka.topics[0].channels.publish',
    message: 'supported values: "Authenticated", "Subscribers", "Granted"',
  },
  {
    name: 'channels that only subscribers may subscribe to',
    change: topic({ channels: { subscribe: 'Subscribers' } }),
    field: 'spec.kafka.topics[0].channels.subscribe',
    message: 'supported values: "Authenticated", "Granted"',
  },
  {
    name: 'a history of nothing',
    change: topic({ channels: { history: { size: 0 } } }),
    field: 'spec.kafka.topics[0].channels.history.size',
    message: 'should be greater than or equal to 1',
  },
  {
    name: 'a history that is kept for a month',
    change: topic({ channels: { history: { ttl: '720h' } } }),
    field: 'spec.kafka.topics[0].channels.history.ttl',
    message: 'history.ttl must be from 1s to 168h: Redis holds it in memory',
  },
  {
    name: 'a history kept for a time that is no duration',
    change: topic({ channels: { history: { ttl: '1 hour' } } }),
    field: 'spec.kafka.topics[0].channels.history.ttl',
    message: NOT_A_DURATION,
  },
];

const stores: InvalidPlatform[] = [
  {
    name: 'a Redis that is both managed and external',
    change: spec({ redis: { storage: '1Gi', external: { url: 'redis://redis.example.com:6379' } } }),
    field: 'spec.redis',
    message: 'set redis.storage (managed by Causeway) or redis.external (yours), not both',
  },
  {
    name: 'a Redis volume that is no quantity',
    change: spec({ redis: { storage: '1 GB' } }),
    field: 'spec.redis.storage',
    message: 'storage must be a quantity over zero, such as 1Gi',
  },
  {
    name: 'a Redis volume of nothing',
    change: spec({ redis: { storage: '0' } }),
    field: 'spec.redis.storage',
    message: 'storage must be a quantity over zero, such as 1Gi',
  },
  {
    name: 'an external Redis without a URL',
    change: spec({ redis: { external: {} } }),
    field: 'spec.redis.external.url',
    message: 'Required value',
  },
  {
    name: 'credentials in the URL of Redis',
    change: spec({ redis: { external: { url: 'redis://user:secret@redis.example.com:6379' } } }),
    field: 'spec.redis.external.url',
    message: 'without user and password: those go into the Secret of secretRef',
  },
  {
    name: 'a Redis at a web address',
    change: spec({ redis: { external: { url: 'https://redis.example.com' } } }),
    field: 'spec.redis.external.url',
    message: 'url must be redis://host:port or rediss://host:port',
  },
  {
    name: 'an etcd that is both managed and external',
    change: merge(external('zone-a', 'zone-b', 'zone-c'), spec({ etcd: { storage: '1Gi' } })) as Change,
    field: 'spec.etcd',
    message: 'set etcd.storage (managed by Causeway) or etcd.external (yours), not both',
  },
  {
    name: 'an etcd volume that is no quantity',
    change: spec({ etcd: { storage: 'big' } }),
    field: 'spec.etcd.storage',
    message: 'storage must be a quantity over zero, such as 1Gi',
  },
  {
    name: 'an external etcd that leaves a zone out',
    change: external('zone-a', 'zone-b'),
    field: 'spec.etcd.external.zones',
    message: 'must name endpoints for each of spec.zones',
  },
  {
    name: 'an external etcd with a zone twice',
    change: external('zone-a', 'zone-b', 'zone-c', 'zone-c'),
    field: 'spec.etcd.external.zones[3]',
    message: 'Duplicate value: {"zone":"zone-c"}',
  },
  {
    name: 'credentials in the URL of etcd',
    change: spec({
      zones: [{ name: 'zone-a' }],
      etcd: { external: { zones: [{ zone: 'zone-a', endpoints: ['https://root:secret@etcd:2379'] }] } },
    }),
    field: 'spec.etcd.external.zones[0].endpoints[0]',
    message: 'without path, user and password: those go into the Secret of secretRef',
  },
  {
    name: 'an etcd URL without a port',
    change: spec({
      zones: [{ name: 'zone-a' }],
      etcd: { external: { zones: [{ zone: 'zone-a', endpoints: ['https://etcd.example.com'] }] } },
    }),
    field: 'spec.etcd.external.zones[0].endpoints[0]',
    message: 'an endpoint is https://host:port or http://host:port',
  },
  {
    name: 'a prefix that does not end with a slash, and so is the beginning of others',
    change: spec({ etcd: { prefixes: ['/config'] } }),
    field: 'spec.etcd.prefixes[0]',
    message: 'a prefix starts and ends with a slash and has a name between, such as /config/',
  },
  {
    name: 'a prefix of everything',
    change: spec({ etcd: { prefixes: ['/'] } }),
    field: 'spec.etcd.prefixes[0]',
    message: 'a prefix starts and ends with a slash and has a name between',
  },
  {
    name: "a prefix of Causeway's own keys",
    change: spec({ etcd: { prefixes: ['/config/', '/causeway.dev/replication/'] } }),
    field: 'spec.etcd.prefixes[1]',
    message: 'the prefix /causeway.dev/ is kept for Causeway itself',
  },
  {
    name: 'prefixes of which one is inside another',
    change: spec({ etcd: { prefixes: ['/config/app/', '/config/'] } }),
    field: 'spec.etcd.prefixes',
    message: 'must not overlap: one of them is the beginning of another',
  },
  {
    name: 'a prefix that stands twice',
    change: spec({ etcd: { prefixes: ['/config/', '/config/'] } }),
    field: 'spec.etcd.prefixes[1]',
    message: 'Duplicate value: "/config/"',
  },
];

const certificates: InvalidPlatform[] = [
  {
    name: 'an issuer that is two things',
    change: spec({ tls: { issuer: { selfManaged: {}, secretRef: { name: 'orders-cert' } } } }),
    field: 'spec.tls.issuer',
    message: 'set exactly one of tls.issuer.selfManaged and tls.issuer.secretRef',
  },
  {
    name: 'an issuer that is nothing',
    change: spec({ tls: { issuer: {} } }),
    field: 'spec.tls.issuer',
    message: 'set exactly one of tls.issuer.selfManaged and tls.issuer.secretRef, or leave tls.issuer out',
  },
  {
    name: 'a certificate of less than an hour',
    change: spec({ tls: { duration: '30m', renewBefore: '10m' } }),
    field: 'spec.tls.duration',
    message: 'tls.duration must be at least 1h',
  },
  {
    name: 'a certificate that is due when it is made',
    change: spec({ tls: { duration: '720h', renewBefore: '720h' } }),
    field: 'spec.tls.renewBefore',
    message: 'must be shorter than tls.duration, or every certificate is due at once',
  },
  {
    name: 'a short certificate with the default renewal',
    change: spec({ tls: { duration: '24h' } }),
    field: 'spec.tls.renewBefore',
    message: 'must be shorter than tls.duration',
  },
  {
    name: 'a certificate that is renewed when it has ended',
    change: spec({ tls: { renewBefore: '0s' } }),
    field: 'spec.tls.renewBefore',
    message: 'tls.renewBefore must be at least 5m',
  },
  {
    name: 'an authority whose lifetime is no duration',
    change: spec({ tls: { authority: { duration: 'ten years' } } }),
    field: 'spec.tls.authority.duration',
    message: 'a duration',
  },
  {
    name: 'an authority that is due as soon as it is made',
    change: spec({ tls: { authority: { duration: '8760h', renewBefore: '8760h' } } }),
    field: 'spec.tls.authority.renewBefore',
    message: 'tls.authority.renewBefore must be shorter than tls.authority.duration',
  },
  {
    name: 'an authority that ends before what it signs',
    change: spec({ tls: { duration: '8760h', authority: { renewBefore: '4380h' } } }),
    field: 'spec.tls.authority.renewBefore',
    message: 'tls.authority.renewBefore must be at least tls.duration',
  },
  {
    name: 'an authority that is replaced at no time',
    change: spec({ tls: { authority: { renewBefore: 'early' } } }),
    field: 'spec.tls.authority.renewBefore',
    message: 'a duration',
  },
  {
    name: 'a ticket key that outlives every ticket',
    change: spec({ tls: { ticketKeyLifetime: '720h' } }),
    field: 'spec.tls.ticketKeyLifetime',
    message: 'tls.ticketKeyLifetime must be from 1h to 168h',
  },
  {
    name: 'a ticket key whose lifetime is no duration',
    change: spec({ tls: { ticketKeyLifetime: 'daily' } }),
    field: 'spec.tls.ticketKeyLifetime',
    message: 'a duration',
  },
  {
    name: 'a pause of a rotation that outlasts certificates',
    change: spec({ tls: { rotation: { canaryPause: '24h' } } }),
    field: 'spec.tls.rotation.canaryPause',
    message: 'a pause of a rotation must be at most 1h, or certificates end before it does',
  },
  {
    name: 'a pause between zones that is no duration',
    change: spec({ tls: { rotation: { pauseBetweenZones: 'a while' } } }),
    field: 'spec.tls.rotation.pauseBetweenZones',
    message: 'a duration',
  },
  {
    name: 'a pause between zones that outlasts certificates',
    change: spec({ tls: { rotation: { pauseBetweenZones: '61m' } } }),
    field: 'spec.tls.rotation.pauseBetweenZones',
    message: 'a pause of a rotation must be at most 1h, or certificates end before it does',
  },
  {
    name: 'a time for a pod in which no kubelet does anything',
    change: spec({ tls: { rotation: { podTimeout: '1s' } } }),
    field: 'spec.tls.rotation.podTimeout',
    message: 'tls.rotation.podTimeout must be from 5s to 1h',
  },
  {
    name: 'a rotation of no pod at a time',
    change: spec({ tls: { rotation: { maxUnverified: 0 } } }),
    field: 'spec.tls.rotation.maxUnverified',
    message: 'should be greater than or equal to 1',
  },
  {
    name: 'a word that says nothing about a zone that is away',
    change: spec({ tls: { rotation: { unavailableZone: 'Ignore' } } }),
    field: 'spec.tls.rotation.unavailableZone',
    message: 'supported values: "Wait", "Skip"',
  },
  {
    name: 'a DNS name with a scheme',
    change: spec({ tls: { dnsNames: ['wss://rt.example.com'] } }),
    field: 'spec.tls.dnsNames[0]',
    message: 'a DNS name has only lower-case letters, digits, dashes and dots, such as rt.example.com',
  },
  {
    name: 'an asterisk in the middle of a DNS name',
    change: spec({ tls: { dnsNames: ['rt.example.com', 'rt.*.example.com'] } }),
    field: 'spec.tls.dnsNames[1]',
    message: 'such as rt.example.com or *.rt.example.com',
  },
];

/** Platforms that must be refused when they are created. */
export const invalidPlatforms: readonly InvalidPlatform[] = [
  {
    name: 'a record without a name',
    change: spec({ gateway: { dns: { setIdentifier: 'eu' } } }),
    field: 'spec.gateway.dns.hostname',
    message: 'Required value',
  },
  {
    name: 'a record for a name without a domain',
    change: spec({ gateway: { dns: { hostname: 'chat', setIdentifier: 'eu' } } }),
    field: 'spec.gateway.dns.hostname',
    message: 'hostname must be a DNS name with a domain',
  },
  {
    name: 'a weight that no record can have',
    change: spec({ gateway: { dns: { hostname: 'chat.example.com', setIdentifier: 'eu', weight: 256 } } }),
    field: 'spec.gateway.dns.weight',
    message: 'less than or equal to 255',
  },
  ...names,
  ...zones,
  ...gateways,
  ...limits,
  ...traces,
  ...liveLimits,
  ...rpc,
  ...tenants,
  ...topics,
  ...stores,
  ...certificates,
];

/** Edits that must be refused. */
export const invalidEdits: readonly InvalidEdit[] = [
  {
    name: 'another home zone',
    change: spec({ homeZone: 'zone-b' }),
    field: 'spec.homeZone',
    message: 'editing it moves nothing: a ZoneFailover moves the home',
  },
  {
    name: 'a home zone other than the one that a failover moved to',
    status: { homeZone: 'zone-b' },
    change: spec({ homeZone: 'zone-c' }),
    field: 'spec.homeZone',
    message: 'it may be set to the zone that is home now, which status.homeZone names',
  },
  {
    name: 'taking away the zone that is home now',
    status: { homeZone: 'zone-b' },
    change: spec({ zones: [{ name: 'zone-a' }, { name: 'zone-c' }] }),
    field: 'spec.zones',
    message: 'move the home away first, with a ZoneFailover',
  },
  {
    name: 'taking away a zone while a failover is under way',
    status: { homeZone: 'zone-a', failover: { name: 'drill' } },
    change: spec({ zones: [{ name: 'zone-a' }, { name: 'zone-c' }] }),
    field: 'spec.zones',
    message: 'zones may lose none while a ZoneFailover is under way',
  },
  {
    name: 'taking away the zone where the platform began',
    change: spec({ zones: [{ name: 'zone-b' }, { name: 'zone-c' }] }),
    field: 'spec.homeZone',
    message: 'homeZone must be the name of one of spec.zones',
  },
  {
    name: 'a Redis that becomes external',
    change: spec({ redis: { external: { url: 'redis://redis.example.com:6379' } } }),
    field: 'spec.redis.external',
    message:
      'cannot change between managed and external in place: create a new platform and move clients to it',
  },
  {
    name: 'a Redis that becomes managed',
    before: spec({ redis: { external: { url: 'redis://redis.example.com:6379' } } }),
    change: spec({ redis: { external: null } }),
    field: 'spec.redis.external',
    message: 'cannot change between managed and external in place',
  },
  {
    name: 'a larger Redis volume',
    before: spec({ redis: { storage: '1Gi' } }),
    change: spec({ redis: { storage: '2Gi' } }),
    field: 'spec.redis.storage',
    message: 'storage cannot be changed: the volumes of a StatefulSet have a fixed size',
  },
  {
    name: 'an etcd volume other than the default that it began with',
    change: spec({ etcd: { storage: '2Gi' } }),
    field: 'spec.etcd.storage',
    message: 'storage cannot be changed',
  },
  {
    name: 'an etcd that becomes external',
    change: external('zone-a', 'zone-b', 'zone-c'),
    field: 'spec.etcd.external',
    message: 'cannot change between managed and external in place',
  },
  {
    name: 'a new zone without endpoints of its external etcd',
    before: external('zone-a', 'zone-b', 'zone-c'),
    change: spec({ zones: [{ name: 'zone-a' }, { name: 'zone-b' }, { name: 'zone-c' }, { name: 'zone-d' }] }),
    field: 'spec.etcd.external.zones',
    message: 'must name endpoints for each of spec.zones',
  },
  {
    name: 'two zones with automatic failover',
    before: spec({ failover: { automatic: true } }),
    change: spec({ zones: [{ name: 'zone-a' }, { name: 'zone-b' }] }),
    field: 'spec.failover.automatic',
    message: 'needs at least 3 zones',
  },
];

/** Fields that do not exist, which strict validation must name. */
export const unknownFields: readonly InvalidPlatform[] = [
  {
    name: 'a misspelt part',
    change: spec({ gatway: { replicasPerZone: 2 } }),
    field: 'spec.gatway',
    message: 'unknown field "spec.gatway"',
  },
  {
    name: 'a misspelt field in a list',
    change: topic({ partition: 3 }),
    field: 'spec.kafka.topics[0].partition',
    message: 'unknown field "spec.kafka.topics[0].partition"',
  },
  {
    name: 'a field of the self-managed authority',
    change: spec({ tls: { issuer: { selfManaged: { commonName: 'orders' } } } }),
    field: 'spec.tls.issuer.selfManaged.commonName',
    message: 'unknown field "spec.tls.issuer.selfManaged.commonName"',
  },
  {
    name: 'a password beside the Secret',
    change: gateway({ auth: { jwt: { hmac: 'secret' } } }),
    field: 'spec.gateway.auth.jwt.hmac',
    message: 'unknown field "spec.gateway.auth.jwt.hmac"',
  },
];
