/** Which test files belong to which stage: by their names alone. */
import { globSync } from 'node:fs';

/** What a stage needs: nothing, servers on loopback, or the lab. */
export type Stage = 'unit' | 'int' | 'lab';

const PATTERNS: Readonly<Record<Stage, string>> = {
  unit: '{crds,operator,gateway,e2e}/**/*.test.ts',
  int: '{crds,operator,gateway,e2e}/**/*.int.test.ts',
  lab: 'e2e/scenarios/*.lab.ts',
};

function isForeign(path: string): boolean {
  return /(^|\/)(node_modules|dist)(\/|$)/.test(path);
}

/** Test files of a stage, relative to `root`, sorted. `x.int.test.ts` is no unit test. */
export function testFiles(stage: Stage, root: string): string[] {
  return globSync(PATTERNS[stage], { cwd: root, exclude: isForeign })
    .filter((file) => stage !== 'unit' || !file.endsWith('.int.test.ts'))
    .filter((file) => !isForeign(file))
    .sort();
}

/** Level of a scenario, from its name `<level>-<what>.lab.ts`: 0 is the most important, 4 the least. */
export function levelOf(file: string): number {
  const level = /(?:^|\/)([0-4])-[^/]*\.lab\.ts$/.exec(file)?.[1];
  if (level === undefined)
    throw new Error(`${file}: the name of a scenario starts with its level, such as 1-scale.lab.ts`);
  return Number(level);
}
