/** Who goes first, when several failovers want one platform. Pure. */
import type { FailoverObject, Queue } from './ports.ts';
import { isOver } from './state.ts';
import { stateOf } from './status.ts';

/**
 * The place of a failover among those of its platform: one that is under way goes first, then an Emergency, then the
 * oldest. An Emergency that waits makes what is under way turn back. A drill does not wait for one either: when that has ended
 * a zone is away, and what the drill was to show cannot be shown. `all`: of the namespace.
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
  const makesRoom = own.spec.mode === 'Drill' && stateOf(own).phase === 'Queued';
  const urgent = unfinished.filter((one) => isUrgent(one) && (makesRoom || stateOf(one).phase === 'Queued'));
  return {
    ahead: begun?.metadata.name ?? (first === own ? undefined : first?.metadata.name),
    emergency: urgent.sort(byTurn)[0]?.metadata.name,
    emergencyZones: urgent.map(({ spec }) => spec.fromZone),
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
