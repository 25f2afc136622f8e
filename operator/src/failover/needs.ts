/** What a look at the platform needs to ask, by where the failover is. Pure: asking all of everybody each time is slow. */
import type { ZoneFailoverSpec } from '@causeway/crds';
import { mayMoveLeaders, mayReturnLeaders } from './leaders.ts';
import { isOver, type FailoverState } from './state.ts';

type Mode = ZoneFailoverSpec['mode'];

export interface Needs {
  /** Gateways, of their clients. */
  clients: boolean;
  /** Redis, etcd and replicators. */
  stores: boolean;
  kafka: boolean;
  /** How far the mirror of Kafka's topics is behind. */
  mirror?: boolean;
  /** Nobody has a home, or may not have one: the zone that is left is not waited for once it has said nothing. */
  hurry?: boolean;
}

const need = (clients: boolean, stores: boolean, kafka = false): Needs => ({ clients, stores, kafka });

/**
 * How often stores are asked in Prepare and Drain, up to its end, milliseconds: nothing is decided there on what they say, and only the
 * report shows how far they are behind.
 */
export const LAG_EVERY_MS = 5_000;

/**
 * What the next step is decided on. An Emergency asks as little as it can: each question to a zone that is gone takes a
 * second to be given up. `storesAge`: milliseconds since stores were asked.
 */
export function needsOf(state: FailoverState, mode: Mode, storesAge: number): Needs {
  const needs = partsOf(state, mode, storesAge);
  // After the end a zone that comes back is to be heard with its first answer, however slow that is.
  return mode === 'Emergency' && !isOver(state.phase) ? { ...needs, hurry: true } : needs;
}

function partsOf(state: FailoverState, mode: Mode, storesAge: number): Needs {
  const { phase, holds } = state;
  // Whether gateways of the zone answer says more than Kubernetes does, which takes 40 s to hear of a zone that is gone.
  if (isOver(phase)) return need(holds && mode === 'Emergency', holds, holds && state.orders.length > 0);
  const urgent = mode === 'Emergency';
  const lag = !urgent && storesAge >= LAG_EVERY_MS;
  switch (phase) {
    case 'Queued':
      return need(false, false);
    case 'Preflight':
      return { ...need(!urgent, true, !urgent), mirror: !urgent };
    case 'Prepare':
      return need(!urgent, lag, !urgent && mayMoveLeaders(state));
    case 'Drain':
      return need(!urgent, lag || isArriving(state));
    case 'Verify':
    case 'Hold':
      return need(true, true);
    case 'Restore':
    case 'RollingBack':
      return onTheWayBack(state);
    default:
      return need(false, true);
  }
}

/** The zone is empty: Fence, which is next, is to find connections that are made. */
function isArriving({ figures }: FailoverState): boolean {
  return figures.drainMs !== undefined;
}

/** Leaders come back when the others follow the home again. */
function onTheWayBack(state: FailoverState): Needs {
  if (state.step !== 'GiveBack') return need(false, true);
  const leaders = mayReturnLeaders(state);
  return need(true, leaders, leaders);
}
