/** The lab with the operator in it, and a platform of the benchmarks' own there. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { getStatus } from '../../lab/index.ts';
import { buildBundles, installOperator, Kube, loadLabImages } from '../../platform/index.ts';
import { createProgress, run } from '../../tools/index.ts';

const root = join(import.meta.dirname, '../../..');

/** Name of the platform, and of its namespace. */
export const BENCH = { namespace: 'bench', name: 'bench' } as const;

/** Brings up the lab and the operator as they are in the working tree; `asIs`: takes what runs. */
export async function readyLab({ asIs }: { asIs: boolean }): Promise<Kube> {
  if (!asIs) {
    const progress = createProgress();
    await progress.step('the lab is up', () => run(process.execPath, [join(root, 'e2e/lab/main.ts'), 'up']));
    await buildBundles();
    const images = await progress.step('images built and on the nodes', loadLabImages);
    const kube = new Kube((await getStatus()).kubeconfig);
    await installOperator(kube, images, { progress });
  }
  const status = await getStatus();
  if (!status.up) throw new Error('the lab is not up: leave --as-is out, or run: make up');
  return new Kube(status.kubeconfig);
}

interface Document {
  kind: string;
  metadata: { name: string; namespace?: string };
  spec?: PlatformSpec;
}

/** As much of a platform's spec as benchmarks change. */
export interface PlatformSpec {
  gateway: {
    runtime: string;
    replicasPerZone: number;
    heartbeat?: { interval: string; timeout: string };
  };
  kafka: { deletionPolicy: string };
  tls?: object;
  failover?: { automatic: boolean; drainPerSecond: number; unhealthyAfter?: string };
}

/** examples/orders.yaml under another name, whose topics go with it. `change`: what else differs. */
export function platformManifest(
  runtime: 'Bun' | 'Node',
  change: (spec: PlatformSpec) => void = () => undefined,
): string {
  const text = readFileSync(join(root, 'examples/orders.yaml'), 'utf8');
  const documents = parseAllDocuments(text).map((document) => document.toJS() as Document);
  for (const { kind, metadata, spec } of documents) {
    if (kind === 'Namespace') metadata.name = BENCH.namespace;
    else metadata.namespace = BENCH.namespace;
    if (kind !== 'MessagePlatform' || spec === undefined) continue;
    metadata.name = BENCH.name;
    spec.gateway.runtime = runtime;
    spec.kafka.deletionPolicy = 'Delete';
    change(spec);
  }
  return documents.map((document) => stringify(document)).join('---\n');
}

/** Takes away the platform, its topics, its volumes and its namespace; nothing there is no error. */
export async function removePlatform(kube: Kube): Promise<void> {
  const { namespace, name } = BENCH;
  if ((await kube.find(['get', 'namespace', namespace])) === undefined) return;
  // First of all, while the operator surely has its rights in the namespace.
  await kube.kubectl(
    ['-n', namespace, 'delete', 'messageplatform', name, '--ignore-not-found', '--timeout=290s'],
    { timeoutMs: 300_000 },
  );
  await kube.kubectl(['delete', 'namespace', namespace, '--timeout=290s'], { timeoutMs: 300_000 });
}
