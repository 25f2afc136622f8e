/**
 * e2e/bench: measures Causeway, beside its peers where there are any. Runs all benchmarks or some, and makes
 * docs/benchmarks.md of their results. Each is a program of its own in a folder here. Imports e2e/tools.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Argument, Command } from 'commander';
import { countOf } from './common/result.ts';
import { writePage } from './report.ts';

/** The arguments of each benchmark's program, the shortest first. */
const BENCHMARKS: Readonly<Record<string, readonly string[]>> = {
  replication: ['replication/main.ts'],
  'operator-scale': ['operator-scale/main.ts'],
  'messages-loopback': ['messages/main.ts', 'loopback'],
  'messages-lab': ['messages/main.ts', 'lab'],
  'apply-to-ready': ['apply-to-ready/main.ts'],
  rotation: ['rotation/main.ts'],
  failover: ['failover/main.ts'],
  'gateway-handshakes': ['gateway/main.ts', 'handshakes'],
  'gateway-fanout': ['gateway/main.ts', 'fanout'],
  'gateway-storm': ['gateway/main.ts', 'storm'],
  'gateway-flood': ['gateway/main.ts', 'flood'],
  'gateway-memory': ['gateway/main.ts', 'memory'],
  'gateway-throughput': ['gateway/main.ts', 'throughput'],
  'gateway-soak': ['gateway/main.ts', 'soak'],
  'gateway-churn': ['gateway/main.ts', 'churn'],
};

/** Runs one, with its lines shown. */
function measure(name: string, more: readonly string[]): Promise<void> {
  const [program = '', ...args] = BENCHMARKS[name] ?? [];
  console.error(`── ${name}`);
  return new Promise((resolve, reject) => {
    // kafkajs sets negative time-outs (its #1751), of which Node warns: nothing that whoever runs this can act on.
    const flags = ['--disable-warning=TimeoutNegativeWarning', join(import.meta.dirname, program)];
    const child = spawn(process.execPath, [...flags, ...args, ...more], { stdio: 'inherit' });
    child.on('error', reject);
    child.on('exit', (code, signal) =>
      code === 0 ? resolve() : reject(new Error(`${name} ended with ${signal ?? code}`)),
    );
  });
}

interface Options {
  runs?: number;
  sizes?: string;
  kinds?: string;
  measurements?: string;
  asIs: boolean;
}

/** The options that a benchmark knows, as arguments. */
function argumentsFor(name: string, options: Options): string[] {
  const { runs, sizes, asIs, kinds, measurements } = options;
  const inLab = ['messages-lab', 'apply-to-ready', 'rotation', 'failover'].includes(name);
  return [
    ...(runs === undefined || name === 'rotation' ? [] : ['--runs', String(runs)]),
    ...(sizes !== undefined && name === 'operator-scale' ? ['--sizes', sizes] : []),
    ...(asIs && inLab ? ['--as-is'] : []),
    ...(kinds !== undefined && name === 'failover' ? ['--kinds', kinds] : []),
    ...(measurements !== undefined && name === 'failover' ? ['--measurements', measurements] : []),
  ];
}

async function main(names: readonly string[], options: Options): Promise<void> {
  const wanted = names.length === 0 ? Object.keys(BENCHMARKS) : names.filter((name) => name !== 'report');
  const failed: string[] = [];
  for (const name of wanted) {
    try {
      await measure(name, argumentsFor(name, options));
    } catch (error) {
      failed.push(error instanceof Error ? error.message : String(error));
      console.error(failed.at(-1));
    }
  }
  console.log(`wrote ${await writePage()}`);
  if (failed.length > 0) process.exitCode = 1;
}

await new Command('bench')
  .description('measure, and write docs/benchmarks.md from the results')
  .addArgument(
    new Argument('[names...]', 'which; default: all. report: only write the page').choices([
      ...Object.keys(BENCHMARKS),
      'report',
    ]),
  )
  .option('--runs <n>', 'runs of each', countOf)
  .option('--sizes <list>', 'operator-scale: numbers of platforms, separated by commas')
  .option('--kinds <list>', 'failover: which kinds, separated by commas')
  .option('--measurements <folder>', 'failover: writes there what `causeway failover report` takes')
  .option('--as-is', 'in the lab: with the operator that runs there', false)
  .addHelpText(
    'after',
    '\nExamples:\n  node e2e/bench/main.ts\n  node e2e/bench/main.ts operator-scale --sizes 1,100,1000 --runs 1\n  node e2e/bench/main.ts report',
  )
  .action(main)
  .parseAsync();
