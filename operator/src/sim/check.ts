/** Compares runs with faults with the run without, and says of each one that failed how to see it again. */
import { differences, withoutVersions } from './state.ts';
import { run, type Faults, type RunResult } from './run.ts';
import type { Scenario } from './scenarios.ts';

/** A run that went wrong. */
export interface Failure {
  scenario: string;
  faults: Faults;
  /** What is wrong, for people. */
  reasons: string[];
}

/** The run without a fault. Throws when even that one goes wrong. */
export async function reference(scenario: Scenario): Promise<RunResult> {
  const result = await run(scenario, { kind: 'none' });
  if (result.problems.length > 0) {
    throw new Error(`${scenario.name} goes wrong without any fault: ${result.problems.join('; ')}`);
  }
  return result;
}

/** Runs the scenario with those faults; undefined when it ends as the reference did. */
export async function compare(
  scenario: Scenario,
  faults: Faults,
  expected: RunResult,
): Promise<Failure | undefined> {
  const actual = await run(scenario, faults);
  const reasons = [...actual.problems, ...differencesOf(faults, expected, actual)];
  return reasons.length === 0 ? undefined : { scenario: scenario.name, faults, reasons };
}

/** What differs between the run with those faults and the one without. */
export function differencesOf(faults: Faults, expected: RunResult, actual: RunResult): string[] {
  // Whatever goes wrong, a failover may turn back: then only what must never be counts, and that it ends.
  if (faults.kind === 'chaos' && expected.mayTurnBack) return [];
  if (faults.kind !== 'chaos') return differences(expected.state, actual.state);
  return differences(withoutVersions(expected.state), withoutVersions(actual.state));
}

/** A crash before and after every call of the reference. */
export function everyCrash({ mutations }: RunResult): Faults[] {
  return Array.from({ length: mutations }, (_, index) => index + 1).flatMap((at) => [
    { kind: 'crash', at, when: 'before' } as const,
    { kind: 'crash', at, when: 'after' } as const,
  ]);
}

/** The command that shows the run again. */
export function replayCommand({ scenario, faults }: Pick<Failure, 'scenario' | 'faults'>): string {
  const how =
    faults.kind === 'crash'
      ? ` --crash ${faults.at}:${faults.when}`
      : faults.kind === 'chaos'
        ? ` --seed ${faults.seed}`
        : '';
  return `node operator/src/sim/main.ts --scenario ${scenario}${how}`;
}

/** The failures as a text; empty when there are none. */
export function report(failures: readonly Failure[]): string {
  return failures
    .map((failure) => {
      const shown = failure.reasons.slice(0, 12).map((reason) => `  ${reason}`);
      const more = failure.reasons.length > 12 ? [`  … and ${failure.reasons.length - 12} more`] : [];
      return [
        `${failure.scenario} failed. See it again with:`,
        `  ${replayCommand(failure)}`,
        ...shown,
        ...more,
      ].join('\n');
    })
    .join('\n\n');
}
