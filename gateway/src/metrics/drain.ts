import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';

/** What a drain counts. kind: `client` and `sync` were here, `newcomer` came meanwhile. */
export type DrainSent = Counter<'kind'>;

/** Adds the metrics of drains to `registry`. `draining`: this gateway is to be empty, or ends. */
export function createDrainMetrics(registry: Registry, draining: () => boolean): DrainSent {
  const registers = [registry];
  void new Gauge({
    name: 'causeway_gateway_draining',
    help: '1 while this gateway is to be empty',
    registers,
    collect() {
      this.set(Number(draining()));
    },
  });
  return new Counter({
    name: 'causeway_gateway_drain_sent_total',
    help: 'Clients sent away because this gateway is to be empty',
    labelNames: ['kind'],
    registers,
  });
}
