import { Gauge } from 'prom-client';
import type { Registry } from 'prom-client';

/**
 * Shows what is kept for clients and is to go with them, by what it is: with nobody there, all of it is 0 after some
 * seconds. `kept` is asked when metrics are.
 */
export function showKept(registry: Registry, kept: () => Readonly<Record<string, number>>): void {
  // Registered by its constructor.
  void new Gauge({
    name: 'causeway_gateway_kept',
    help: 'Entries that are kept for clients, and go with them',
    labelNames: ['what'],
    registers: [registry],
    collect() {
      for (const [what, count] of Object.entries(kept())) this.set({ what }, count);
    },
  });
}
