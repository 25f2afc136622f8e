import { collectDefaultMetrics } from 'prom-client';
import type { Registry } from 'prom-client';

const HEAP_SPACES = [
  'nodejs_heap_space_size_total_bytes',
  'nodejs_heap_space_size_used_bytes',
  'nodejs_heap_space_size_available_bytes',
];

/**
 * Memory, CPU and event loop of this process. Not the spaces of the heap on Bun: it has none, and to say so Bun 1.4
 * walks through all of the heap while every client waits, 25 ms for a million objects, each time metrics are asked for.
 */
export function showProcess(registry: Registry): void {
  collectDefaultMetrics({ register: registry });
  if (process.versions['bun'] === undefined) return;
  for (const name of HEAP_SPACES) registry.removeSingleMetric(name);
}
