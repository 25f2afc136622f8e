/** What the scenarios need around them: a machine that can have a lab, and the lab gone afterwards if it was not there before. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const lab = join(import.meta.dirname, '../lab/main.ts');

/** Runs a verb of the lab's command with its output shown; the exit code. */
function runLab(args: readonly string[], stdio: 'inherit' | 'ignore' = 'inherit'): number {
  return spawnSync(process.execPath, [lab, ...args], { stdio }).status ?? 1;
}

/** Says all that the machine lacks for tests on real servers, or installs what can be installed. True: it has it now. */
export function prepareMachine(): boolean {
  return runLab(['preflight', '--tests', '--install']) === 0;
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
