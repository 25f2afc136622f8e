/** `causeway failover pause` and `abort`: what they come to depends on where the failover is, and is said. */
import type { ZoneFailoverSpec } from '@causeway/crds';
import { FAILOVER_KIND, HOMELESS, isOver, stateOf, type FailoverObject } from '../failover/index.ts';
import { withCluster, type ClusterOptions } from './connect.ts';
import { failoverNamed } from './failover-named.ts';
import type { Io } from './io.ts';

/** What a person says of a failover. */
export type Said = Pick<ZoneFailoverSpec, 'pause' | 'abort'>;

/** Pauses, resumes or aborts. Throws where that would change nothing. */
export async function runControl(
  name: string,
  options: ClusterOptions,
  { spec, io }: { spec: Said; io: Io },
): Promise<void> {
  await withCluster(options, async (cluster) => {
    const { api, namespace } = cluster;
    const outcome = outcomeOf(await failoverNamed(cluster, name), spec);
    if ('refused' in outcome) throw new Error(`ZoneFailover ${namespace}/${name} ${outcome.refused}`);
    await api.mergePatch(FAILOVER_KIND, { namespace, name }, { spec });
    io.out(`ZoneFailover ${namespace}/${name}: ${outcome.said}.\n`);
  });
}

type Outcome = { said: string } | { refused: string };

/** What comes of it, or why nothing would. Pure. */
export function outcomeOf(failover: FailoverObject, { pause, abort }: Said): Outcome {
  const { phase } = stateOf(failover);
  if (isOver(phase)) return { refused: `has ended: ${phase}.` };
  if (abort === true) return abortOf(failover);
  return pause === true ? pauseOf(failover) : { said: 'resumed' };
}

/** As the state machine has it: it goes back from everywhere but from the way back, and from a move once the home has arrived. */
function abortOf(failover: FailoverObject): Outcome {
  const { phase, step, home, moved } = stateOf(failover);
  const { mode, fromZone } = failover.spec;
  const where = whereOf({ phase, step });
  if (phase === 'Restore' && mode !== 'Drill') {
    const back =
      moved && home !== undefined ? ` A Planned failover from ${home.to} moves the home back.` : '';
    return { refused: `is in ${where}: it is too late to take it back.${back}` };
  }
  if (phase === 'Restore' || phase === 'RollingBack')
    return { refused: `is in ${where}: it goes back already.` };
  if (phase === 'Promote' || phase === 'Shift')
    return { said: `asked to go back; it is in ${where}, and does so once the home has arrived` };
  if (mode === 'Emergency' && moved) return { said: `asked to go back, as soon as ${fromZone} answers` };
  return { said: 'asked to go back' };
}

/** As the state machine has it: it never stands still while no zone takes writes, nor when it rolls back. */
function pauseOf(failover: FailoverObject): Outcome {
  const { phase, step } = stateOf(failover);
  const where = whereOf({ phase, step });
  if (phase === 'RollingBack') return { refused: `is in ${where}: on its way back it is not paused.` };
  if (phase === 'Drain')
    return { said: 'paused; gateways that were told already go on to send their clients away' };
  if (!HOMELESS.has(step ?? phase)) return { said: 'paused' };
  const then = phase === 'Restore' ? 'Restore/GiveBack' : 'Verify';
  return {
    said: `to be paused; it is in ${where}, where no zone may take writes, and goes on to ${then} first`,
  };
}

function whereOf({ phase, step }: { phase: string; step: string | undefined }): string {
  return step === undefined ? phase : `${phase}/${step}`;
}
