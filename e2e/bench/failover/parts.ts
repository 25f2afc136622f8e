/** Where the time of a failover goes, by what its status keeps. Pure. */
import type { ZoneFailoverStatus } from '@causeway/crds';

/** Seconds; a part that there was not is absent. */
export interface Parts {
  /** From the act until the failover began. */
  detection: number;
  /** Of each phase, in order; steps of going back as `Restore/Fence`. */
  phases: Record<string, number>;
  /** From the act until the next home's Services point there. NaN: it moved no home. */
  shifted: number;
  /** From the act until all was verified. */
  verified: number;
  /** No zone took writes, by the operator's own clock. */
  homeless: number;
}

/** Reads the parts off a status. `at`: the act, milliseconds since the Unix epoch. */
export function partsOf({ phases = [], ...status }: ZoneFailoverStatus, at: number): Parts {
  const seconds = (text: string | undefined): number =>
    text === undefined ? Number.NaN : (Date.parse(text) - at) / 1000;
  const found: Record<string, number> = {};
  for (const { name, step, startedAt, endedAt } of phases) {
    const key = step === undefined ? name : `${name}/${step}`;
    found[key] = (found[key] ?? 0) + seconds(endedAt) - seconds(startedAt);
  }
  return {
    detection: seconds(status.startedAt),
    phases: found,
    shifted: seconds(phases.find(({ name, step }) => name === 'Shift' && step === undefined)?.endedAt),
    verified: seconds(status.verifiedAt),
    homeless: (status.figures?.homelessMs ?? Number.NaN) / 1000,
  };
}

/**
 * From the act until all was given back, without the hold of a drill, in which nothing is done; seconds. NaN: it did not
 * come to that. An Emergency never does: its zone is given back after its end, once it is there again.
 */
export function wholeOf({ detection, phases }: Pick<Parts, 'detection' | 'phases'>): number {
  if (phases['Restore/GiveBack'] === undefined) return Number.NaN;
  const all = Object.values(phases).reduce((sum, seconds) => sum + seconds, detection);
  return all - (phases['Hold'] ?? 0);
}
