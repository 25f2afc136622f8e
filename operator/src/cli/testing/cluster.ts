/** A real API server that knows MessagePlatforms, three nodes in three zones, and an operator to run in it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ZONE_TOPOLOGY_LABEL } from '@causeway/crds';
import { ensureBinary } from '../../../../e2e/binaries/index.ts';
import { startControlPlane, type ControlPlane } from '../../../../e2e/harness/index.ts';
import { run, waitFor } from '../../../../e2e/tools/index.ts';
import {
  createMetrics,
  HttpKubeApi,
  loadKubeConfig,
  silentLogger,
  type KubeObject,
} from '../../controller/index.ts';
import { createOperator } from '../../operator.ts';
import { KafkaJsAdmin, keptEtcdAdmins, keptRedisAdmin, KIND, redisAdmin } from '../../platform/index.ts';
import { IMAGES } from '../../platform/testing/orders.ts';

export const NAMESPACE = 'messaging';
export const ZONES = ['zone-a', 'zone-b', 'zone-c'];
const root = join(import.meta.dirname, '../../../..');

/** The JWT Secret of {@link platformYaml}. */
const JWT = `apiVersion: v1
kind: Secret
metadata: { name: orders-jwt, namespace: messaging }
stringData: { hmac: only-for-tests-0123456789abcdef0123456789abcdef }
`;

/** A file with a platform `orders` and its Secret. */
export function platformYaml(bootstrapServers: string, { secret = true }: { secret?: boolean } = {}): string {
  return `${secret ? `${JWT}---\n` : ''}apiVersion: causeway.dev/v1alpha1
kind: MessagePlatform
metadata:
  name: orders
  namespace: messaging
spec:
  zones:
    - name: zone-a
    - name: zone-b
    - name: zone-c
  homeZone: zone-a
  gateway:
    replicasPerZone: 1
    auth: { jwt: { secretRef: { name: orders-jwt } } }
  kafka:
    bootstrapServers: ${bootstrapServers}
    deletionPolicy: Delete
    topics:
      - name: chat
        partitions: 3
        replicationFactor: 1
        config: { retention.ms: "86400000" }
`;
}

/** The cluster and what tests do with it. */
export interface TestCluster {
  controlPlane: ControlPlane;
  api: HttpKubeApi;
  /** kubectl as the administrator; `input` goes to its standard input. */
  kubectl: (args: readonly string[], input?: string) => Promise<string>;
  /** Runs the operator until `until` is true. */
  operate: (until: () => Promise<boolean>) => Promise<void>;
  stop(): Promise<void>;
}

/** Starts it; about six seconds. */
export async function startTestCluster(): Promise<TestCluster> {
  const binary = await ensureBinary('kubectl');
  const controlPlane = await startControlPlane({ audit: true });
  const api = new HttpKubeApi({ load: () => loadKubeConfig({ path: controlPlane.kubeconfig }) });
  const kubectl: TestCluster['kubectl'] = async (args, input) => {
    const all = ['--kubeconfig', controlPlane.kubeconfig, ...args];
    return (await run(binary, all, { timeoutMs: 60_000, ...(input === undefined ? {} : { input }) })).stdout;
  };
  const cluster: TestCluster = {
    controlPlane,
    api,
    kubectl,
    operate: (until) => operate(api, until),
    stop: async () => {
      api.close();
      await controlPlane.stop();
    },
  };
  try {
    await prepare(cluster);
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return cluster;
}

async function prepare({ api, kubectl }: TestCluster): Promise<void> {
  for (const plural of ['messageplatforms', 'zonefailovers', 'drillschedules']) {
    const crd = `${plural}.causeway.dev`;
    await kubectl(['create', '-f', join(root, `crds/${crd}.yaml`)]);
    // Not by `kubectl wait`: it fails at once for one that has no conditions yet.
    await waitFor(`the API serves ${plural}`, async () => {
      await kubectl(['get', crd]);
      return true;
    });
  }
  await kubectl(['create', 'namespace', NAMESPACE]);
  for (const zone of ZONES) {
    const node = parse(
      `{ apiVersion: v1, kind: Node, metadata: { name: node-${zone}, labels: { ${ZONE_TOPOLOGY_LABEL}: ${zone} } } }`,
    ) as KubeObject;
    await api.create(KIND.node, node);
  }
}

async function operate(api: HttpKubeApi, until: () => Promise<boolean>): Promise<void> {
  const kafka = new KafkaJsAdmin();
  const operator = createOperator({
    api,
    kafka,
    redis: redisAdmin,
    moving: { redis: keptRedisAdmin(), etcd: keptEtcdAdmins() },
    images: IMAGES,
    namespaces: [],
    concurrency: 2,
    resyncMs: 1_000,
    lease: undefined,
    identity: 'test',
    log: silentLogger,
    metrics: createMetrics(),
  });
  const stop = new AbortController();
  const running = operator.run(stop.signal);
  try {
    // What is due at the next full minute takes a minute at most.
    await waitFor('the operator has done its work', until, { timeoutMs: 100_000 });
  } finally {
    stop.abort();
    await running;
    await kafka.close();
  }
}

/** Writes in the audit log of a client whose user agent begins so: verb and request URI. */
export function auditedWrites(
  controlPlane: ControlPlane,
  userAgent: string,
): { verb: string; uri: string }[] {
  const lines = readFileSync(controlPlane.auditLog ?? '', 'utf8').split('\n');
  return lines
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { verb: string; requestURI: string; userAgent?: string })
    .filter((entry) => entry.userAgent?.startsWith(userAgent))
    .map(({ verb, requestURI }) => ({ verb, uri: requestURI }));
}
