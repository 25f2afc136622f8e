/**
 * e2e/bench/replication: our etcd replicator beside `etcdctl make-mirror`, on the same two etcds, in one run, taking
 * turns. Imports e2e/harness, e2e/tools and e2e/binaries. Run: node e2e/bench/replication/main.ts
 *
 * Three measurements, each key a revision of its own:
 * - live: keys are written to the source as fast as it takes them; how fast does the target get them?
 * - backlog: keys are written while the replicator is stopped; how fast does it catch up?
 * - steady: 1,000 keys a second; how much later than a watcher of the source does a watcher of the target see a key, and
 *   how long after it was sent to the source?
 *
 * And a fourth, once: the replicator is killed every 5 s for a minute under transactions of three keys. How many of them
 * did a watcher of the target never see, see again, or see in parts? See faults.ts.
 *
 * On a busy machine the source is what is measured: `achievedPerSecond` and `load` in the raw numbers tell.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { Etcd3 } from 'etcd3';
import { versions } from '../../binaries/catalog.ts';
import { startEtcd } from '../../harness/index.ts';
import { machineFacts } from '../common/machine.ts';
import { causeway, defaultMain, makeMirror } from './contestants.ts';
import type { Contestant, Route } from './contestants.ts';
import { crashes } from './crashes.ts';
import type { CrashRun } from './crashes.ts';
import { VALUE_BYTES, Writer, watchKeys } from './load.ts';
import { median, percentile, rounded, table } from './report.ts';

const STEADY_PER_SECOND = 1000;
const PARALLEL = 64;
const TIMEOUT_MS = 120_000;
const CRASHES = { every: 5, perSecond: 200 };

interface Run {
  contestant: Contestant['name'];
  /** Keys a second that the source took, and that the target got; what it cost the target's etcd. */
  live: {
    sourceKeysPerSecond: number;
    targetKeysPerSecond: number;
    targetFsyncsPer10kKeys: number;
    targetCpuSecondsPer10kKeys: number;
  };
  /** First to last key in the target, and with the start of the process. */
  backlog: { keysPerSecond: number; keysPerSecondWithStart: number; cpuSecondsPer10kKeys: number };
  /** Milliseconds. `lag`: from seen in the source to seen in the target; `write`: from sent to seen in the target. */
  steady: {
    lagP50: number;
    lagP99: number;
    lagMax: number;
    writeP50: number;
    writeP99: number;
    sourcePutP50: number;
    achievedPerSecond: number;
    cpuSecondsPer10kKeys: number;
  };
  /** Load average of the machine after the run: over the number of cores, it was busy with other things too. */
  load: number;
}

const count = (text: string): number => {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('a whole number from 1');
  return value;
};
const options = new Command('replication')
  .description('etcd replication: throughput and lag beside etcdctl make-mirror')
  .option('--keys <n>', 'keys of each throughput measurement', count, 8000)
  .option('--seconds <n>', 'seconds of each lag measurement', count, 5)
  .option('--runs <n>', 'runs of each contestant', count, 3)
  .option('--crash-seconds <n>', 'seconds in which each is killed every 5 s', count, 60)
  .option('--out <file>', 'raw numbers', join(import.meta.dirname, '..', 'results', 'replication.json'))
  .parse()
  .opts<{ keys: number; seconds: number; runs: number; crashSeconds: number; out: string }>();

async function measureLive(contestant: Contestant, route: Route): Promise<Run['live']> {
  const runner = await contestant.start(route);
  const sight = await watchKeys(route.target, route.prefix);
  const writer = new Writer(route.source);
  try {
    const cost = await costOf(route.target);
    const began = performance.now();
    await writer.fast(route.prefix, options.keys, PARALLEL);
    const written = performance.now();
    await sight.all(options.keys, TIMEOUT_MS);
    const got = Math.max(...sight.seen.values());
    const after = await costOf(route.target);
    return {
      sourceKeysPerSecond: (options.keys / (written - began)) * 1000,
      targetKeysPerSecond: (options.keys / (got - began)) * 1000,
      targetFsyncsPer10kKeys: ((after.fsyncs - cost.fsyncs) / options.keys) * 10_000,
      targetCpuSecondsPer10kKeys: ((after.cpuSeconds - cost.cpuSeconds) / options.keys) * 10_000,
    };
  } finally {
    writer.close();
    sight.close();
    await runner.end();
  }
}

async function backlog(contestant: Contestant, route: Route): Promise<Run['backlog']> {
  const first = await contestant.start(route);
  await first.end();
  const revision = await revisionOf(route.source);
  const writer = new Writer(route.source);
  await writer.fast(route.prefix, options.keys, PARALLEL);
  writer.close();
  const sight = await watchKeys(route.target, route.prefix);
  const began = performance.now();
  const runner = await contestant.resume(route, revision);
  try {
    await sight.all(options.keys, TIMEOUT_MS);
    const times = [...sight.seen.values()];
    const [from, to] = [Math.min(...times), Math.max(...times)];
    return {
      keysPerSecond: (options.keys / (to - from)) * 1000,
      keysPerSecondWithStart: (options.keys / (to - began)) * 1000,
      cpuSecondsPer10kKeys: (runner.cpuSeconds() / options.keys) * 10_000,
    };
  } finally {
    sight.close();
    await runner.end();
  }
}

async function steady(contestant: Contestant, route: Route): Promise<Run['steady']> {
  const runner = await contestant.start(route);
  const before = await watchKeys(route.source, route.prefix);
  const sight = await watchKeys(route.target, route.prefix);
  const writer = new Writer(route.source);
  try {
    const cpu = runner.cpuSeconds();
    const began = performance.now();
    const total = await writer.steady(route.prefix, STEADY_PER_SECOND, options.seconds);
    const took = performance.now() - began;
    await Promise.all([before.all(total, TIMEOUT_MS), sight.all(total, TIMEOUT_MS)]);
    const seen = (key: string): number => sight.seen.get(key) ?? Number.NaN;
    const lags = [...before.seen].map(([key, at]) => seen(key) - at);
    const writes = [...writer.sent].map(([key, at]) => seen(key) - at);
    return {
      lagP50: percentile(lags, 50),
      lagP99: percentile(lags, 99),
      lagMax: Math.max(...lags),
      writeP50: percentile(writes, 50),
      writeP99: percentile(writes, 99),
      sourcePutP50: percentile(writer.took, 50),
      achievedPerSecond: (total / took) * 1000,
      cpuSecondsPer10kKeys: ((runner.cpuSeconds() - cpu) / total) * 10_000,
    };
  } finally {
    writer.close();
    before.close();
    sight.close();
    await runner.end();
  }
}

/** What an etcd has spent so far, from its metrics. */
async function costOf(endpoint: string): Promise<{ fsyncs: number; cpuSeconds: number }> {
  const metrics = await (await fetch(`${endpoint}/metrics`)).text();
  const value = (name: string): number => Number(new RegExp(`^${name} (.+)$`, 'm').exec(metrics)?.[1]);
  return {
    fsyncs: value('etcd_disk_wal_fsync_duration_seconds_count'),
    cpuSeconds: value('process_cpu_seconds_total'),
  };
}

async function revisionOf(endpoint: string): Promise<string> {
  const client = new Etcd3({ hosts: endpoint });
  try {
    return (await client.kv.range({ key: Buffer.from('x') })).header.revision;
  } finally {
    client.close();
  }
}

const main = defaultMain(existsSync);
const machine = await machineFacts();
// Real fsync on both sides, as in production.
const [source, target] = await Promise.all([startEtcd({ fsync: true }), startEtcd({ fsync: true })]);
const runs: Run[] = [];
const crashed: ({ contestant: Contestant['name'] } & CrashRun)[] = [];
try {
  const contestants = [causeway(main), await makeMirror()];
  for (let run = 1; run <= options.runs; run++) {
    // Each is first as often as the other: the machine's load changes while we run.
    for (const contestant of run % 2 === 0 ? contestants.toReversed() : contestants) {
      const route = (what: string): Route => ({
        source: source.endpoint,
        target: target.endpoint,
        prefix: `/bench/${contestant.name}-${what}-${run}/`,
      });
      console.error(`run ${run} of ${options.runs}: ${contestant.name}`);
      runs.push({
        contestant: contestant.name,
        live: await measureLive(contestant, route('live')),
        backlog: await backlog(contestant, route('backlog')),
        steady: await steady(contestant, route('steady')),
        load: loadavg()[0] ?? 0,
      });
    }
  }
  for (const contestant of contestants) {
    console.error(`crashes: ${contestant.name}`);
    const prefix = `/bench/${contestant.name}-crashes/`;
    const route = { source: source.endpoint, target: target.endpoint, prefix };
    const plan = { ...CRASHES, seconds: options.crashSeconds };
    crashed.push({ contestant: contestant.name, ...(await crashes(contestant, route, plan)) });
  }
} finally {
  await Promise.all([source.stop(), target.stop()]);
}

const of = (name: Contestant['name'], pick: (run: Run) => number): number =>
  median(runs.filter(({ contestant }) => contestant === name).map(pick));
const rows: [string, (run: Run) => number, 'higher' | 'lower'][] = [
  ['live: keys/s in the target', ({ live: { targetKeysPerSecond } }) => targetKeysPerSecond, 'higher'],
  ['live: keys/s at the source', ({ live: { sourceKeysPerSecond } }) => sourceKeysPerSecond, 'higher'],
  ['live: fsyncs of the target for 10,000 keys', (run) => run.live.targetFsyncsPer10kKeys, 'lower'],
  ['live: CPU s of the target for 10,000 keys', (run) => run.live.targetCpuSecondsPer10kKeys, 'lower'],
  ['backlog: keys/s', ({ backlog: { keysPerSecond } }) => keysPerSecond, 'higher'],
  [
    'backlog with start: keys/s',
    ({ backlog: { keysPerSecondWithStart } }) => keysPerSecondWithStart,
    'higher',
  ],
  [
    'backlog: CPU s for 10,000 keys',
    ({ backlog: { cpuSecondsPer10kKeys } }) => cpuSecondsPer10kKeys,
    'lower',
  ],
  ['1,000/s: lag P50, ms', ({ steady: { lagP50 } }) => lagP50, 'lower'],
  ['1,000/s: lag P99, ms', ({ steady: { lagP99 } }) => lagP99, 'lower'],
  ['1,000/s: write to seen P50, ms', ({ steady: { writeP50 } }) => writeP50, 'lower'],
  ['1,000/s: write to seen P99, ms', ({ steady: { writeP99 } }) => writeP99, 'lower'],
  ['1,000/s: source put P50, ms', ({ steady: { sourcePutP50 } }) => sourcePutP50, 'lower'],
  ['1,000/s: writes/s achieved', ({ steady: { achievedPerSecond } }) => achievedPerSecond, 'higher'],
  ['1,000/s: CPU s for 10,000 keys', ({ steady: { cpuSecondsPer10kKeys } }) => cpuSecondsPer10kKeys, 'lower'],
];
const medians = rows.map(([what, pick, better]) => {
  const [ours, theirs] = [of('causeway', pick), of('make-mirror', pick)];
  return {
    what,
    causeway: ours,
    makeMirror: theirs,
    ratio: better === 'higher' ? ours / theirs : theirs / ours,
  };
});

console.log(table(medians));
for (const { contestant, kills, transactions, skipped, repeated, halfSeen, wentBack } of crashed)
  console.log(
    `${contestant}, killed ${kills} times, of ${transactions} transactions: ${skipped} skipped, ${repeated} repeated, ${halfSeen} seen in parts; ${wentBack} keys went back`,
  );
mkdirSync(join(options.out, '..'), { recursive: true });
const setting = {
  etcd: versions.etcd,
  replicator: main.endsWith('.ts') ? 'sources' : 'bundle',
  keys: options.keys,
  valueBytes: VALUE_BYTES,
  parallelPuts: PARALLEL,
  steadyPerSecond: STEADY_PER_SECOND,
  steadySeconds: options.seconds,
  fsync: true,
};
writeFileSync(
  options.out,
  `${JSON.stringify(rounded({ machine, setting, medians, crashes: crashed, runs }), undefined, 2)}\n`,
);
