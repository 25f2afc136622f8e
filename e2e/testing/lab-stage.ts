/** What the scenarios need around them: a machine that can have a lab, and the lab gone afterwards if it was not there before. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const lab = join(import.meta.dirname, '../lab/main.ts');

/** Runs a verb of the lab's command with its output shown; the exit code. */
function runLab(args: readonly string[], stdio: 'inherit' | 'ignore' = 'inherit'): number {
  return spawnSync(process.execPath, [lab, ...args], { stdio }).status ?? 1;
}

/**
 * Says all that the machine lacks for tests on real servers; if nothing, installs, fetches and builds what they need, so
 * that no test waits for it. False: it cannot run them, and has said why.
 */
export function prepareMachine(stages: { int: boolean; lab: boolean }): boolean {
  const steps = [
    ['preflight', '--tests'],
    ...(stages.int ? [['prepare', '--tests']] : []),
    ...(stages.lab ? [['prepare']] : []),
  ];
  return steps.every((args) => runLab(args) === 0);
}

/** Runs scenarios around a lab. One that was not up before is taken down afterwards, unless it is to be kept. */
export async function aroundLab<T>(keep: boolean, scenarios: () => Promise<T>): Promise<T> {
  const wasUp = runLab(['status'], 'ignore') === 0;
  try {
    return await scenarios();
  } finally {
    if (!wasUp && !keep) runLab(['down']);
  }
}
