/** How long no zone took writes, by the phases that a failover went through. Pure. */
import type { BackStep, FailoverState, Phase } from './state.ts';

/** Where the present home is fenced, until one takes writes again. In Shift it does. */
const WITHOUT_WRITES: ReadonlySet<Phase | BackStep> = new Set(['Fence', 'Promote', 'Lift']);

/** A time in which no zone took writes. Milliseconds since the epoch. */
export interface Homeless {
  /** On the way to the next home, also when it turned back in the middle; or on the way back from there. */
  way: 'there' | 'back';
  from: number;
  /** Undefined: it goes on. */
  to: number | undefined;
}

/** Each of them, in order. From the word to fence on: a home that was gone before that took nothing earlier already. */
export function homelessTimes({ phases, cause }: Pick<FailoverState, 'phases' | 'cause'>): Homeless[] {
  const times: Homeless[] = [];
  let last: Homeless | undefined;
  for (const { name, step, startedAt, endedAt } of phases) {
    if (!WITHOUT_WRITES.has(step ?? name)) {
      last = undefined;
    } else if (last === undefined) {
      last = { way: step === undefined ? 'there' : 'back', from: startedAt, to: endedAt };
      times.push(last);
    } else {
      last.to = endedAt;
    }
  }
  const end = times.at(-1);
  if (end !== undefined && cause === 'HomeFenced') end.to = undefined;
  return times;
}

/** True when a step of a failover, or its end, is one in which some zone takes writes again. */
export function hasHomeAgain(before: FailoverState, after: FailoverState): boolean {
  const isWithout = ({ phase, step }: FailoverState): boolean => WITHOUT_WRITES.has(step ?? phase);
  return isWithout(before) && !isWithout(after);
}
