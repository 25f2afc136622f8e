/**
 * e2e/demo: from nothing to a message across zones: `make demo`. On the lab, or on the cluster that KUBECONFIG names.
 * Imports e2e/platform, e2e/lab and e2e/tools.
 */
import { spawn } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { paths } from '../lab/config.ts';
import { describeLacks, findLacks } from '../lab/preflight.ts';
import {
  buildBundles,
  connect,
  gatewayPods,
  installOperator,
  Kube,
  loadLabImages,
  platformAccess,
  publishImages,
  sdkClient,
  subscribe,
  waitReady,
  type GatewayAddress,
} from '../platform/index.ts';
import { createProgress, formatElapsed, run, type Progress } from '../tools/index.ts';

const root = join(import.meta.dirname, '../..');
const PLATFORM = { namespace: 'messaging', name: 'orders' };
const CHANNEL = 'chat:lobby';

async function labCluster(progress: Progress): Promise<Kube> {
  const lacks = await findLacks();
  if (lacks.length > 0) throw new Error(describeLacks(lacks));
  progress.note('bringing up the lab: three zones, Kafka (a first run builds Kubernetes: about ten minutes)');
  await runVisibly([join(root, 'e2e/lab/main.ts'), 'up']);
  return new Kube(paths.kubeconfig());
}

/** Runs one of our commands with its progress lines shown. */
async function runVisibly(args: string[]): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', reject);
    child.on('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`${args.join(' ')} ended with ${code}`)),
    );
  });
}

async function currentCluster(progress: Progress): Promise<Kube> {
  const kube = new Kube(process.env['KUBECONFIG'] ?? join(homedir(), '.kube/config'));
  const nodes = await kube.json<{ items: { metadata: { labels: Record<string, string> } }[] }>([
    'get',
    'nodes',
  ]);
  const zones = new Set(nodes.items.map(({ metadata }) => metadata.labels['topology.kubernetes.io/zone']));
  const missing = ['zone-a', 'zone-b', 'zone-c'].filter((zone) => !zones.has(zone));
  if (missing.length > 0) {
    throw new Error(
      `No node is in ${missing.join(', ')}. Label nodes: kubectl label node NAME topology.kubernetes.io/zone=${missing[0]}`,
    );
  }
  await run('docker', ['version']).catch(() => {
    throw new Error('Docker does not answer; it builds the images for this cluster.');
  });
  progress.note(
    `using the cluster of ${kube.kubeconfig}; examples/orders.yaml expects a Kafka at kafka.kafka:9092 in it`,
  );
  return kube;
}

/** Publishes in one zone and waits for it in another; milliseconds from publish to receipt, and to acknowledgement. */
async function sendAcross(
  kube: Kube,
  isLab: boolean,
): Promise<{ from: string; to: string; received: number; acknowledged: number }> {
  const access = await platformAccess(kube, PLATFORM.namespace, PLATFORM.name);
  const pods = await gatewayPods(kube, access);
  const inZone = (zone: string): GatewayAddress => {
    const pod = pods.find((one) => one.zone === zone);
    if (pod === undefined) throw new Error(`no ready gateway in ${zone}`);
    return pod;
  };
  const [source, target] = [inZone('zone-a'), inZone('zone-c')];
  const forwards: { stop(): void }[] = [];
  const reach = async (pod: GatewayAddress): Promise<{ host: string; port: number }> => {
    if (isLab) return pod;
    const forward = await kube.forward(PLATFORM.namespace, pod.pod, pod.port);
    forwards.push(forward);
    return { host: '127.0.0.1', port: forward.port };
  };
  const [sourceAddress, targetAddress] = [await reach(source), await reach(target)];
  const publisher = await connect(await sdkClient(access, () => sourceAddress, { user: 'ann' }));
  const reader = await connect(await sdkClient(access, () => targetAddress, { user: 'bob' }));
  try {
    const text = `hello from zone-a at ${new Date().toISOString()}`;
    const arrival = Promise.withResolvers<number>();
    await subscribe(reader, CHANNEL, (data) => {
      if ((data as { text?: string }).text === text) arrival.resolve(performance.now());
    });
    const began = performance.now();
    await publisher.publish(CHANNEL, { text });
    const acknowledged = performance.now() - began;
    const timer = setTimeout(
      () => arrival.reject(new Error('the message was acknowledged, and did not arrive within 30 s')),
      30_000,
    );
    const received = (await arrival.promise) - began;
    clearTimeout(timer);
    return { from: source.pod, to: target.pod, received, acknowledged };
  } finally {
    publisher.disconnect();
    reader.disconnect();
    for (const forward of forwards) forward.stop();
  }
}

function whatNext(kube: Kube): string {
  return `
What to try next:
  export KUBECONFIG=${kube.kubeconfig}
  kubectl -n messaging get mp                               the platform in a line
  node operator/dist/main.js status orders -n messaging     the platform in a page
  kubectl -n messaging delete deployment orders-gateway-zone-b      … and watch it come back
  kubectl -n messaging patch mp orders --type merge -p '{"spec":{"gateway":{"replicasPerZone":2}}}'
  node operator/dist/main.js plan -f examples/node-runtime.yaml     what another platform would make
  kubectl explain mp.spec.kafka                             what each field means
  node e2e/lab/main.ts zone cut zone-b                      cut a zone off (heal it: zone heal zone-b)
  make down                                                 take it all away`;
}

async function main({ cluster }: { cluster: 'lab' | 'current' }): Promise<void> {
  const began = performance.now();
  const progress = createProgress();
  const isLab = cluster === 'lab';
  const kube = isLab ? await labCluster(progress) : await currentCluster(progress);
  await progress.step('operator and gateway bundled', buildBundles);
  const images = await progress.step('images built and on the nodes', () =>
    isLab ? loadLabImages() : publishImages(kube, process.env['REGISTRY']),
  );
  await installOperator(kube, images, { progress });
  await progress.step('examples/orders.yaml applied', () =>
    kube.kubectl(['apply', '-f', join(root, 'examples/orders.yaml')]),
  );
  await progress.step('platform orders is Ready', () =>
    waitReady(kube, PLATFORM, { progress, timeoutMs: 300_000 }),
  );
  const sent = await progress.step('message published in zone-a and received in zone-c', () =>
    sendAcross(kube, isLab),
  );
  console.log(`
  zone-a  ${sent.from}
     │    published to Kafka, acknowledged after ${sent.acknowledged.toFixed(1)} ms
     ▼
  zone-c  ${sent.to}
          received ${sent.received.toFixed(1)} ms after it was sent
`);
  console.log(await kube.kubectl(['-n', PLATFORM.namespace, 'get', 'messageplatforms']));
  console.log(`Done in ${formatElapsed(performance.now() - began)}.`);
  console.log(whatNext(kube));
}

try {
  await new Command('demo')
    .description('bring up a platform over three zones and send a message across it')
    .addOption(
      new Option('--cluster <where>', 'lab: a cluster of our own; current: the one of KUBECONFIG')
        .choices(['lab', 'current'])
        .default('lab'),
    )
    .action(main)
    .parseAsync();
} catch (error) {
  console.error(`\n${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
