/** What the scenarios need around them: a machine that can have a lab, and the lab gone afterwards if it was not there before. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const lab = join(import.meta.dirname, '../lab/main.ts');

/** Runs a verb of the lab's command with its output shown; the exit code. */
function runLab(verb: string, stdio: 'inherit' | 'ignore' = 'inherit'): number {
  return spawnSync(process.execPath, [lab, verb], { stdio }).status ?? 1;
}

/**
 * Runs scenarios around a lab. When the machine lacks something that the lab needs, that has been said, and undefined
 * is returned. A lab that was not up before is taken down afterwards, unless it is to be kept.
 */
export async function aroundLab<T>(keep: boolean, scenarios: () => Promise<T>): Promise<T | undefined> {
  const wasUp = runLab('status', 'ignore') === 0;
  if (!wasUp && runLab('preflight') !== 0) return undefined;
  try {
    return await scenarios();
  } finally {
    if (!wasUp && !keep) runLab('down');
  }
}
