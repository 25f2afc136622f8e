/**
 * operator/src/sim: the whole operator in a simulated world, in one process, from a seed; nothing imports it.
 * May import `controller`, `platform`, `certificates`, the operator's composition and `@causeway/crds`.
 *
 * This file is its command line: replays one run with its trace, or soaks.
 */
import { Command, InvalidArgumentError } from 'commander';
import { compare, differencesOf, everyCrash, reference, report, type Failure } from './check.ts';
import { run, type Faults } from './run.ts';
import { scenarioNamed, scenarios, type Scenario } from './scenarios.ts';

interface Options {
  scenario?: string;
  seed?: number;
  crash?: Faults;
  soak?: number;
  from: number;
  crashes: boolean;
}

const EXAMPLES = `
Examples:
  # Every crash of every scenario, and 1000 seeds of each
  node operator/src/sim/main.ts --soak 1000

  # One run again, with all that happens in it
  node operator/src/sim/main.ts --scenario scale --seed 42
  node operator/src/sim/main.ts --scenario create --crash 12:after`;

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function parseWhole(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0)
    throw new InvalidArgumentError('It must be a whole number.');
  return number;
}

function parseCrash(text: string): Faults {
  const [, at, when] = /^(\d+):(before|after)$/.exec(text) ?? [];
  if (at === undefined) throw new InvalidArgumentError('It must be like 12:before or 12:after.');
  return { kind: 'crash', at: Number(at), when: when === 'before' ? 'before' : 'after' };
}

/** One run, told line by line. True when it ended as it should. */
async function replay(scenario: Scenario, faults: Faults): Promise<boolean> {
  const expected = await reference(scenario);
  const result = await run(scenario, faults, { trace: true });
  for (const line of result.trace) print(line);
  const reasons = [...result.problems, ...differencesOf(faults, expected, result)];
  print(
    reasons.length === 0
      ? '\nIt ended as the run without a fault.'
      : `\nIt went wrong:\n${reasons.join('\n')}`,
  );
  return reasons.length === 0;
}

/** Every crash, then `seeds` seeds, of each scenario. True when nothing failed. */
async function soak(
  chosen: readonly Scenario[],
  { seeds, from, withCrashes }: { seeds: number; from: number; withCrashes: boolean },
): Promise<boolean> {
  let failed = 0;
  for (const scenario of chosen) {
    const began = performance.now();
    const expected = await reference(scenario);
    const crashes = withCrashes ? everyCrash(expected) : [];
    const all: Faults[] = [
      ...crashes,
      ...Array.from({ length: seeds }, (_, n) => ({ kind: 'chaos', seed: from + n }) as const),
    ];
    let bad = 0;
    for (const faults of all) {
      const failure = await compare(scenario, faults, expected);
      if (failure === undefined) continue;
      bad += 1;
      tell(failure);
    }
    failed += bad;
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    print(`${scenario.name}: ${crashes.length} crashes and ${seeds} seeds in ${seconds} s, ${bad} failed`);
  }
  return failed === 0;
}

function tell(failure: Failure): void {
  print(`${report([failure])}\n`);
}

const program = new Command('sim')
  .description('the whole operator in a simulated world')
  .option(
    '--scenario <name>',
    `one of ${scenarios.map(({ name }) => name).join(', ')}; with --soak default: all`,
  )
  .option('--seed <n>', 'replay the run of that seed, with its trace', parseWhole)
  .option(
    '--crash <n:when>',
    'replay the run in which the operator dies before or after its n-th write',
    parseCrash,
  )
  .option('--soak <seeds>', 'run every crash, and so many seeds of each scenario', parseWhole)
  .option('--no-crashes', 'soak seeds only')
  .option('--from <seed>', 'first seed of a soak', parseWhole, 1)
  .addHelpText('after', `${EXAMPLES}\n\nExit codes: 0 all runs ended as they should · 1 one did not`)
  .action(async (options: Options) => {
    const named = options.scenario === undefined ? undefined : scenarioNamed(options.scenario);
    const seeded: Faults =
      options.seed === undefined ? { kind: 'none' } : { kind: 'chaos', seed: options.seed };
    const good =
      options.soak === undefined
        ? await replay(named ?? scenarioNamed('create'), options.crash ?? seeded)
        : await soak(named === undefined ? scenarios : [named], {
            seeds: options.soak,
            from: options.from,
            withCrashes: options.crashes,
          });
    process.exitCode = good ? 0 : 1;
  });

await program.parseAsync();
