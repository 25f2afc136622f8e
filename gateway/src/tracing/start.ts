import type { TracingConfig } from '@causeway/crds';
import type { TracedGateway, Tracing } from './tracing.ts';

/** Undefined, and nothing is loaded, where there is no configuration for it. */
export async function startTracing(
  config: TracingConfig | undefined,
  gateway: TracedGateway,
): Promise<Tracing | undefined> {
  if (!config) return undefined;
  // A gateway without traces never evaluates OpenTelemetry's code, though it is in the bundle.
  const { openTelemetry } = await import('./open-telemetry/index.ts');
  gateway.log.info('tracing', { endpoint: config.endpoint, perMillion: config.samplingRatePerMillion });
  return openTelemetry(config, gateway);
}
