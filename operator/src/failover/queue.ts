/** Who goes first, when several failovers want one platform. Pure. */
import type { FailoverObject, Queue } from './ports.ts';
import { isOver } from './state.ts';
import { stateOf } from './status.ts';

/**
 * The place of a failover among those of its platform: one that is under way goes first, then an Emergency, then the
 * oldest. `all`: of the namespace.
 */
export function queueOf(own: FailoverObject, all: readonly FailoverObject[]): Queue {
  const others = all.filter(
    ({ metadata, spec }) =>
      spec.platform === own.spec.platform &&
      metadata.namespace === own.metadata.namespace &&
      metadata.uid !== own.metadata.uid,
  );
  const unfinished = others.filter((one) => !isOver(stateOf(one).phase));
  const begun = unfinished.find((one) => stateOf(one).phase !== 'Queued');
  const [first] = [own, ...unfinished].sort(byTurn);
  const waiting = unfinished.filter((one) => stateOf(one).phase === 'Queued' && isUrgent(one));
  return {
    ahead: begun?.metadata.name ?? (first === own ? undefined : first?.metadata.name),
    emergency: waiting.sort(byTurn)[0]?.metadata.name,
    emergencyZones: waiting.map(({ spec }) => spec.fromZone),
  };
}

function isUrgent({ spec, metadata }: FailoverObject): boolean {
  return spec.mode === 'Emergency' && spec.abort !== true && metadata.deletionTimestamp === undefined;
}

function byTurn(a: FailoverObject, b: FailoverObject): number {
  if (isUrgent(a) !== isUrgent(b)) return isUrgent(a) ? -1 : 1;
  const [older, newer] = [a.metadata.creationTimestamp, b.metadata.creationTimestamp];
  if (older !== newer) return older < newer ? -1 : 1;
  return a.metadata.name < b.metadata.name ? -1 : 1;
}
