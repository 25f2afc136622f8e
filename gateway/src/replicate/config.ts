/** Reads and checks `replicator.json`. */
import { ETCD_PREFIX } from '@causeway/crds';
import type { EtcdConnectionConfig, ReplicatorConfig } from '@causeway/crds';
import { readJson } from '../config/index.ts';
import type { Field } from '../config/index.ts';

const PORT_MAX = 65_535;

/** Reads and checks `replicator.json`. Throws ConfigError, which says file, field and what to do. */
export async function loadReplicatorConfig(file: string): Promise<ReplicatorConfig> {
  return parseReplicatorConfig(await readJson(file));
}

/** Checks a parsed `replicator.json`; unknown members are left out. Throws ConfigError. */
export function parseReplicatorConfig(root: Field): ReplicatorConfig {
  return {
    platform: root.at('platform').string(),
    namespace: root.at('namespace').string(),
    listen: { adminPort: root.at('listen').at('adminPort').integer(0, PORT_MAX) },
    homeZone: root.at('homeZone').string(),
    zone: root.at('zone').string(),
    epoch: root.at('epoch').integer(0),
    source: connection(root.at('source')),
    target: connection(root.at('target')),
    prefixes: root.at('prefixes').items().map(prefix),
  };
}

function connection(field: Field): EtcdConnectionConfig {
  const endpoints = field.at('endpoints').items();
  if (endpoints.length === 0) field.at('endpoints').fail('a list of at least one URL');
  for (const endpoint of endpoints) {
    if (!/^https?:\/\/[^/]+:\d+$/.test(endpoint.string())) endpoint.fail('a URL such as https://host:2379');
  }
  const schemes = new Set(endpoints.map((endpoint) => endpoint.string().split(':')[0]));
  if (schemes.size > 1) field.at('endpoints').fail('all https or all http');
  const dir = field.maybe('dir')?.string();
  return { endpoints: endpoints.map((endpoint) => endpoint.string()), ...(dir && { dir }) };
}

function prefix(field: Field): string {
  const text = field.string();
  if (text.startsWith(ETCD_PREFIX)) field.fail(`outside ${ETCD_PREFIX}, which holds Causeway's own keys`);
  return text;
}
