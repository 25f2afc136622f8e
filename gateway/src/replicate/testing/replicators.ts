import type { ReplicatorConfig } from '@causeway/crds';
import type { Log } from '../../log/index.ts';
import type { Zone } from './zones.ts';

/** A log that nobody reads. */
export const silent: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** What the replicator of `zone` is told while `homeZone` is home; both are names in `zones`. */
export function replicatorConfig<N extends string>(
  zones: Record<N, Zone>,
  { homeZone, zone, epoch, prefixes }: { homeZone: N; zone: N; epoch: number; prefixes: string[] },
): ReplicatorConfig {
  return {
    platform: 'orders',
    namespace: 'messaging',
    listen: { adminPort: 0 },
    homeZone,
    zone,
    epoch,
    source: { endpoints: [zones[homeZone].etcd.endpoint] },
    target: { endpoints: [zones[zone].etcd.endpoint] },
    prefixes,
  };
}
