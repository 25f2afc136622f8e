import { readFile } from 'node:fs/promises';
import type {
  ChannelOptions,
  GatewayConfig,
  KafkaConnectionConfig,
  RemoteKeySet,
  RpcMethodConfig,
  TracingConfig,
} from '@causeway/crds';
import { gatewayEtcd } from './etcd.ts';
import { gatewayLimits } from './limits.ts';
import { ConfigError, Field } from './validate.ts';

const PORT_MAX = 65_535;

/** Reads a JSON file. Throws {@link ConfigError} if it cannot be read or is not JSON. */
export async function readJson(file: string): Promise<Field> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new ConfigError(
      file,
      '',
      `cannot be read (${(error as NodeJS.ErrnoException).code}); pass --config`,
    );
  }
  try {
    return new Field(file, '', JSON.parse(text));
  } catch (error) {
    throw new ConfigError(file, '', `is not JSON: ${(error as Error).message}`);
  }
}

/** Reads and checks `gateway.json`. Throws {@link ConfigError}. */
export async function loadGatewayConfig(file: string): Promise<GatewayConfig> {
  return parseGatewayConfig(await readJson(file));
}

/** Checks a parsed `gateway.json`; unknown members are left out. Throws {@link ConfigError}. */
export function parseGatewayConfig(root: Field): GatewayConfig {
  const heartbeat = root.at('heartbeat');
  const listen = root.at('listen');
  const tls = root.at('tls');
  const drain = root.at('drain');
  const rpc = root.maybe('rpc');
  const etcd = gatewayEtcd(root.maybe('etcd'));
  const tracing = root.maybe('tracing');
  return {
    platform: root.at('platform').string(),
    namespace: root.at('namespace').string(),
    listen: {
      port: listen.at('port').integer(0, PORT_MAX),
      adminPort: listen.at('adminPort').integer(0, PORT_MAX),
    },
    tls: { dir: tls.at('dir').string(), annotationsFile: tls.at('annotationsFile').string() },
    auth: { jwt: jwt(root.at('auth').at('jwt')) },
    allowedOrigins: (root.maybe('allowedOrigins')?.items() ?? []).map((origin) => origin.string()),
    heartbeat: {
      intervalMs: heartbeat.at('intervalMs').integer(100),
      timeoutMs: heartbeat.at('timeoutMs').integer(100),
    },
    connectTimeoutMs: root.at('connectTimeoutMs').integer(100),
    limits: gatewayLimits(root.at('limits'), etcd),
    ...(rpc && { rpc: rpc.items().map(rpcMethod) }),
    kafka: kafka(root.at('kafka')),
    redis: redis(root.at('redis')),
    ...(etcd && { etcd }),
    ...(tracing && { tracing: tracingConfig(tracing) }),
    peers: root.at('peers').items().map(peer),
    drain: {
      perSecond: drain.at('perSecond').positive(),
      timeoutMs: drain.at('timeoutMs').integer(0),
      noticeMs: drain.at('noticeMs').integer(0),
    },
  };
}

function peer(field: Field): GatewayConfig['peers'][number] {
  return {
    zone: field.at('zone').string(),
    host: field.at('host').string(),
    port: field.at('port').integer(1, PORT_MAX),
  };
}

function jwt(field: Field): GatewayConfig['auth']['jwt'] {
  const issuer = field.maybe('issuer')?.string();
  const audience = field.maybe('audience')?.string();
  const rules = { ...(issuer && { issuer }), ...(audience && { audience }) };
  const jwks = field.maybe('jwks');
  return jwks ? { ...rules, jwks: keySet(jwks) } : { ...rules, dir: field.at('dir').string() };
}

function keySet(field: Field): RemoteKeySet {
  const url = field.at('url');
  if (!url.string().startsWith('https://') || !URL.canParse(url.string()))
    url.fail('a URL that begins with https://');
  const caDir = field.maybe('caDir')?.string();
  return {
    url: url.string(),
    refreshMs: field.at('refreshMs').integer(1_000),
    ...(caDir && { caDir }),
  };
}

function rpcMethod(field: Field): RpcMethodConfig {
  const url = field.at('url');
  if (!/^https?:\/\//.test(url.string()) || !URL.canParse(url.string()))
    url.fail('a URL that begins with https:// or http://');
  const dir = field.maybe('dir')?.string();
  const caDir = field.maybe('caDir')?.string();
  return {
    method: field.at('method').string(),
    url: url.string(),
    timeoutMs: field.at('timeoutMs').integer(1),
    concurrency: field.at('concurrency').integer(1),
    ...(dir && { dir }),
    ...(caDir && { caDir }),
  };
}

function kafka(field: Field): GatewayConfig['kafka'] {
  const brokers = field.at('brokers').items();
  if (brokers.length === 0) field.at('brokers').fail('a list of at least one host:port');
  const topics = field.at('topics').items();
  const names = new Set<string>();
  for (const topic of topics) {
    const name = topic.at('name');
    if (names.has(name.string())) name.fail('different from the names of the other topics');
    names.add(name.string());
  }
  const tls = kafkaTls(field.maybe('tls'));
  const sasl = kafkaSasl(field.maybe('sasl'));
  return {
    brokers: brokers.map((broker) => {
      if (!/:\d+$/.test(broker.string())) broker.fail('host:port');
      return broker.string();
    }),
    ...(tls && { tls }),
    ...(sasl && { sasl }),
    group: field.at('group').string(),
    topics: topics.map((topic) => ({
      name: topic.at('name').string(),
      topic: topic.at('topic').string(),
      channels: channelOptions(topic.at('channels')),
    })),
  };
}

function channelOptions(field: Field): ChannelOptions {
  const history = field.at('history');
  return {
    subscribe: field.at('subscribe').oneOf(['Authenticated', 'Granted']),
    publish: field.at('publish').oneOf(['Authenticated', 'Subscribers', 'Granted']),
    history: { size: history.at('size').integer(1), seconds: history.at('seconds').positive() },
    recovery: field.at('recovery').boolean(),
    presence: field.at('presence').boolean(),
    joinLeave: field.at('joinLeave').boolean(),
  };
}

function kafkaTls(field: Field | undefined): KafkaConnectionConfig['tls'] {
  if (!field) return undefined;
  field.object();
  const dir = field.maybe('dir')?.string();
  return dir ? { dir } : {};
}

function kafkaSasl(field: Field | undefined): KafkaConnectionConfig['sasl'] {
  if (!field) return undefined;
  return {
    mechanism: field.at('mechanism').oneOf(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']),
    dir: field.at('dir').string(),
  };
}

function redis(field: Field): GatewayConfig['redis'] {
  const url = field.at('url');
  let protocol = '';
  try {
    protocol = new URL(url.string()).protocol;
  } catch {
    url.fail('a URL such as rediss://orders-redis:6379', true);
  }
  if (protocol !== 'redis:' && protocol !== 'rediss:')
    url.fail('a URL that begins with redis:// or rediss://', true);
  const tlsDir = field.maybe('tlsDir')?.string();
  const dir = field.maybe('dir')?.string();
  return { url: url.string(), ...(tlsDir && { tlsDir }), ...(dir && { dir }) };
}

function tracingConfig(field: Field): TracingConfig {
  const endpoint = field.at('endpoint');
  if (!/^https?:\/\/[^/?#@]+(\/[^?#@]*)?$/.test(endpoint.string()) || !URL.canParse(endpoint.string()))
    endpoint.fail('a URL such as http://otel-collector:4318, without user, password and query', true);
  const headersDir = field.maybe('headersDir')?.string();
  const caDir = field.maybe('caDir')?.string();
  return {
    endpoint: endpoint.string(),
    samplingRatePerMillion: field.at('samplingRatePerMillion').integer(0, 1_000_000),
    ...(headersDir && { headersDir }),
    ...(caDir && { caDir }),
  };
}
