/** Watches a platform come up, from outside: when was each thing first seen. */
import { AppsV1Api, CoreV1Api, CustomObjectsApi, KubeConfig } from '@kubernetes/client-node';
import type { V1Pod } from '@kubernetes/client-node';
import { COMPONENT, LABEL } from '@causeway/crds';
import { waitFor } from '../../tools/index.ts';
import { BENCH } from '../common/lab.ts';

/** Time between two looks; what is seen may be older by so much. */
const LOOK_MS = 100;
/** Redis, etcd and gateways in three zones, replicators in two. */
const WORKLOADS = 11;
const PARTS = [COMPONENT.redis, COMPONENT.etcd, COMPONENT.replicator, COMPONENT.gateway];

interface Platform {
  metadata: { generation: number };
  status?: { observedGeneration?: number; conditions?: { type: string; status: string }[] };
}

/** Seconds since the beginning at which each was first seen. */
export type Timeline = Record<string, number>;

/** Looks until the platform is Ready. `began`: `performance.now()` of the beginning. */
export async function followUntilReady(
  kubeconfig: string,
  began: number,
  timeoutMs: number,
): Promise<Timeline> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const core = config.makeApiClient(CoreV1Api);
  const apps = config.makeApiClient(AppsV1Api);
  const custom = config.makeApiClient(CustomObjectsApi);
  const seen: Timeline = {};
  const note = (what: string, happened: boolean): void => {
    if (happened) seen[what] ??= (performance.now() - began) / 1000;
  };
  const where = { namespace: BENCH.namespace, labelSelector: `${LABEL.platform}=${BENCH.name}` };
  await waitFor(
    'the platform to be Ready',
    async () => {
      const [platform, deployments, sets, pods] = await Promise.all([
        custom.getNamespacedCustomObject({
          group: 'causeway.dev',
          version: 'v1alpha1',
          plural: 'messageplatforms',
          ...BENCH,
        }) as Promise<Platform>,
        apps.listNamespacedDeployment(where),
        apps.listNamespacedStatefulSet(where),
        core.listNamespacedPod(where),
      ]);
      const workloads = deployments.items.length + sets.items.length;
      note('first status', platform.status?.observedGeneration === platform.metadata.generation);
      note('first workload made', workloads > 0);
      note('all objects made', workloads === WORKLOADS);
      notePods(pods.items, note);
      const conditions = platform.status?.conditions ?? [];
      for (const { type, status } of conditions) note(type, status === 'True' && type.endsWith('Ready'));
      return seen['Ready'] !== undefined;
    },
    { timeoutMs, intervalMs: LOOK_MS },
  );
  return seen;
}

function notePods(pods: readonly V1Pod[], note: (what: string, happened: boolean) => void): void {
  note('first pod made', pods.length > 0);
  note('first pod ready', pods.some(isReady));
  for (const part of PARTS) {
    const own = pods.filter((pod) => pod.metadata?.labels?.[LABEL.component] === part);
    const wanted = part === COMPONENT.replicator ? 2 : 3;
    note(`${part} pods made`, own.length >= wanted);
    note(`${part} pods ready`, own.length >= wanted && own.every(isReady));
  }
}

function isReady(pod: V1Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}
