/**
 * e2e/bench/rotation: certificate rotations under load in the lab, beside a plain rolling restart of the same
 * Deployments under the same load. Imports e2e/platform, e2e/tools and the CLI's rotate. Run: node e2e/bench/rotation/main.ts
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import {
  gatewayPods,
  platformAccess,
  waitReady,
  type GatewayAddress,
  type Kube,
  type PlatformAccess,
} from '../../platform/index.ts';
import { runRotate } from '../../../operator/src/cli/rotate.ts';
import { testIo } from '../../../operator/src/cli/testing/io.ts';
import { createProgress } from '../../tools/index.ts';
import { BENCH, platformManifest, readyLab, removePlatform } from '../common/lab.ts';
import { machineFacts } from '../common/machine.ts';
import { countOf, writeResult } from '../common/result.ts';
import { percentile } from '../replication/report.ts';
import { Connections, type Held } from './connections.ts';
import { handshake, HandshakeLoad, type Sample } from './handshakes.ts';
import { rotationSection, type Phase, type Resumption, type RotationResult } from './report.ts';
import { stagesOf, type Stages } from './stages.ts';

interface Options {
  rotations: number;
  connections: number;
  rate: number;
  baseline: number;
  asIs: boolean;
  out: string;
}

const options = new Command('rotation')
  .description('certificate rotations under load, beside a rolling restart')
  .option('--rotations <n>', 'rotations in a row', countOf, 20)
  .option('--connections <n>', 'long connections', countOf, 3_000)
  .option('--rate <n>', 'new handshakes a second, over all pods', countOf, 70)
  .option('--baseline <seconds>', 'time before the first rotation', countOf, 60)
  .option('--as-is', 'with the operator that runs in the lab', false)
  .option('--out <file>', 'raw numbers', join(import.meta.dirname, '../results/rotation.json'))
  .parse()
  .opts<Options>();

const progress = createProgress();
/** Tries of each kind when resumption is measured. */
const TRIES = 60;
/** Time between two looks at which pods are ready, milliseconds. */
const LOOK_MS = 500;

async function makePlatform(kube: Kube, runtime: 'Bun' | 'Node'): Promise<PlatformAccess> {
  await removePlatform(kube);
  const manifest = platformManifest(runtime, (spec) => {
    spec.gateway.replicasPerZone = 2;
    spec.tls = { rotation: { canaryPause: '0s', pauseBetweenZones: '0s' } };
  });
  await kube.kubectl(['apply', '-f', '-'], { input: manifest });
  await waitReady(kube, BENCH, { timeoutMs: 300_000 });
  return platformAccess(kube, BENCH.namespace, BENCH.name);
}

/** `causeway rotate`, in this process: the start of another one would be half of what two cores do meanwhile. */
async function rotate({ kubeconfig }: Kube): Promise<Stages> {
  const io = testIo();
  await runRotate(
    BENCH.name,
    { kubeconfig, namespace: BENCH.namespace, wait: true, timeout: 300_000 },
    { io, signal: new AbortController().signal },
  );
  return stagesOf(io.stdout);
}

/** UID and restarts of each pod of the platform. */
async function processes(kube: Kube): Promise<string> {
  const columns =
    'jsonpath={range .items[*]}{.metadata.uid} {.status.containerStatuses[0].restartCount}{"\\n"}{end}';
  const selector = `causeway.dev/platform=${BENCH.name}`;
  const text = await kube.kubectl(['-n', BENCH.namespace, 'get', 'pods', '-l', selector, '-o', columns]);
  return text.trim().split('\n').sort().join();
}

/** How many pods take a TLS 1.2 client. */
async function takesTls12(access: PlatformAccess, pods: readonly GatewayAddress[]): Promise<number> {
  const tries = pods.map((pod) =>
    handshake(access, pod, { version: 'TLSv1.2' }).then(
      () => 1,
      () => 0,
    ),
  );
  return (await Promise.all(tries)).reduce<number>((sum, one) => sum + one, 0);
}

function times(
  samples: readonly Sample[],
  from: number,
  to: number,
): { p50: number; p99: number; count: number } {
  const values = samples.filter(({ at }) => at >= from && at < to).map(({ ms }) => ms);
  return { p50: percentile(values, 50), p99: percentile(values, 99), count: values.length };
}

/** Rotations in a row, under load. */
async function measureRotations(kube: Kube, access: PlatformAccess): Promise<RotationResult['rotations']> {
  const pods = await gatewayPods(kube, BENCH);
  const before = await processes(kube);
  const connections = await Connections.open(access, pods, options.connections);
  progress.note(`${connections.count} connections are open`);
  const load = new HandshakeLoad(access, () => pods, options.rate);
  const stages: Stages[] = [];
  const spans: [number, number][] = [];
  let tls12 = await takesTls12(access, pods);
  try {
    const began = performance.now();
    await delay(options.baseline * 1000);
    const first = performance.now();
    for (let n = 1; n <= options.rotations; n += 1) {
      const from = performance.now();
      const rotation = rotate(kube);
      tls12 += await takesTls12(access, pods);
      stages.push(await rotation);
      spans.push([from, performance.now()]);
      progress.note(
        `rotation ${n} of ${options.rotations}: Verify passed after ${stages.at(-1)?.['Retire']} s`,
      );
    }
    const last = performance.now();
    tls12 += await takesTls12(access, pods);
    await load.stop();
    const held = await connections.check();
    const moving = spans.flatMap(([from], index) => {
      const until = from + (stages[index]?.['Retire'] ?? 0) * 1000;
      return load.samples.filter(({ at }) => at >= from && at < until);
    });
    return {
      stages,
      tls12,
      restarted: before !== (await processes(kube)),
      baseline: times(load.samples, began, first),
      during: times(load.samples, first, last),
      moving: times(moving, first, last),
      phase: phaseOf(load, connections, held),
    };
  } finally {
    await load.stop();
    connections.close();
  }
}

function phaseOf(load: HandshakeLoad, connections: Connections, held: Held): Phase {
  return {
    ...held,
    handshakes: load.samples.length + load.failures.length,
    failed: load.failures.length,
    failures: [...new Set(load.failures)].slice(0, 5),
    connections: connections.count,
  };
}

/** The same load over what people do today. */
async function measureRestart(kube: Kube, access: PlatformAccess): Promise<Phase & { seconds: number }> {
  const pods = await gatewayPods(kube, BENCH);
  const connections = await Connections.open(access, pods, options.connections);
  let known: readonly GatewayAddress[] = pods;
  const ended = new AbortController();
  const looking = (async () => {
    while (!ended.signal.aborted) {
      known = await gatewayPods(kube, BENCH);
      await delay(LOOK_MS);
    }
  })();
  const load = new HandshakeLoad(access, () => known, options.rate);
  try {
    await delay(5_000);
    const began = performance.now();
    const of = ['-n', BENCH.namespace];
    const which = ['deployment', '-l', `causeway.dev/platform=${BENCH.name},causeway.dev/component=gateway`];
    await kube.kubectl([...of, 'rollout', 'restart', ...which]);
    await kube.kubectl([...of, 'rollout', 'status', ...which, '--timeout=280s'], { timeoutMs: 290_000 });
    await delay(5_000);
    const seconds = (performance.now() - began) / 1000 - 5;
    await load.stop();
    return { ...phaseOf(load, connections, await connections.check()), seconds };
  } finally {
    await load.stop();
    ended.abort();
    connections.close();
    await looking;
  }
}

/** How many of the reconnects resume, on the pod of before and on another one. */
async function measureResumption(
  kube: Kube,
  access: PlatformAccess,
  runtime: 'Bun' | 'Node',
): Promise<Resumption> {
  const pods = await gatewayPods(kube, BENCH);
  const ticketOf = async (pod: GatewayAddress): Promise<Buffer | undefined> =>
    (await handshake(access, pod, { ticket: true })).session;
  const share = async (distance: number): Promise<number> => {
    let resumed = 0;
    for (let n = 0; n < TRIES; n += 1) {
      const [from, to] = [pods[n % pods.length], pods[(n + distance) % pods.length]];
      if (from === undefined || to === undefined) throw new RangeError('there is no gateway pod');
      const session = await ticketOf(from);
      if ((await handshake(access, to, { session })).resumed) resumed += 1;
    }
    return resumed / TRIES;
  };
  const samePod = await share(0);
  const otherPod = await share(1);
  const old = await Promise.all(pods.map(async (pod) => ({ pod, session: await ticketOf(pod) })));
  await rotate(kube);
  const late = await Promise.all(old.map(({ pod, session }) => handshake(access, pod, { session })));
  return {
    runtime,
    samePod,
    otherPod,
    tries: TRIES,
    oldTickets: old.length,
    oldResumed: late.filter(({ resumed }) => resumed).length,
  };
}

const kube = await readyLab(options);
const machine = await machineFacts();
try {
  const access = await progress.step('platform on Bun is Ready', () => makePlatform(kube, 'Bun'));
  const rotations = await measureRotations(kube, access);
  const onBun = await measureResumption(kube, access, 'Bun');
  progress.note(JSON.stringify(onBun));
  const restart = await measureRestart(kube, access);
  progress.note(JSON.stringify(restart));
  const onNode = await progress.step('platform on Node is Ready', () => makePlatform(kube, 'Node'));
  const resumption = [onBun, await measureResumption(kube, onNode, 'Node')];
  const { rotations: count, connections, rate, baseline } = options;
  const setting = { rotations: count, connections, rate, baseline };
  const result: RotationResult = { machine, setting, rotations, restart, resumption };
  writeResult(options.out, result);
  console.log(rotationSection(result).body);
} finally {
  await removePlatform(kube);
}
