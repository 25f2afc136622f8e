/**
 * e2e/bench/failover: zones are left and lost under 2,000 connected clients that publish and receive all the time, in
 * the lab: what clients meet, and where the time goes. Imports e2e/lab, e2e/platform, e2e/deliveries, e2e/tools and the
 * CLI's types. Run: node e2e/bench/failover/main.ts
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { createProgress } from '../../tools/index.ts';
import { readyLab } from '../common/lab.ts';
import { machineFacts } from '../common/machine.ts';
import { countOf, writeResult } from '../common/result.ts';
import { shown } from '../common/markdown.ts';
import type { CrowdSetting } from './crowd.ts';
import { kindNames, KINDS, type Kind, type KindName } from './kinds.ts';
import { measurementsOf } from './measurements.ts';
import { placeNameServers } from './name-servers.ts';
import { failoverSection, type FailoverResult } from './report.ts';
import { Rig } from './rig.ts';
import { firstMove } from './story.ts';
import { runOnce, warmUp, type FailedRun, type FailoverRun, type Outcome } from './run.ts';

interface Options {
  kinds: KindName[];
  runs: number;
  clients: number;
  rate: number;
  drainPerSecond: number;
  unhealthyAfter: string;
  pingDelays: number[];
  typed: boolean;
  asIs: boolean;
  measurements?: string;
  keep: boolean;
  out: string;
}

const options = new Command('failover')
  .description('failovers under load: what clients meet, and where the time goes')
  .option('--kinds <list>', `which, separated by commas: ${kindNames.join(', ')}`, kindList, kindNames)
  .option('--runs <n>', 'runs of each kind', countOf, 5)
  .option('--clients <n>', 'connected clients, ten in each channel', countOf, 2_000)
  .option('--rate <n>', 'publications a second', countOf, 200)
  .option('--drain-per-second <n>', 'clients that a drained zone sends away each second', countOf, 50)
  .option(
    '--unhealthy-after <duration>',
    'how long a zone must be gone before an Emergency is made of it',
    '5s',
  )
  .option(
    '--ping-delays <list>',
    "seconds of an SDK's maxServerPingDelay; clients have them by turns",
    secondsList,
    [10],
  )
  .option('--typed', 'Emergencies are asked for when the zone is gone, instead of waited for', false)
  .option('--as-is', 'with the operator that runs in the lab', false)
  .option(
    '--measurements <folder>',
    'writes there what `causeway failover report` takes, by name of the failover',
  )
  .option('--keep', 'all journals stay, not only those of runs in which something was wrong', false)
  .option('--out <file>', 'raw numbers', join(import.meta.dirname, '../results/failover.json'))
  .parse()
  .opts<Options>();

function kindList(text: string): KindName[] {
  return text.split(',').map((word) => {
    const found = kindNames.find((name) => name === word);
    if (found === undefined) throw new InvalidArgumentError(`It must be of ${kindNames.join(', ')}.`);
    return found;
  });
}

function secondsList(text: string): number[] {
  return text.split(',').map((word) => {
    const seconds = Number(word);
    if (word === '' || !Number.isFinite(seconds) || seconds < 0)
      throw new InvalidArgumentError('They must be numbers of seconds.');
    return seconds;
  });
}

const progress = createProgress();
const failoverSetting = {
  drainPerSecond: options.drainPerSecond,
  unhealthyAfter: options.unhealthyAfter,
};
const crowd: CrowdSetting = {
  clients: options.clients,
  perChannel: 10,
  publishers: 20,
  perSecond: options.rate,
  bytes: 128,
  pingDelays: options.pingDelays,
};

/** One run, whatever becomes of it: a failure is a result too, and the next run is to find a whole platform. */
async function attempt(rig: Rig, kind: KindName, number: number): Promise<FailoverRun | FailedRun> {
  try {
    const outcome = await runOnce(kind, number, {
      rig,
      clients: crowd,
      typed: options.typed,
      keep: options.keep,
      progress,
    });
    if (options.measurements !== undefined) saveMeasurements(options.measurements, outcome);
    tell(outcome.run);
    return outcome.run;
  } catch (error) {
    const failed = error instanceof Error ? error.message : String(error);
    progress.note(`${kind}, run ${number} could not be measured: ${failed}`);
    return { kind, run: number, failed };
  }
}

/** Waits for the platform, and makes it anew if it does not come right. */
async function whole(rig: Rig, kind: KindName): Promise<void> {
  const setting = { heartbeat: KINDS[kind].heartbeat, failover: failoverSetting };
  try {
    await rig.patch({ gateway: { heartbeat: setting.heartbeat } });
    await rig.ready();
  } catch (error) {
    progress.note(`the platform is made anew: ${error instanceof Error ? error.message : String(error)}`);
    await rig.make(setting);
    await firstMove(rig);
  }
}

function saveMeasurements(folder: string, { failover, journal, act, run }: Outcome): void {
  mkdirSync(folder, { recursive: true });
  const text = JSON.stringify(measurementsOf(journal, act, run.verdict));
  writeFileSync(join(folder, `${failover}.json`), `${text}\n`);
}

/** The run in a few lines. */
function tell({ kind, run, phase, from, to, parts, verdict, seconds, perSecond }: FailoverRun): void {
  const { all, zone, lost, duplicated, violations } = verdict;
  const phases = Object.entries(parts.phases).map(([name, time]) => `${name} ${time.toFixed(1)}`);
  const backs = Object.entries(zone).map(([delay, { back }]) => `${shown(back.p99)} (ping delay ${delay} s)`);
  progress.note(
    `${kind} ${run}: ${phase}, ${from} → ${to}, ${shown(perSecond)}/s; lost ${lost}, twice ${duplicated}, faults ${JSON.stringify(violations)}\n` +
      `  blackout ms P50 ${shown(all.blackout.p50)} P99 ${shown(all.blackout.p99)} max ${shown(all.blackout.max)}; ` +
      `reconnect P50 ${shown(all.reconnect.p50)} P99 ${shown(all.reconnect.p99)}; zone back P99 ${backs.join(', ')}\n` +
      `  detection ${parts.detection.toFixed(1)}, ${phases.join(', ')} s; run took ${seconds.toFixed(0)} s`,
  );
}

const kube = await readyLab(options);
const machine = await machineFacts();
const rig = new Rig(kube);
const result: FailoverResult = {
  machine,
  setting: { ...crowd, ...failoverSetting, typed: options.typed },
  command: process.argv.slice(2),
  runs: [],
};
try {
  const [first = 'drill'] = options.kinds;
  const setting = { heartbeat: KINDS[first].heartbeat, failover: failoverSetting };
  await progress.step('platform is Ready', () => rig.make(setting));
  await progress.step('its home has moved once', () => firstMove(rig));
  await progress.step('clients have come and published for a minute', () => warmUp(rig, crowd));
  for (const kind of options.kinds) {
    const { nameServers, runs = options.runs }: Kind = KINDS[kind];
    await placeNameServers(kube, nameServers);
    for (let number = 1; number <= runs; number += 1) {
      await whole(rig, kind);
      result.runs.push(await attempt(rig, kind, number));
      writeResult(options.out, result);
    }
  }
  console.log(failoverSection(result).body);
} finally {
  await rig.remove();
  await placeNameServers(kube, 'two');
}
