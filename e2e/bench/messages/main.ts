/**
 * e2e/bench/messages: how long a message takes from publish to acknowledgement and to receipt in each zone, with what
 * was lost or came twice counted. Imports e2e/platform, e2e/harness, e2e/binaries, e2e/tools and the gateway's test
 * tools. Run: node e2e/bench/messages/main.ts loopback | lab
 *
 * loopback: three gateways as processes, three Kafka brokers, one Redis; beside them three servers of the Centrifuge
 * library with the same Redis and clients, taking turns. Ours acknowledges when Kafka has it in all in-sync replicas
 * (acks=all); the library when Redis has it.
 * lab: a platform of each runtime in the lab, gateways and brokers in three zones.
 */
import { join } from 'node:path';
import { Argument, Command, Option } from 'commander';
import { buildBundle, startBackends } from '../../../gateway/src/testing/index.ts';
import { versions } from '../../binaries/catalog.ts';
import { readyLab } from '../common/lab.ts';
import { machineFacts } from '../common/machine.ts';
import { countList, countOf, writeResult } from '../common/result.ts';
import { causeway, centrifuge, type Contestant } from './contestants.ts';
import { labPlatform } from './lab-platform.ts';
import { runLoad, type MessagesRun } from './load.ts';
import { labSection, loopbackSection } from './report.ts';

interface Options {
  rates: number[];
  seconds: number;
  runs: number;
  only?: string;
  asIs: boolean;
  out?: string;
}

const WARM_UP_SECONDS = 5;

async function loads(
  contestant: Contestant,
  where: MessagesRun['where'],
  options: Options,
): Promise<MessagesRun[]> {
  const done: MessagesRun[] = [];
  for (const perSecond of options.rates) {
    const before = contestant.usage();
    const load = { perSecond, seconds: options.seconds, warmUpSeconds: WARM_UP_SECONDS };
    const result = await runLoad(contestant.doors, load);
    const after = contestant.usage();
    const { acknowledgement, receipt, lost, duplicated, outOfOrder, failed } = result;
    console.error(
      `  ${contestant.name}, ${perSecond}/s: ack P50 ${acknowledgement.p50.toFixed(1)} P99 ${acknowledgement.p99.toFixed(1)} ms, ` +
        `receipt P50 ${receipt.p50.toFixed(1)} P99 ${receipt.p99.toFixed(1)} ms; ` +
        `failed ${failed}, lost ${lost}, twice ${duplicated}, out of order ${outOfOrder}`,
    );
    done.push({
      contestant: contestant.name,
      where,
      warmUpSeconds: WARM_UP_SECONDS,
      ...result,
      ...(where === 'lab'
        ? {}
        : { gatewayCpuSeconds: after.cpuSeconds - before.cpuSeconds, gatewayRssMiB: after.rssMiB }),
    });
  }
  return done;
}

async function loopback(options: Options, save: (runs: MessagesRun[]) => void): Promise<void> {
  // The tests' gateways log every message otherwise.
  process.env['LOG_LEVEL'] = 'info';
  await buildBundle();
  const backends = await startBackends({ kafka: { brokers: 3 } });
  try {
    for (let run = 1; run <= options.runs; run += 1) {
      console.error(`messages on loopback, run ${run} of ${options.runs}`);
      const starts = {
        bun: () => causeway(backends, 'bun'),
        node: () => causeway(backends, 'node'),
        centrifuge: () => centrifuge(backends),
      };
      for (const [name, start] of Object.entries(starts)) {
        if (options.only !== undefined && options.only !== name) continue;
        const contestant = await start();
        try {
          save(await loads(contestant, 'loopback', options));
        } finally {
          await contestant.stop();
        }
      }
    }
  } finally {
    await backends.stop();
  }
}

async function lab(options: Options, save: (runs: MessagesRun[]) => void): Promise<void> {
  const kube = await readyLab(options);
  for (const runtime of ['Bun', 'Node'] as const) {
    if (options.only !== undefined && options.only !== runtime.toLowerCase()) continue;
    const contestant = await labPlatform(kube, runtime);
    try {
      for (let run = 1; run <= options.runs; run += 1) {
        console.error(`messages in the lab on ${runtime}, run ${run} of ${options.runs}`);
        save(await loads(contestant, 'lab', options));
      }
    } finally {
      await contestant.stop();
    }
  }
}

async function main(where: MessagesRun['where'], options: Options): Promise<void> {
  const out = options.out ?? join(import.meta.dirname, `../results/messages-${where}.json`);
  const machine = await machineFacts();
  const setting = { machine, command: process.argv.slice(2), versions };
  const runs: MessagesRun[] = [];
  const save = (more: MessagesRun[]): void => {
    runs.push(...more);
    writeResult(out, { setting, runs });
  };
  await (where === 'lab' ? lab(options, save) : loopback(options, save));
  console.log((where === 'lab' ? labSection : loopbackSection)({ setting, runs }).body);
}

await new Command('messages')
  .description('time from publish to acknowledgement and to receipt in each zone')
  .addArgument(new Argument('<where>', 'where the gateways run').choices(['loopback', 'lab']))
  .option('--rates <list>', 'messages a second, separated by commas', countList, [50, 200, 1000])
  .option('--seconds <n>', 'seconds of each rate', countOf, 30)
  .option('--runs <n>', 'runs of each', countOf, 3)
  .addOption(new Option('--only <contestant>', 'only one').choices(['bun', 'node', 'centrifuge']))
  .option('--as-is', 'lab: with the operator that runs there', false)
  .option('--out <file>', 'raw numbers')
  .action(main)
  .parseAsync();
