/**
 * A control plane whose nodes are pretended by kwok: everything is real but kubelets, so that thousands of pods
 * become Ready on one machine. With it one real Kafka and one real Redis.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { stringify } from 'yaml';
import { ensureBinaries, ensureBinary } from '../../binaries/index.ts';
import { startControlPlane, startKafka, startRedis } from '../../harness/index.ts';
import { createServer, type Server } from '../../harness/server.ts';
import { removeFolder, temporaryFolder } from '../../harness/supervise.ts';
import { flags, freePort, run, tailOf, waitFor } from '../../tools/index.ts';

const root = join(import.meta.dirname, '../../..');

/** The zones, with one node in each. */
export const ZONES = ['zone-a', 'zone-b', 'zone-c'] as const;

/** A running cluster without kubelets. */
export interface FakeCluster {
  kubeconfig: string;
  /** `127.0.0.1:<port>` */
  kafka: string;
  /** `redis://127.0.0.1:<port>` */
  redis: string;
  stop(): Promise<void>;
}

/** The scheduler takes a pod whose volume nobody provides: kwok mounts nothing. */
const schedulerConfig = (kubeconfig: string): object => ({
  apiVersion: 'kubescheduler.config.k8s.io/v1',
  kind: 'KubeSchedulerConfiguration',
  clientConnection: { kubeconfig, qps: 1000, burst: 2000 },
  leaderElection: { leaderElect: false },
  profiles: [
    {
      schedulerName: 'default-scheduler',
      plugins: { multiPoint: { disabled: [{ name: 'VolumeBinding' }, { name: 'VolumeZone' }] } },
    },
  ],
});

/** Starts all of it, with the CRD and three Ready nodes. */
export async function startFakeCluster(): Promise<FakeCluster> {
  const stops: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of stops.toReversed()) await end();
  };
  try {
    const control = await startControlPlane({
      controllers: true,
      apiServerArgs: ['--service-cluster-ip-range=10.96.0.0/16'],
      // The defaults of 20 requests a second would be measured instead of the operator.
      controllerArgs: [
        ...flags({ 'kube-api-qps': 1000, 'kube-api-burst': 2000 }),
        '--concurrent-deployment-syncs=10',
        '--concurrent-statefulset-syncs=10',
      ],
    });
    stops.push(() => control.stop());
    const [kafka, redis] = await Promise.all([
      startKafka({ brokers: 1, config: { 'log.cleaner.enable': 'false' } }),
      startRedis(),
    ]);
    stops.push(
      () => kafka.stop(),
      () => redis.stop(),
    );
    const folder = temporaryFolder('fake-cluster');
    stops.push(async () => removeFolder(folder));
    for (const server of await playNodes(control.kubeconfig, folder)) stops.push(() => server.stop());
    await prepare(control.kubeconfig, join(folder, 'kwok.log'));
    return { kubeconfig: control.kubeconfig, kafka: kafka.bootstrapServers, redis: redis.url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function playNodes(kubeconfig: string, folder: string): Promise<Server[]> {
  const binaries = await ensureBinaries(['kube-scheduler', 'kwok']);
  const config = join(folder, 'scheduler.yaml');
  writeFileSync(config, stringify(schedulerConfig(kubeconfig)));
  const port = await freePort();
  const scheduler = createServer({
    command: {
      name: 'kube-scheduler',
      command: binaries['kube-scheduler'],
      args: flags({
        config,
        'secure-port': port,
        'bind-address': '127.0.0.1',
        'cert-dir': folder,
        'authentication-skip-lookup': true,
      }),
      cwd: folder,
      logFile: join(folder, 'scheduler.log'),
    },
    ready: async () => true,
  });
  const kwok = createServer({
    command: {
      name: 'kwok',
      command: binaries.kwok,
      args: [
        ...flags({ kubeconfig, 'manage-all-nodes': true, 'node-lease-duration-seconds': 40 }),
        '--cidr=10.128.0.1/9',
        `--config=${join(import.meta.dirname, 'kwok-stages.yaml')}`,
      ],
      cwd: folder,
      logFile: join(folder, 'kwok.log'),
    },
    ready: async () => true,
  });
  await Promise.all([scheduler.start(), kwok.start()]);
  return [scheduler, kwok];
}

async function prepare(kubeconfig: string, kwokLog: string): Promise<void> {
  const kubectl = await ensureBinary('kubectl');
  const common = ['--kubeconfig', kubeconfig];
  await run(kubectl, [...common, 'apply', '--server-side', '-f', join(root, 'charts/causeway/crds')]);
  await waitFor('the CRDs are served', async () => {
    await run(kubectl, [...common, 'get', 'messageplatforms,zonefailovers', '-A']);
    return true;
  });
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const core = config.makeApiClient(CoreV1Api);
  const allocatable = { cpu: '1000', memory: '4000Gi', pods: '100000' };
  for (const zone of ZONES) {
    const labels = { 'topology.kubernetes.io/zone': zone, 'kubernetes.io/os': 'linux' };
    await core.createNode({
      body: { metadata: { name: `node-${zone}`, labels }, status: { capacity: allocatable, allocatable } },
    });
  }
  const allReady = async (): Promise<boolean> => {
    const { items } = await core.listNode();
    const ready = items.filter((node) =>
      node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True'),
    );
    return ready.length === ZONES.length;
  };
  try {
    await waitFor('three nodes Ready', allReady);
  } catch (error) {
    throw new Error(`kwok does not make nodes Ready; its log ends with:\n${tailOf(kwokLog)}`, {
      cause: error,
    });
  }
}
