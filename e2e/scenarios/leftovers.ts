/** What is in a scenario's namespace besides what the scenario itself put there: all kinds, by any label or owner. */
import type { Scenario } from './support.ts';

interface KubeObject {
  kind: string;
  metadata: { name: string };
}

/** What every namespace has, and what the scenario made itself. */
const OURS = new Set([
  'ConfigMap/kube-root-ca.crt',
  'ServiceAccount/default',
  'Secret/orders-jwt',
  'Pod/etcd-client',
]);

/** Events are a record of what happened, and expire by themselves; metrics are no objects. */
const NO_OBJECTS = /^(events(\..*)?|.*\.metrics\.k8s\.io)$/;

/** Every object in the namespace that belongs to the platform or starts with its name, as `Kind/name`, sorted. */
export async function leftOf(lab: Scenario, platform: string): Promise<string[]> {
  const resources = await lab.kube.kubectl(['api-resources', '--namespaced', '--verbs=list', '-o', 'name']);
  const kinds = resources
    .trim()
    .split('\n')
    .filter((kind) => !NO_OBJECTS.test(kind));
  const { items } = await lab.kube.json<{ items: KubeObject[] }>([
    '-n',
    lab.namespace,
    'get',
    kinds.join(','),
  ]);
  return items
    .filter((object) => !OURS.has(`${object.kind}/${object.metadata.name}`))
    .filter((object) => JSON.stringify(object).includes(platform))
    .map(({ kind, metadata }) => `${kind}/${metadata.name}`)
    .sort();
}
