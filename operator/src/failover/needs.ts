/** What a look at the platform needs to ask, by where the failover is. Pure: asking all of everybody each time is slow. */
import { isOver, type FailoverState } from './state.ts';

export interface Needs {
  /** Gateways, of their clients. */
  clients: boolean;
  /** Redis, etcd and replicators. */
  stores: boolean;
  kafka: boolean;
}

/** What the next step is decided on. */
export function needsOf({ phase, step, holds }: FailoverState): Needs {
  const need = (clients: boolean, stores: boolean, kafka = false): Needs => ({ clients, stores, kafka });
  if (isOver(phase)) return need(false, holds);
  switch (phase) {
    case 'Queued':
      return need(false, false);
    case 'Preflight':
      return need(true, true, true);
    case 'Prepare':
    case 'Drain':
    case 'Verify':
      // The stores' answers decide whether there is a way back, and which epoch is free.
      return need(true, true);
    case 'Hold':
      return need(true, true);
    case 'Restore':
    case 'RollingBack':
      return need(step === 'GiveBack', step !== 'GiveBack');
    default:
      return need(false, true);
  }
}
