/**
 * e2e/bench/operator-scale: the operator with 1, 100 and (asked for) more platforms. Imports e2e/harness, e2e/binaries
 * and e2e/tools. Run: node e2e/bench/operator-scale/main.ts
 *
 * The operator is the bundle in a process of its own; API server, etcd, controller-manager, scheduler, Kafka and Redis
 * are real, and kwok plays the kubelets. Each run of each size has a cluster of its own:
 * - create: from the first platform's creation until the operator has settled with all Ready;
 * - steady: nothing happens; each platform is looked at every ten seconds;
 * - restart: a new operator finds all as it should be.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { run as runCommand } from '../../tools/index.ts';
import { countList, countOf, writeResult } from '../common/result.ts';
import { machineFacts } from '../common/machine.ts';
import { startFakeCluster } from './fake-cluster.ts';
import { phase, readySummary, type ScaleRun } from './measure.ts';
import { startOperator } from './operator-process.ts';
import { Platforms } from './platforms.ts';
import { scaleSection } from './report.ts';

const root = join(import.meta.dirname, '../../..');
const READY_TIMEOUT_MS = 600_000;

const options = new Command('operator-scale')
  .description('the operator with many platforms: time, memory, API calls')
  .option('--sizes <list>', 'numbers of platforms, separated by commas', countList, [1, 100])
  .option('--runs <n>', 'runs of each size', countOf, 3)
  .option('--steady <seconds>', 'seconds of steady state', countOf, 60)
  .option('--out <file>', 'raw numbers', join(import.meta.dirname, '../results/operator-scale.json'))
  .option('--profile <folder>', 'write V8 CPU profiles of the operator there')
  .parse()
  .opts<{ sizes: number[]; runs: number; steady: number; out: string; profile?: string }>();

async function measure(platforms: number): Promise<ScaleRun> {
  const profile = options.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.profile}`];
  const cluster = await startFakeCluster();
  try {
    const first = await startOperator(cluster.kubeconfig, profile);
    let done: Omit<ScaleRun, 'restart'>;
    try {
      const before = await first.snapshot();
      const ready = readySummary(await new Platforms(cluster).growTo(platforms, READY_TIMEOUT_MS));
      await first.settled(5_000, 60_000);
      const created = await first.snapshot();
      console.error(`  ${platforms} Ready after ${ready.allSeconds.toFixed(1)} s`);
      await delay(options.steady * 1000);
      const steady = await first.snapshot();
      done = {
        platforms,
        ready,
        create: await phase(first, before, created),
        steady: await phase(first, created, steady),
      };
    } finally {
      await first.stop();
    }
    return { ...done, restart: await restart(cluster.kubeconfig, platforms, profile) };
  } finally {
    await cluster.stop();
  }
}

/** A new process looks at every platform once, and should write nothing. */
async function restart(
  kubeconfig: string,
  platforms: number,
  profile: readonly string[],
): Promise<ScaleRun['restart']> {
  const began = performance.now();
  const operator = await startOperator(kubeconfig, profile);
  try {
    const before = await operator.snapshot();
    // A reconcile that was counted before the first snapshot is one of the first round too.
    let now = before;
    while (now.reconciles < platforms) {
      await delay(20);
      now = await operator.snapshot();
    }
    const caughtUpSeconds = (performance.now() - began) / 1000;
    await delay(options.steady * 1000);
    return { ...(await phase(operator, before, await operator.snapshot())), caughtUpSeconds };
  } finally {
    await operator.stop();
  }
}

const machine = await machineFacts();
await runCommand(process.execPath, [join(root, 'operator/build.ts')]);
const runs: ScaleRun[] = [];
for (const size of options.sizes) {
  for (let run = 1; run <= options.runs; run += 1) {
    console.error(`operator-scale: ${size} platforms, run ${run} of ${options.runs}`);
    runs.push(await measure(size));
    writeResult(options.out, { machine, command: process.argv.slice(2), runs });
  }
}
console.log(scaleSection({ machine, runs }).body);
