/**
 * e2e/bench/apply-to-ready: from `kubectl apply` of a platform like examples/orders.yaml until it is Ready, in the lab,
 * and where the time goes. Imports e2e/platform, e2e/lab and e2e/tools. Run: node e2e/bench/apply-to-ready/main.ts
 *
 * Each run begins with nothing: no namespace, no volume, no topic; the images are on the nodes.
 */
import { join } from 'node:path';
import { Command } from 'commander';
import { versions } from '../../binaries/catalog.ts';
import { loadavg } from 'node:os';
import { platformManifest, readyLab, removePlatform } from '../common/lab.ts';
import { machineFacts } from '../common/machine.ts';
import { countOf, writeResult } from '../common/result.ts';
import { applySection } from './report.ts';
import { followUntilReady, type Timeline } from './timeline.ts';

const options = new Command('apply-to-ready')
  .description('time from kubectl apply to Ready')
  .option('--runs <n>', 'runs', countOf, 5)
  .option('--as-is', 'with the operator that runs in the lab', false)
  .option('--out <file>', 'raw numbers', join(import.meta.dirname, '../results/apply-to-ready.json'))
  .parse()
  .opts<{ runs: number; asIs: boolean; out: string }>();

const kube = await readyLab(options);
const machine = await machineFacts();
const runs: { load: number; seconds: Timeline }[] = [];
for (let run = 1; run <= options.runs; run += 1) {
  await removePlatform(kube);
  const load = loadavg()[0] ?? 0;
  const began = performance.now();
  await kube.kubectl(['apply', '-f', '-'], { input: platformManifest('Bun') });
  const applied = (performance.now() - began) / 1000;
  const seconds = await followUntilReady(kube.kubeconfig, began, 300_000);
  runs.push({ load, seconds: { 'kubectl apply returned': applied, ...seconds } });
  console.error(
    `apply-to-ready, run ${run} of ${options.runs}: Ready after ${seconds['Ready']?.toFixed(1)} s`,
  );
  writeResult(options.out, { machine, command: process.argv.slice(2), versions, runs });
}
await removePlatform(kube);
console.log(applySection({ machine, runs }).body);
