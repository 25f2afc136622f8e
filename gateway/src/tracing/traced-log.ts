import { TRACEPARENT } from '../delivery/index.ts';
import type { PublicationLog } from '../delivery/index.ts';
import type { Tracing } from './tracing.ts';

/** `log`, and where there is tracing, a span for each publication into it. */
export function tracedLog(log: PublicationLog, tracing: Tracing | undefined): PublicationLog {
  if (!tracing) return log;
  return {
    get pending() {
      return log.pending;
    },
    async append(topic, key, value, headers) {
      const span = tracing.publishing(topic, key);
      try {
        const { traceparent } = span;
        await log.append(
          topic,
          key,
          value,
          traceparent ? { ...headers, [TRACEPARENT]: traceparent } : headers,
        );
        span.end();
      } catch (error) {
        span.fail(error);
        throw error;
      }
    },
  };
}
