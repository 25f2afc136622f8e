import { Counter } from 'prom-client';
import type { Registry } from 'prom-client';

/** How many there were, by outcome. */
type Outcomes = () => Readonly<Record<string, number>>;

/** Adds the spans of traces to the metrics: see tracing/. */
export function countSpans(registry: Registry, spans: Outcomes): void {
  count(registry, 'causeway_gateway_spans_total', 'Spans of traces, by what became of them', spans);
}

/** Adds lookups of names to the metrics: see names/. */
export function countLookups(registry: Registry, lookups: Outcomes): void {
  const help =
    'Lookups of names for new connections; stale: name servers did not answer, an old answer was used';
  count(registry, 'causeway_gateway_lookups_total', help, lookups);
}

function count(registry: Registry, name: string, help: string, outcomes: Outcomes): void {
  // Registered by its constructor; its values are read when they are collected.
  void new Counter({
    name,
    help,
    labelNames: ['outcome'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [outcome, times] of Object.entries(outcomes())) this.inc({ outcome }, times);
    },
  });
}
