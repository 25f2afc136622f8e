/** A platform of our own in the lab, apart from whatever else runs there. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { paths } from '../../lab/config.ts';
import { gatewayPods, Kube, platformAccess, tokenFor, waitReady } from '../../platform/index.ts';
import { WEBSOCKET_PATH } from '@causeway/crds';
import type { Contestant } from './contestants.ts';

const root = join(import.meta.dirname, '../../..');
const NAME = 'bench';

/** Applies examples/orders.yaml as `bench/bench` with that runtime; the lab must be up and the operator installed. */
export async function labPlatform(runtime: 'Bun' | 'Node'): Promise<Contestant> {
  const kube = new Kube(paths.kubeconfig());
  const platform = { namespace: NAME, name: NAME };
  const stop = async (): Promise<void> => {
    await kube.kubectl(['delete', 'namespace', NAME, '--ignore-not-found', '--wait=true'], {
      timeoutMs: 300_000,
    });
  };
  await stop();
  await kube.kubectl(['apply', '-f', '-'], { input: manifest(runtime) });
  try {
    await waitReady(kube, platform, { timeoutMs: 300_000 });
    const access = await platformAccess(kube, NAME, NAME);
    const token = await tokenFor(access, 'bench', { tier: 'vip' });
    const pods = await gatewayPods(kube, platform);
    return {
      name: `causeway on ${runtime}`,
      doors: pods.map(({ zone, host, port }) => ({
        zone,
        access: {
          url: `wss://${host}:${port}${WEBSOCKET_PATH}`,
          ca: access.ca,
          servername: access.servername,
          token,
        },
      })),
      usage: () => ({ cpuSeconds: 0, rssMiB: 0 }),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Document {
  kind: string;
  metadata: { name: string; namespace?: string };
  spec?: { gateway: { runtime: string; auth: object }; kafka: { deletionPolicy: string } };
}

/** examples/orders.yaml under another name, whose topics go with it. */
function manifest(runtime: string): string {
  const text = readFileSync(join(root, 'examples/orders.yaml'), 'utf8');
  const documents = parseAllDocuments(text).map((document) => document.toJS() as Document);
  for (const { kind, metadata, spec } of documents) {
    if (kind === 'Namespace') metadata.name = NAME;
    else metadata.namespace = NAME;
    if (kind !== 'MessagePlatform' || spec === undefined) continue;
    metadata.name = NAME;
    spec.gateway.runtime = runtime;
    spec.kafka.deletionPolicy = 'Delete';
  }
  return documents.map((document) => stringify(document)).join('---\n');
}
