import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';

/** Values that are read when metrics are asked for. */
export interface LimitsGauges {
  /** Everyone's rate that applies. */
  messagesPerSecond: () => number;
  fromEtcd: () => boolean;
  /** Whether each kind of problem is there now. value: what etcd has cannot be used. etcd: changes are not seen. */
  problems: () => Record<'value' | 'etcd', boolean>;
}

/** Adds the metrics of limits that change while the gateway runs. Returns the counter of changes. */
export function createLimitsMetrics(registry: Registry, gauges: LimitsGauges): Counter {
  const registers = [registry];
  // Registered by their constructors; their values are read when they are collected.
  void new Gauge({
    name: 'causeway_gateway_limits_messages_per_second',
    help: 'Messages a second that each user may send',
    registers,
    collect() {
      this.set(gauges.messagesPerSecond());
    },
  });
  void new Gauge({
    name: 'causeway_gateway_limits_from_etcd',
    help: '1 while a value in etcd is laid over the limits of the platform',
    registers,
    collect() {
      this.set(gauges.fromEtcd() ? 1 : 0);
    },
  });
  void new Gauge({
    name: 'causeway_gateway_limits_problem',
    help: '1 while the limits in etcd cannot be used (value), or changes of them are not seen (etcd)',
    labelNames: ['problem'],
    registers,
    collect() {
      for (const [problem, is] of Object.entries(gauges.problems())) this.set({ problem }, is ? 1 : 0);
    },
  });
  return new Counter({
    name: 'causeway_gateway_limits_changes_total',
    help: 'Changes of the limits while the gateway ran',
    registers,
  });
}
