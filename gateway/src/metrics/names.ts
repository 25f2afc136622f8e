import { Counter } from 'prom-client';
import type { Registry } from 'prom-client';

/** Adds lookups of names to the metrics. `lookups` says how many there were, by outcome: see names/. */
export function countLookups(registry: Registry, lookups: () => Readonly<Record<string, number>>): void {
  // Registered by its constructor; its values are read when they are collected.
  void new Counter({
    name: 'causeway_gateway_lookups_total',
    help: 'Lookups of names for new connections; stale: name servers did not answer, an old answer was used',
    labelNames: ['outcome'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [outcome, count] of Object.entries(lookups())) this.inc({ outcome }, count);
    },
  });
}
