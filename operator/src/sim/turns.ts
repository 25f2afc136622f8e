/** What comes between a failover that is under way: somebody changes the request, or a zone goes, just when it enters a phase. */
import { FAILOVER_KIND, type FailoverObject } from '../failover/index.ts';
import type { Phase } from '../failover/state.ts';
import type { World } from './world.ts';

/** Time from the phase to what it makes somebody do: less than one look takes. Milliseconds. */
const REACTION_MS = 1;

/** Calls `act` once, when a failover has entered that phase; one that it went through at once counts as well. */
export function onceIn(world: World, phase: Phase, act: () => void): void {
  let isDue = true;
  world.kube.onChange(({ kind, after }) => {
    if (!isDue || kind.kind !== FAILOVER_KIND.kind) return;
    const { phases = [] } = (after as FailoverObject | undefined)?.status ?? {};
    if (!phases.some(({ name }) => name === phase)) return;
    isDue = false;
    world.time.after(REACTION_MS, act);
  });
}
