import type { ZoneView } from '@causeway/crds';
import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';

/** Adds to `registry` what this gateway sees of the other zones. */
export function createZoneMetrics(registry: Registry, view: () => ZoneView): void {
  void new Gauge({
    name: 'causeway_gateway_zone_unreachable_seconds',
    help: 'For how long no gateway of the zone has answered this one; 0 while one does, or none is known',
    labelNames: ['zone'],
    registers: [registry],
    collect() {
      for (const { zone, unreachableMs } of view().seen) this.set({ zone }, unreachableMs / 1000);
    },
  });
}

/** Adds to `registry` whom this gateway took out of the group, and returns what counts them, by the zone that they were of. */
export function countEvictions(registry: Registry): (zone: string) => void {
  const evictions = new Counter({
    name: 'causeway_gateway_group_evictions_total',
    help: "Members of a lost zone that this gateway took out of the gateways' group",
    labelNames: ['zone'],
    registers: [registry],
  });
  return (zone) => evictions.inc({ zone });
}
