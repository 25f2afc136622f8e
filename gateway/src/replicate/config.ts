/** Reads and checks `replicator.json`. */
import type { ReplicatorConfig } from '@causeway/crds';
import { etcdConnection, etcdPrefix, readJson } from '../config/index.ts';
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
    source: etcdConnection(root.at('source')),
    target: etcdConnection(root.at('target')),
    prefixes: root.at('prefixes').items().map(etcdPrefix),
  };
}
