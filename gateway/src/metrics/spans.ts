import { Counter } from 'prom-client';
import type { Registry } from 'prom-client';

/** Adds the spans of traces to the metrics. `spans` says how many there were, by outcome: see tracing/. */
export function countSpans(registry: Registry, spans: () => Readonly<Record<string, number>>): void {
  // Registered by its constructor; its values are read when they are collected.
  void new Counter({
    name: 'causeway_gateway_spans_total',
    help: 'Spans of traces, by what became of them',
    labelNames: ['outcome'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [outcome, count] of Object.entries(spans())) this.inc({ outcome }, count);
    },
  });
}
