/** Secrets that the user brings: which parts need them, what is wrong with them, what they open. Pure. */
import { SECRET_KEY } from '@causeway/crds';
import { checkSuppliedCertificate, type SecretData } from '../certificates/index.ts';
import type { KafkaAccess } from './kafka.ts';
import type { MessagePlatform, Part, Problem } from './types.ts';

/** Secrets by name; undefined: it is not there. */
export type UserSecrets = ReadonlyMap<string, SecretData | undefined>;

interface Need {
  part: Part;
  secret: string;
  /** What to put in, for a person. */
  contents: string;
  /** What is wrong with what is in, if anything. */
  check: (data: SecretData, now: number) => { reason: string; message: string } | undefined;
}

/** How a Kafka cluster is reached, as the spec says. */
type KafkaConnection = Pick<MessagePlatform['spec']['kafka'], 'bootstrapServers' | 'tls' | 'sasl'>;

/** A Need that is none where no Secret is named. */
type MaybeNeed = Omit<Need, 'secret'> & { secret: string | undefined };

/** HMAC secrets shorter than the hash weaken it (RFC 7518, 3.2); bytes. */
const MIN_HMAC_BYTES = 32;

/** Every Secret of the user that the platform names. */
export function userSecretNeeds(platform: MessagePlatform): Need[] {
  const { gateway, kafka, redis, etcd, tls } = platform.spec;
  const needs: MaybeNeed[] = [
    {
      part: 'Gateways',
      secret: gateway.auth.jwt.secretRef?.name,
      contents: 'hmac or jwks.json',
      check: checkJwt,
    },
    {
      part: 'Gateways',
      secret: gateway.auth.jwt.jwks?.caSecretRef?.name,
      contents: 'ca.crt',
      check: requireKeys(SECRET_KEY.ca),
    },
    ...tracingNeeds(gateway.tracing),
    ...(gateway.rpc ?? []).flatMap(({ secretRef, caSecretRef }) => [
      {
        part: 'Gateways' as const,
        secret: secretRef?.name,
        contents: 'token',
        check: requireKeys(SECRET_KEY.token),
      },
      {
        part: 'Gateways' as const,
        secret: caSecretRef?.name,
        contents: 'ca.crt',
        check: requireKeys(SECRET_KEY.ca),
      },
    ]),
    ...kafkaNeeds(kafka),
    ...kafkaNeeds(kafka.mirror),
    {
      part: 'Redis',
      secret: redis.external?.secretRef?.name,
      contents: 'password or ca.crt',
      check: () => undefined,
    },
    { part: 'Etcd', secret: etcd.external?.secretRef?.name, contents: 'ca.crt', check: () => undefined },
    {
      part: 'Certificates',
      secret: tls.issuer?.secretRef?.name,
      contents: 'tls.crt and tls.key',
      // Names of Services are not asked for: public authorities sign none.
      check: (data, now) => checkSuppliedCertificate(data, now, { requiredNames: tls.dnsNames ?? [] }),
    },
  ];
  return needs.flatMap(({ secret, ...need }) => (secret === undefined ? [] : [{ ...need, secret }]));
}

/** Of a Kafka cluster. */
function kafkaNeeds(cluster: KafkaConnection | undefined): MaybeNeed[] {
  return [
    {
      part: 'Topics',
      secret: cluster?.sasl?.secretRef.name,
      contents: 'username and password',
      check: requireKeys(SECRET_KEY.username, SECRET_KEY.password),
    },
    {
      part: 'Topics',
      secret: cluster?.tls?.secretRef?.name,
      contents: 'ca.crt',
      check: requireKeys(SECRET_KEY.ca),
    },
  ];
}

function tracingNeeds(tracing: MessagePlatform['spec']['gateway']['tracing']): MaybeNeed[] {
  return [
    {
      part: 'Gateways',
      secret: tracing?.headersSecretRef?.name,
      contents: 'a key for each HTTP header',
      check: checkHeaders,
    },
    {
      part: 'Gateways',
      secret: tracing?.caSecretRef?.name,
      contents: 'ca.crt',
      check: requireKeys(SECRET_KEY.ca),
    },
  ];
}

function requireKeys(...keys: string[]) {
  return (data: SecretData): { reason: string; message: string } | undefined => {
    const missing = keys.filter((key) => (data[key] ?? '') === '');
    if (missing.length === 0) return undefined;
    return { reason: 'SecretInvalid', message: `it has no ${missing.join(' and no ')}` };
  };
}

/** Each key is a header's name, which every key of a Secret can be. Line feeds at the end are cut off by the gateway. */
function checkHeaders(data: SecretData): { reason: string; message: string } | undefined {
  const headers = Object.entries(data);
  if (headers.length === 0) return { reason: 'SecretInvalid', message: 'it has no key' };
  const bad = headers.filter(([, value]) => !/^[\t\x20-\x7e]+$/.test(value.trim())).map(([name]) => name);
  if (bad.length === 0) return undefined;
  return { reason: 'SecretInvalid', message: `its ${bad.join(' and ')} cannot be sent as a header` };
}

function checkJwt(data: SecretData): { reason: string; message: string } | undefined {
  const hmac = data[SECRET_KEY.hmac];
  const jwks = data[SECRET_KEY.jwks];
  if (hmac === undefined && jwks === undefined) {
    return { reason: 'SecretInvalid', message: 'it has neither hmac nor jwks.json' };
  }
  if (hmac !== undefined && hmac.length < MIN_HMAC_BYTES) {
    return {
      reason: 'SecretInvalid',
      message: `its hmac has ${hmac.length} bytes, and must have ${MIN_HMAC_BYTES} or more`,
    };
  }
  return jwks === undefined ? undefined : checkJwks(jwks);
}

function checkJwks(text: string): { reason: string; message: string } | undefined {
  try {
    const parsed = JSON.parse(text) as { keys?: unknown };
    if (Array.isArray(parsed.keys) && parsed.keys.length > 0) return undefined;
  } catch {
    // Falls through: text that is no JSON gets the same answer, and never a quote from the Secret.
  }
  return {
    reason: 'SecretInvalid',
    message: 'its jwks.json is no JSON Web Key Set with at least one key (RFC 7517)',
  };
}

/** What is missing or broken, for conditions. */
export function userSecretProblems(platform: MessagePlatform, secrets: UserSecrets, now: number): Problem[] {
  const { namespace } = platform.metadata;
  return userSecretNeeds(platform).flatMap(({ part, secret, contents, check }) => {
    const data = secrets.get(secret);
    if (data === undefined) {
      const message = `Secret ${namespace}/${secret} does not exist. Create it with ${contents}.`;
      return [{ part, reason: 'SecretNotFound', message, needsPerson: true }];
    }
    const fault = check(data, now);
    if (fault === undefined) return [];
    const message = `Secret ${namespace}/${secret} cannot be used: ${fault.message}. Put ${contents} into it.`;
    return [{ part, reason: fault.reason, message, needsPerson: true }];
  });
}

/** How to reach the platform's Kafka; undefined while a Secret that this needs is missing. */
export function kafkaAccess(platform: MessagePlatform, secrets: UserSecrets): KafkaAccess | undefined {
  return accessTo(platform.spec.kafka, secrets);
}

/** How to reach the Kafka that the platform's topics are mirrored to; undefined: there is none, or a Secret is missing. */
export function mirrorAccess(platform: MessagePlatform, secrets: UserSecrets): KafkaAccess | undefined {
  const { mirror } = platform.spec.kafka;
  return mirror && accessTo(mirror, secrets);
}

function accessTo(
  { bootstrapServers, tls, sasl }: KafkaConnection,
  secrets: UserSecrets,
): KafkaAccess | undefined {
  const access: KafkaAccess = { brokers: bootstrapServers.split(',') };
  if (tls !== undefined) {
    const data = tls.secretRef === undefined ? {} : secrets.get(tls.secretRef.name);
    if (data === undefined) return undefined;
    access.tls = pick(data, { ca: SECRET_KEY.ca, cert: SECRET_KEY.cert, key: SECRET_KEY.key });
  }
  if (sasl !== undefined) {
    const data = secrets.get(sasl.secretRef.name);
    const username = data?.[SECRET_KEY.username];
    const password = data?.[SECRET_KEY.password];
    if (username === undefined || password === undefined) return undefined;
    access.sasl = { mechanism: sasl.mechanism, username, password };
  }
  return access;
}

function pick<K extends string>(data: SecretData, keys: Record<K, string>): { [P in K]?: string } {
  const found: { [P in K]?: string } = {};
  for (const [name, key] of Object.entries(keys) as [K, string][]) {
    const value = data[key];
    if (value !== undefined) found[name] = value;
  }
  return found;
}
