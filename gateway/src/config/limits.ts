import type { GatewayConfig, GatewayEtcdConfig, RateConfig, SendLimitsConfig } from '@causeway/crds';
import { ConfigError, Field } from './validate.ts';

/** Most bytes of limits in etcd: twenty tiers take two thousand. */
export const MAX_LIMITS_BYTES = 64 * 1024;
/** As in the platform's schema. */
const MAX_RATE = 1_000_000;
const MAX_TIERS = 20;

/** `limits` in `gateway.json`. `etcd`: the one that `etcdKey` is in. Throws {@link ConfigError}. */
export function gatewayLimits(field: Field, etcd: GatewayEtcdConfig | undefined): GatewayConfig['limits'] {
  const tenant = field.maybe('tenant');
  const etcdKey = field.maybe('etcdKey');
  const isFollowed = etcd?.prefixes.some((prefix) => etcdKey?.string().startsWith(prefix));
  if (etcdKey && !isFollowed) etcdKey.fail('a key under one of etcd.prefixes');
  return {
    connections: field.at('connections').integer(1),
    ...rate(field),
    tiers: (field.maybe('tiers')?.items() ?? []).map((tier) => ({
      name: tier.at('name').string(),
      ...rate(tier),
    })),
    ...(tenant && { tenant: rate(tenant) }),
    ...(etcdKey && { etcdKey: etcdKey.string() }),
  };
}

function rate(field: Field): RateConfig {
  return {
    messagesPerSecond: field.at('messagesPerSecond').positive(),
    burst: field.at('burst').integer(1),
  };
}

/**
 * The limits that `value`, of the key `key` in etcd, makes of `spec`: each member that it has is taken instead, a tier
 * instead of the one of its name. Throws {@link ConfigError}, without the value where it may be something else.
 */
export function limitsOver(spec: SendLimitsConfig, key: string, value: Buffer): SendLimitsConfig {
  const root = readValue(key, value);
  onlyMembers(root, ['messagesPerSecond', 'burst', 'tiers', 'tenant']);
  const messagesPerSecond = root.maybe('messagesPerSecond');
  const burst = root.maybe('burst');
  const everyone = {
    messagesPerSecond: messagesPerSecond ? perSecond(messagesPerSecond) : spec.messagesPerSecond,
    burst: burst ? burst.integer(1, MAX_RATE) : spec.burst,
  };
  reachable(new Field(root.file, 'burst', everyone.burst), everyone);
  const tenant = root.maybe('tenant');
  return {
    ...everyone,
    tiers: tiersOver(spec.tiers, root.maybe('tiers')?.items() ?? []),
    ...(tenant ? { tenant: fullRate(tenant, []) } : spec.tenant && { tenant: spec.tenant }),
  };
}

function readValue(key: string, value: Buffer): Field {
  const file = `etcd key ${key}`;
  if (value.length > MAX_LIMITS_BYTES)
    throw new ConfigError(file, '', `is longer than ${MAX_LIMITS_BYTES / 1024} KiB`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(value.toString());
  } catch {
    // What the parser says would show a piece of it.
    throw new ConfigError(file, '', 'is not JSON');
  }
  const root = new Field(file, '', parsed);
  const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
  if (!isObject) root.fail('an object such as {"messagesPerSecond": 500, "burst": 1000}', true);
  return root;
}

function tiersOver(spec: SendLimitsConfig['tiers'], tiers: Field[]): SendLimitsConfig['tiers'] {
  if (tiers.length > MAX_TIERS)
    throw new ConfigError(tiers[0]?.file ?? '', 'tiers', `must be at most ${MAX_TIERS}`);
  const byName = new Map(spec.map((tier) => [tier.name, tier]));
  const named = new Set<string>();
  for (const tier of tiers) {
    const name = tier.at('name').string();
    if (named.has(name)) tier.at('name').fail('different from the names of the other tiers');
    named.add(name);
    byName.set(name, { name, ...fullRate(tier, ['name']) });
  }
  return [...byName.values()];
}

/** A rate whose burst, left out, is twice its messages a second, as in the platform's spec. */
function fullRate(field: Field, besides: string[]): RateConfig {
  onlyMembers(field, [...besides, 'messagesPerSecond', 'burst']);
  const messagesPerSecond = perSecond(field.at('messagesPerSecond'));
  const burst = field.maybe('burst')?.integer(1, MAX_RATE) ?? Math.max(1, Math.ceil(2 * messagesPerSecond));
  const made = { messagesPerSecond, burst };
  reachable(field.at('burst'), made);
  return made;
}

function perSecond(field: Field): number {
  const value = field.positive();
  if (value > MAX_RATE) field.fail(`at most ${MAX_RATE}`);
  return value;
}

function reachable(field: Field, { messagesPerSecond, burst }: RateConfig): void {
  if (burst < messagesPerSecond)
    field.fail(`at least messagesPerSecond (${messagesPerSecond}), or the rate can never be reached`);
}

/** A misspelt limit would be none. */
function onlyMembers(field: Field, names: string[]): void {
  for (const name of Object.keys(field.object())) {
    if (names.includes(name)) continue;
    const path = field.path === '' ? name : `${field.path}.${name}`;
    throw new ConfigError(field.file, path, `is not known here; there are ${names.join(', ')}`);
  }
}
