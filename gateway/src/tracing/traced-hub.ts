import type { HubOptions } from '../channels/index.ts';
import type { Tracing } from './tracing.ts';

/** `options`, and where there is tracing, a span for each traced publication that has subscribers here. */
export function tracedHub<F>(options: HubOptions<F>, tracing: Tracing | undefined): HubOptions<F> {
  if (!tracing) return options;
  return {
    ...options,
    frame: (channel, entry, epoch) => {
      if (entry.tags !== undefined) tracing.delivering(channel, entry);
      return options.frame(channel, entry, epoch);
    },
    delivered: (entry, receivers) => {
      options.delivered(entry, receivers);
      if (entry.tags !== undefined) tracing.delivered(entry, receivers);
    },
  };
}
