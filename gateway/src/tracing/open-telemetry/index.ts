/** OpenTelemetry's side of tracing: imported nowhere but by a dynamic import in `tracing/start.ts`. */
import type { TracingConfig } from '@causeway/crds';
import type { TracedGateway, Tracing } from '../tracing.ts';
import { Collector } from './collector.ts';
import { OpenTelemetryTracing } from './open-telemetry-tracing.ts';
import { SpanQueue } from './span-queue.ts';

/** Begins to trace; does not wait for the collector. */
export function openTelemetry(config: TracingConfig, gateway: TracedGateway): Tracing {
  const collector = new Collector(config);
  const queue = new SpanQueue({ send: (body) => collector.send(body), log: gateway.log });
  return new OpenTelemetryTracing({ queue, gateway, ratePerMillion: config.samplingRatePerMillion });
}
