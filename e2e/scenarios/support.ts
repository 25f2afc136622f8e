/**
 * e2e/scenarios: tests against the real lab, named `<level>-<what>.lab.ts`. This file is what they share: the lab with
 * the operator in it, and a namespace for each file. Imports e2e/lab, e2e/platform, e2e/tools and @causeway/crds.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, type SuiteContext, type TestContext } from 'node:test';
import kafkajs from 'kafkajs';
import { parseAllDocuments } from 'yaml';
import { LABEL, type MessagePlatformSpec } from '@causeway/crds';
import { getStatus, labKafkaConfig } from '../lab/index.ts';
import {
  buildBundles,
  installOperator,
  Kube,
  loadLabImages,
  OPERATOR_NAMESPACE,
  waitReady,
  type ImageReferences,
} from '../platform/index.ts';
import { createProgress, run, waitFor, type Progress } from '../tools/index.ts';

const root = join(import.meta.dirname, '../..');

/** Room for a busy machine: two cores that run three nodes, three brokers and the tests. */
export const PATIENCE = { timeoutMs: 300_000, intervalMs: 500 } as const;

/** A namespace of its own in a lab with the operator. `kube` and the rest are there from the first test on. */
export interface Scenario {
  readonly namespace: string;
  readonly kube: Kube;
  readonly progress: Progress;
  /** kubectl in the namespace. */
  kubectl(...args: string[]): Promise<string>;
  /** Applies a platform that is like examples/orders.yaml but for what `change` does to its spec. */
  applyPlatform(name: string, change?: (spec: MessagePlatformSpec) => void, into?: string): Promise<void>;
  /** Applies one and waits until it is Ready. */
  readyPlatform(name: string, change?: (spec: MessagePlatformSpec) => void): Promise<void>;
  /** A merge patch on a platform. */
  patchPlatform(name: string, patch: object): Promise<void>;
  waitReady(name: string): Promise<void>;
}

/** What a file needs besides the lab and the operator. */
export interface ScenarioOptions {
  /** Helm values that the operator is upgraded with once the namespace is there, `key=value` each. */
  values?: readonly string[];
  /** Runs before the first test. (Another `before` of the file would not wait for this one.) */
  setUp?: (lab: Scenario) => Promise<unknown>;
}

/** Sets up the lab, the operator and `namespace` before the tests of a file, and removes the namespace after them. */
export function scenario(namespace: string, options: ScenarioOptions = {}): Scenario {
  let kube: Kube | undefined;
  let restore: (() => Promise<void>) | undefined;
  const progress = createProgress();
  const own: Scenario = {
    namespace,
    progress,
    get kube() {
      if (kube === undefined) throw new Error('the lab is not ready yet: use it inside a test');
      return kube;
    },
    kubectl: (...args) => own.kube.kubectl(['-n', namespace, ...args], { timeoutMs: 320_000 }),
    applyPlatform: (name, change, into = namespace) =>
      applyPlatform(own.kube, { name, namespace: into }, change),
    async readyPlatform(name, change) {
      await progress.step(`platform ${name} applied and Ready`, async () => {
        await own.applyPlatform(name, change);
        await own.waitReady(name);
      });
    },
    async patchPlatform(name, patch) {
      await own.kubectl('patch', 'messageplatform', name, '--type=merge', '-p', JSON.stringify(patch));
    },
    waitReady: (name) => waitReady(own.kube, { namespace, name }, PATIENCE),
  };
  before(async () => {
    const { kube: cluster, images } = await readyLab(progress);
    kube = cluster;
    await removeNamespace(own);
    await createNamespace(own);
    if (options.values !== undefined) {
      restore = () => installOperator(cluster, images, { progress, replicas: 2 });
      await installOperator(cluster, images, { progress, replicas: 2, values: options.values });
    }
    await options.setUp?.(own);
  });
  afterEach(async (context: TestContext | SuiteContext) => {
    if ('passed' in context && !context.passed && kube !== undefined) await explain(own);
  });
  after(async () => {
    try {
      if (kube !== undefined) await removeNamespace(own);
    } finally {
      await restore?.();
    }
  });
  return own;
}

/** The lab, with the operator as it is in the working tree. */
async function readyLab(progress: Progress): Promise<{ kube: Kube; images: ImageReferences }> {
  await progress.step('the lab is up', () => run(process.execPath, [join(root, 'e2e/lab/main.ts'), 'up']));
  const kube = new Kube((await getStatus()).kubeconfig);
  const images = await progress.step('images built and on the nodes', async () => {
    await buildBundles();
    return loadLabImages();
  });
  await installOperator(kube, images, { progress, replicas: 2 });
  return { kube, images };
}

async function createNamespace({ kube, namespace }: Scenario): Promise<void> {
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  const items = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'orders-jwt', namespace },
      stringData: { hmac: `only-in-the-test-${namespace}-0123456789abcdef` },
    },
  ];
  for (const item of items) await kube.kubectl(['apply', '-f', '-'], { input: JSON.stringify(item) });
}

/** Takes away all that a file made, in the cluster and in Kafka; nothing there is no error. */
async function removeNamespace({ kube, namespace, progress }: Scenario): Promise<void> {
  if ((await kube.find(['get', 'namespace', namespace])) === undefined) return;
  const platforms = await platformNames(kube, namespace);
  await progress.step(`namespace ${namespace} removed`, async () => {
    for (const name of platforms)
      await kube.kubectl(['-n', namespace, 'annotate', 'mp', name, 'causeway.dev/abandon-topics=true']);
    // First of all, while the operator surely has its rights in the namespace.
    await kube.kubectl(['-n', namespace, 'delete', 'mp', '--all', '--timeout=290s'], { timeoutMs: 300_000 });
    await kube.kubectl(['delete', 'namespace', namespace, '--timeout=290s'], { timeoutMs: 300_000 });
    await withKafka(async (admin) => {
      const made = (await admin.listTopics()).filter((topic) =>
        platforms.some((name) => topic.startsWith(`${name}.`)),
      );
      if (made.length > 0) await admin.deleteTopics({ topics: made });
    });
  });
}

async function platformNames(kube: Kube, namespace: string): Promise<string[]> {
  const { items } = await kube.json<{ items: { metadata: { name: string } }[] }>([
    '-n',
    namespace,
    'get',
    'messageplatforms',
  ]);
  return items.map(({ metadata }) => metadata.name);
}

async function applyPlatform(
  kube: Kube,
  metadata: { name: string; namespace: string },
  change: (spec: MessagePlatformSpec) => void = () => undefined,
): Promise<void> {
  const text = readFileSync(join(root, 'examples/orders.yaml'), 'utf8');
  const platform = parseAllDocuments(text)
    .map((document) => document.toJS() as { kind: string; metadata: object; spec: MessagePlatformSpec })
    .find(({ kind }) => kind === 'MessagePlatform');
  if (platform === undefined) throw new Error('examples/orders.yaml has no MessagePlatform');
  platform.metadata = metadata;
  change(platform.spec);
  await kube.kubectl(['apply', '-f', '-'], { input: JSON.stringify(platform) });
}

/** What a person needs to see why a test failed. */
async function explain({ kube, namespace }: Scenario): Promise<void> {
  const questions = [
    ['-n', namespace, 'get', 'messageplatforms', '-o', 'yaml'],
    ['-n', namespace, 'get', 'pods', '-o', 'wide'],
    ['-n', namespace, 'get', 'events', '--sort-by=.metadata.creationTimestamp'],
    ['-n', OPERATOR_NAMESPACE, 'get', 'pods', '-o', 'wide'],
    ['-n', OPERATOR_NAMESPACE, 'logs', '-l', `${LABEL.component}=operator`, '--tail=40', '--prefix'],
    ['-n', namespace, 'logs', '-l', `${LABEL.component}=gateway`, '--tail=15', '--prefix'],
  ];
  for (const question of questions) {
    console.error(`\n--- kubectl ${question.join(' ')}`);
    // The answers are a help beside the failure; one that cannot be had must not hide it.
    const answer = await kube.kubectl(question).catch((error: unknown) => String(error));
    console.error(answer.split('\n').slice(-150).join('\n'));
  }
}

/** Speaks to the lab's Kafka as an administrator, from the host. */
export async function withKafka<T>(work: (admin: kafkajs.Admin) => Promise<T>): Promise<T> {
  const config = await labKafkaConfig();
  const admin = new kafkajs.Kafka({ ...config, logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

/** Waits for something on the lab with the patience that a busy machine needs. */
export function eventually<T>(
  what: string,
  condition: () => Promise<T | undefined | false>,
  timeoutMs: number = PATIENCE.timeoutMs,
): Promise<T> {
  return waitFor(what, condition, { timeoutMs, intervalMs: 300 });
}
