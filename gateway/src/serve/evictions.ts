/** Lets those who are gone with their zone leave the gateways' group: what the witness sees, put together with Kafka. */
import type { GatewayConfig } from '@causeway/crds';
import { createKafka, GroupEvictor } from '../delivery/index.ts';
import type { Log } from '../log/index.ts';
import type { Witness } from '../witness/index.ts';
import { kafkaClientId } from './gateway.ts';

/** What it is made of. */
export interface EvictionParts {
  config: GatewayConfig;
  podName: string;
  witness: Pick<Witness, 'sights'>;
  log: Log;
  /** A member of this zone was taken out. */
  evicted: (zone: string) => void;
}

/** Begins with `start`, ends with `stop`. */
export function createEvictor({ config, podName, witness, log, evicted }: EvictionParts): GroupEvictor {
  const connection = config.kafka;
  const clientId = kafkaClientId(podName, 'evict');
  return new GroupEvictor({
    kafka: () => createKafka({ connection, clientId, log, hasty: true }),
    group: connection.group,
    ownClientId: kafkaClientId(podName, 'carry'),
    zones: () => witness.sights,
    log,
    evicted,
    now: () => performance.now(),
  });
}
