import { createLog } from '../../log/index.ts';
import { Carrier } from '../carrier.ts';
import type { CarrierOptions } from '../carrier.ts';

/** Carries one topic, of the namespace `chat`, with options that do not matter to most tests; has started. */
export function startCarrier({
  topic,
  ...options
}: { topic: string } & Pick<CarrierOptions, 'kafka' | 'group' | 'streams'> &
  Partial<CarrierOptions>): Carrier {
  const carrier = new Carrier({
    namespaces: new Map([[topic, 'chat']]),
    historySeconds: () => 3_600,
    tracer: undefined,
    log: createLog({ component: 'test' }),
    carried: () => undefined,
    failed: () => undefined,
    ...options,
  });
  carrier.start();
  return carrier;
}
