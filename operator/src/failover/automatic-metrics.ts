/** What Prometheus may know of automatic Emergencies. */
import type { MessagePlatform } from '@causeway/crds';
import { Counter, Gauge, type Registry } from 'prom-client';
import { WORKING_REASONS } from './automatic.ts';

export interface AutomaticMetrics {
  /** One was made. */
  made(): void;
}

/** Registers the figures on `registry`. `platforms`: those that there are, at the time of the scrape. */
export function automaticMetrics(
  registry: Registry,
  platforms: () => readonly MessagePlatform[],
): AutomaticMetrics {
  const made = new Counter({
    name: 'causeway_automatic_emergencies_total',
    help: 'Emergencies that spec.failover.automatic made.',
    registers: [registry],
  });
  const missed: Gauge = new Gauge({
    name: 'causeway_zone_missed_by',
    help: 'Zones whose gateways do not reach a zone, of platforms with failover.automatic.',
    labelNames: ['namespace', 'platform', 'zone'],
    registers: [registry],
    collect: () => {
      missed.reset();
      for (const { metadata, status } of platforms())
        for (const { zone, missedBy = [] } of status?.automaticFailover?.zones ?? [])
          missed.set({ namespace: metadata.namespace, platform: metadata.name, zone }, missedBy.length);
    },
  });
  const hindered: Gauge = new Gauge({
    name: 'causeway_automatic_failover_hindered',
    help: '1 while failover.automatic of a platform could do nothing about an outage, by reason.',
    labelNames: ['namespace', 'platform', 'reason'],
    registers: [registry],
    collect: () => {
      hindered.reset();
      for (const { metadata, status } of platforms()) {
        const reason = status?.automaticFailover?.reason;
        if (reason !== undefined && !WORKING_REASONS.has(reason))
          hindered.set({ namespace: metadata.namespace, platform: metadata.name, reason }, 1);
      }
    },
  });
  return { made: () => made.inc() };
}
