/**
 * gateway/src/tracing: what OpenTelemetry is told of a publication's way, off by default. Imports channels and delivery
 * (their interfaces), log, names and crds; OpenTelemetry is imported in open-telemetry/ alone, which is loaded only when it is
 * asked for.
 */
export { startTracing } from './start.ts';
export type { Tracing } from './tracing.ts';
export { tracedHub } from './traced-hub.ts';
export { tracedLog } from './traced-log.ts';
