/**
 * e2e/partitions: the home of a platform with three real etcds and three real Redis is moved, planned and not, by the real
 * operator and with real replicators, while the network is cut and writers in every zone write all the time; e2e/homes says
 * whether there was ever more than one home. Imports e2e/harness, e2e/tools, e2e/homes, what the gateway's own tests share,
 * its replicator, and the operator with its simulated cluster; nothing imports it.
 *
 * This file is its command line: plays the plan of one seed again, or soaks.
 */
import { tmpdir } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import { describeEpisodes, episodesOf, everyBuild } from './plan.ts';
import { figuresOf, report, run } from './run.ts';

interface Options {
  seed: number;
  soak: number;
  moves?: number;
}

function parseWhole(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1)
    throw new InvalidArgumentError('It must be a whole number from 1.');
  return number;
}

async function main({ seed, soak, moves }: Options): Promise<void> {
  let failed = 0;
  for (let next = seed; next < seed + soak; next += 1) {
    const episodes = moves === undefined ? everyBuild(next) : episodesOf(next, moves);
    if (soak === 1) process.stdout.write(`${describeEpisodes(episodes)}\n`);
    const outcome = await run(next, episodes);
    process.stdout.write(
      `seed ${next}: ${outcome.wrong === '' ? 'right' : 'WRONG'}: ${figuresOf(outcome)}\n`,
    );
    if (outcome.wrong === '') continue;
    failed += 1;
    process.stdout.write(`${report(outcome, tmpdir())}\n`);
  }
  process.stdout.write(`${soak} seeds, ${failed} went wrong\n`);
  process.exitCode = failed === 0 ? 0 : 1;
}

const EXAMPLES = `
Examples:
  # The plan of one seed again, with the history of all writes if it goes wrong
  node e2e/partitions/main.ts --seed 42

  # 20 seeds of six moves each
  node e2e/partitions/main.ts --soak 20 --moves 6`;

await new Command('partitions')
  .description('moves of the home under partitions, and a check that there were never two')
  .option('--seed <n>', 'the first seed', parseWhole, 1)
  .option('--soak <n>', 'how many seeds', parseWhole, 1)
  .option('--moves <n>', 'moves of each, of any kind; default: what every build tries', parseWhole)
  .addHelpText('after', `${EXAMPLES}\n\nExit codes: 0 all went well · 1 one did not`)
  .action(main)
  .parseAsync();
