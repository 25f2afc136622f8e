/**
 * e2e/chaos: a platform of real gateways, Kafka and Redis that suffers all faults at once, from a seed, under traffic;
 * e2e/deliveries says whether its clients saw what they may see. Imports e2e/harness, e2e/tools, e2e/deliveries and
 * what the gateway's own tests share; nothing imports it.
 *
 * This file is its command line: replays the plan of one seed, or soaks.
 */
import { tmpdir } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { buildBundle, RUNTIMES } from '../../gateway/src/testing/index.ts';
import type { Runtime } from '../../gateway/src/testing/index.ts';
import { FAULTS } from './plan.ts';
import type { FaultKind } from './plan.ts';
import { report, run } from './run.ts';
import { MAX_GATEWAYS, startServers } from './world.ts';

interface Options {
  seed: number;
  soak: number;
  rounds: number;
  brokers: '1' | '3';
  gateways: Runtime[];
  faults: FaultKind[];
}

function parseWhole(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1)
    throw new InvalidArgumentError('It must be a whole number from 1.');
  return number;
}

function parseGateways(text: string): Runtime[] {
  const names = text.split(',');
  const runtimes = names.filter((name): name is Runtime => (RUNTIMES as readonly string[]).includes(name));
  if (runtimes.length !== names.length || names.length > MAX_GATEWAYS)
    throw new InvalidArgumentError(`It must be up to ${MAX_GATEWAYS} of ${RUNTIMES.join(' and ')}.`);
  return runtimes;
}

function parseFaults(text: string): FaultKind[] {
  const names = text.split(',');
  const faults = FAULTS.filter((name) => names.includes(name));
  if (faults.length !== names.length)
    throw new InvalidArgumentError(`It must be some of ${FAULTS.join(', ')}.`);
  return faults;
}

async function main({ seed, soak, rounds, brokers, gateways, faults }: Options): Promise<void> {
  await buildBundle();
  const servers = await startServers(brokers === '3' ? 3 : 1);
  let failed = 0;
  try {
    for (let next = seed; next < seed + soak; next += 1) {
      const outcome = await run(servers, { seed: next, rounds, runtimes: gateways, faults });
      process.stdout.write(`seed ${next}: ${outcome.wrong === '' ? 'right' : 'WRONG'}: ${outcome.figures}\n`);
      if (outcome.wrong === '') continue;
      failed += 1;
      process.stdout.write(`${report(outcome, tmpdir())}\n`);
    }
  } finally {
    await servers.stop();
  }
  process.stdout.write(`${soak} seeds, ${failed} went wrong\n`);
  process.exitCode = failed === 0 ? 0 : 1;
}

const EXAMPLES = `
Examples:
  # The plan of one seed again, with the history of what clients saw if it goes wrong
  node e2e/chaos/main.ts --seed 42

  # 100 seeds, on three brokers and on gateways of both runtimes
  node e2e/chaos/main.ts --soak 100 --brokers 3 --gateways bun,node,bun`;

await new Command('chaos')
  .description('all faults at once, under traffic, and a check of what was delivered')
  .option('--seed <n>', 'the first seed', parseWhole, 1)
  .option('--soak <n>', 'how many seeds', parseWhole, 1)
  .option('--rounds <n>', 'how often a seed has every fault', parseWhole, 1)
  .addOption(new Option('--brokers <n>', 'Kafka brokers').choices(['1', '3']).default('1'))
  .option('--gateways <runtimes>', 'a gateway for each', parseGateways, ['bun', 'node', 'bun'] as Runtime[])
  .option('--faults <kinds>', 'only these', parseFaults, [...FAULTS])
  .addHelpText('after', `${EXAMPLES}\n\nExit codes: 0 all went well · 1 one did not`)
  .action(main)
  .parseAsync();
