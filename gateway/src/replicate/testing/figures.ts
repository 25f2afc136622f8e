import type { Registry } from 'prom-client';

/** What a scrape of a replicator gives: its metrics without labels, by the name after `causeway_replication_`. */
export async function figures(registry: Registry): Promise<Record<string, number>> {
  const lines = (await registry.metrics()).matchAll(/^causeway_replication_(\w+) (\S+)$/gm);
  return Object.fromEntries([...lines].map(([, name = '', value]) => [name, Number(value)]));
}
