/**
 * e2e/bench/gateway: the gateway on Bun and on Node beside the Centrifuge library for Go and plain `ws` on Node, one
 * server process each, by turns, with the same clients (a load generator in Go) and the same TLS 1.3 certificate.
 * Imports e2e/harness, e2e/binaries, e2e/tools and the gateway's test tools.
 * Run: node e2e/bench/gateway/main.ts memory | fanout | handshakes | throughput | storm | soak | churn | flood
 */
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { versions } from '../../binaries/catalog.ts';
import { machineFacts, type Machine } from '../common/machine.ts';
import { countList, countOf, writeResult } from '../common/result.ts';
import type { Section } from '../common/section.ts';
import { measureChurn } from './churn.ts';
import { KINDS, NAMES, openStage, type Kind, type Stage } from './contestants.ts';
import { measureFanout } from './fanout.ts';
import { measureFlood } from './flood.ts';
import { measureHandshakes } from './handshakes.ts';
import { CURVES, measureMemory, mostConnections, type MemoryRun } from './memory.ts';
import { churnSection } from './sections/churn.ts';
import { fanoutSection } from './sections/fanout.ts';
import { floodSection } from './sections/flood.ts';
import { handshakesSection } from './sections/handshakes.ts';
import { memorySection } from './sections/memory.ts';
import type { GatewayResult } from './sections/result.ts';
import { soakSection } from './sections/soak.ts';
import { stormSection } from './sections/storm.ts';
import { throughputSection } from './sections/throughput.ts';
import { measureSoak } from './soak.ts';
import { measureStorm } from './storm.ts';
import { measureThroughput } from './throughput.ts';

/** Options of every benchmark. */
interface Common {
  runs: number;
  only: Kind[];
  brokers: 1 | 3;
  /** Folder for CPU profiles of our gateway. */
  profile?: string;
  out?: string;
}

/** One benchmark: what it measures of one contestant, and what is said of all. */
interface Benchmark<Run, Options> {
  name: string;
  kinds: readonly Kind[];
  measure: (stage: Stage, kind: Kind, options: Options & { run: number }) => Promise<Run | Run[]>;
  section: (result: GatewayResult<Run>) => Section;
}

/** Runs it with all contestants by turns. One that can't be measured doesn't end the others; results are written after each. */
async function measureAll<Run, Options extends Common>(
  { name, kinds, measure, section }: Benchmark<Run, Options>,
  options: Options,
): Promise<void> {
  const { only, out, runs: times, brokers, profile, ...settings } = options;
  const file = out ?? join(import.meta.dirname, `../results/gateway-${name}.json`);
  const machine: Machine = await machineFacts();
  const setting = { machine, versions, brokers, profiled: profile !== undefined, ...settings };
  const result: GatewayResult<Run> = { setting, runs: [], failures: [] };
  const stage = await openStage({ brokers, profile });
  try {
    for (let run = 1; run <= times; run += 1) {
      for (const kind of kinds.filter((one) => only.includes(one))) {
        try {
          const measured = await measure(stage, kind, { ...options, run });
          result.runs.push(...(Array.isArray(measured) ? measured : [measured]));
        } catch (error) {
          const text = error instanceof Error ? error.message : String(error);
          console.error(`  ${text}`);
          result.failures.push({ contestant: NAMES[kind], run, error: oneLine(text) });
        }
        writeResult(file, result);
      }
    }
  } finally {
    await stage.stop();
  }
  const { body, shortfalls } = section(result);
  console.log([body, '', ...shortfalls.map((text) => `- ${text}`)].join('\n'));
  console.log(`wrote ${file}`);
  if (result.failures.length > 0) process.exitCode = 1;
}

/** An error and the end of a log, as it fits into a line of the page. */
function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim().slice(0, 200);
}

function kindList(text: string): Kind[] {
  const names = text.split(',');
  const unknown = names.filter((name) => !KINDS.some((kind) => kind === name));
  if (unknown.length > 0)
    throw new InvalidArgumentError(`Unknown: ${unknown.join(', ')}. Give any of ${KINDS.join(', ')}.`);
  return names as Kind[];
}

function brokerCount(text: string): 1 | 3 {
  const count = countOf(text);
  if (count !== 1 && count !== 3) throw new InvalidArgumentError('It must be 1 or 3.');
  return count;
}

/** A command with the options that all have. */
function command(name: string, description: string, brokers: 1 | 3): Command {
  return new Command(name)
    .description(description)
    .option('--runs <n>', 'runs of each contestant, by turns', countOf, 1)
    .option('--only <list>', `contestants, separated by commas: ${KINDS.join(', ')}`, kindList, [...KINDS])
    .option('--brokers <n>', 'Kafka brokers for ours, 1 or 3', brokerCount, brokers)
    .option('--profile <folder>', 'write CPU profiles of our gateway there; figures are worse with it')
    .option('--out <file>', 'raw numbers');
}

const memory = command('memory', 'memory for each connection, idle and after traffic', 1)
  .option('--levels <list>', 'numbers of connections', countList, [
    1_000,
    2_000,
    5_000,
    10_000,
    mostConnections(),
  ])
  .option('--per-channel <n>', 'connections that share a channel', countOf, 1)
  .option('--settle <seconds>', 'time that memory is given before it is looked at', countOf, 10)
  .addOption(new Option('--curves <names...>', 'which curves').choices(CURVES).default(CURVES))
  .addHelpText('after', '\nQuick: --levels 100,200 --settle 1 --only bun,ws --out /tmp/memory.json')
  .action(
    (
      options: Common & {
        levels: number[];
        perChannel: number;
        settle: number;
        curves: MemoryRun['curve'][];
      },
    ) =>
      measureAll({ name: 'memory', kinds: KINDS, measure: measureMemory, section: memorySection }, options),
  );

const fanout = command('fanout', 'deliveries to the subscribers of one channel, by rate', 3)
  .option('--subscribers <n>', 'connections that are subscribed', countOf, 500)
  .option(
    '--rates <list>',
    'publications a second, rising',
    countList,
    [10, 25, 50, 100, 150, 200, 300, 400, 600, 800],
  )
  .option('--seconds <n>', 'seconds of each rate', countOf, 15)
  .option('--bytes <n>', 'size of a message', countOf, 128)
  .addHelpText(
    'after',
    '\nQuick: --subscribers 50 --rates 10,50 --seconds 3 --brokers 1 --out /tmp/fanout.json',
  )
  .action((options: Common & { subscribers: number; rates: number[]; seconds: number; bytes: number }) =>
    measureAll({ name: 'fanout', kinds: KINDS, measure: measureFanout, section: fanoutSection }, options),
  );

const handshakes = command('handshakes', 'new connections a second, full and resumed', 1)
  .option('--seconds <n>', 'seconds of each way', countOf, 20)
  .option('--concurrency <n>', 'connections at once', countOf, 32)
  .addHelpText('after', '\nQuick: --seconds 2 --out /tmp/handshakes.json')
  .action((options: Common & { seconds: number; concurrency: number }) =>
    measureAll(
      { name: 'handshakes', kinds: KINDS, measure: measureHandshakes, section: handshakesSection },
      options,
    ),
  );

const throughput = command('throughput', 'what a server can take, and times at 10, 50 and 90 % of it', 3)
  .option(
    '--connections <n>',
    'connections, each with a channel of its own that it publishes to',
    countOf,
    64,
  )
  .option('--bytes <n>', 'size of a message', countOf, 128)
  .option('--seconds <n>', 'seconds of each share', countOf, 30)
  .option('--trial-seconds <n>', 'seconds of each trial of the search', countOf, 8)
  .option('--first <n>', 'rate of the first trial', countOf, 500)
  .option('--most <n>', 'highest rate that is tried', countOf, 64_000)
  .addHelpText(
    'after',
    '\nQuick: --seconds 3 --trial-seconds 2 --most 1000 --brokers 1 --only bun,centrifuge --out /tmp/throughput.json',
  )
  .action(
    (
      options: Common & {
        connections: number;
        bytes: number;
        seconds: number;
        trialSeconds: number;
        first: number;
        most: number;
      },
    ) =>
      measureAll(
        { name: 'throughput', kinds: KINDS, measure: measureThroughput, section: throughputSection },
        options,
      ),
  );

const storm = command('storm', 'all clients lose their server and come back', 3)
  .option('--clients <n>', 'connections', countOf, 10_000)
  .option('--channels <n>', 'channels that they are spread over', countOf, 100)
  .option('--per-second <n>', 'publications a second, over all channels', countOf, 50)
  .addHelpText('after', '\nQuick: --clients 200 --channels 10 --brokers 1 --only bun --out /tmp/storm.json')
  .action((options: Common & { clients: number; channels: number; perSecond: number }) =>
    // Plain ws keeps nothing that a client could recover.
    measureAll(
      { name: 'storm', kinds: ['bun', 'node', 'centrifuge'], measure: measureStorm, section: stormSection },
      options,
    ),
  );

const soak = command('soak', 'connections that come, talk and go', 1)
  .option('--seconds <n>', 'seconds of churn', countOf, 600)
  .option('--per-second <n>', 'connections a second', countOf, 50)
  .addHelpText('after', '\nQuick: --seconds 20 --only bun --out /tmp/soak.json')
  .action((options: Common & { seconds: number; perSecond: number }) =>
    measureAll({ name: 'soak', kinds: KINDS, measure: measureSoak, section: soakSection }, options),
  );

/** What is asked of ours alone: its own metrics are a part of it. */
const OURS = ['bun', 'node'] as const;

const churn = command('churn', 'what is left of clients that came and went in every way', 1)
  .option('--visits <n>', 'clients', countOf, 100_000)
  .addHelpText('after', '\nQuick: --visits 2000 --only bun --out /tmp/churn.json')
  .action((options: Common & { visits: number }) =>
    measureAll({ name: 'churn', kinds: OURS, measure: measureChurn, section: churnSection }, options),
  );

const flood = command('flood', 'what clients notice of a flood of handshakes', 1)
  .option('--rates <list>', 'connections a second that storm in, rising', countList, [200, 400, 800, 3_000])
  .option('--seconds <n>', 'seconds before, during and after each', countOf, 20)
  .addHelpText('after', '\nQuick: --rates 200 --seconds 5 --only bun --out /tmp/flood.json')
  .action((options: Common & { rates: number[]; seconds: number }) =>
    measureAll({ name: 'flood', kinds: OURS, measure: measureFlood, section: floodSection }, options),
  );

const program = new Command('gateway').description('the gateway beside its peers');
for (const one of [memory, fanout, handshakes, throughput, storm, soak, churn, flood])
  program.addCommand(one);
await program.parseAsync();
