import { ETCD_PREFIX } from '@causeway/crds';
import type { EtcdConnectionConfig, GatewayEtcdConfig } from '@causeway/crds';
import type { Field } from './validate.ts';

/** How to reach an etcd. Throws {@link ConfigError}. */
export function etcdConnection(field: Field): EtcdConnectionConfig {
  const dir = field.maybe('dir')?.string();
  return { endpoints: etcdEndpoints(field), ...(dir && { dir }) };
}

function etcdEndpoints(field: Field): string[] {
  const endpoints = field.at('endpoints').items();
  if (endpoints.length === 0) field.at('endpoints').fail('a list of at least one URL');
  for (const endpoint of endpoints) {
    if (!/^https?:\/\/[^/]+:\d+$/.test(endpoint.string())) endpoint.fail('a URL such as https://host:2379');
  }
  const schemes = new Set(endpoints.map((endpoint) => endpoint.string().split(':')[0]));
  if (schemes.size > 1) field.at('endpoints').fail('all https or all http');
  return endpoints.map((endpoint) => endpoint.string());
}

/** A key prefix. Throws {@link ConfigError}. */
export function etcdPrefix(field: Field): string {
  const text = field.string();
  if (text.startsWith(ETCD_PREFIX)) field.fail(`outside ${ETCD_PREFIX}, which holds Causeway's own keys`);
  return text;
}

/** `etcd` in `gateway.json`. Throws {@link ConfigError}. */
export function gatewayEtcd(field: Field | undefined): GatewayEtcdConfig | undefined {
  if (!field) return undefined;
  const dir = field.maybe('dir')?.string();
  return {
    homeZone: field.at('homeZone').string(),
    epoch: field.at('epoch').integer(0),
    prefixes: field.at('prefixes').items().map(etcdPrefix),
    zones: field
      .at('zones')
      .items()
      .map((zone) => ({ zone: zone.at('zone').string(), endpoints: etcdEndpoints(zone) })),
    ...(dir && { dir }),
  };
}
