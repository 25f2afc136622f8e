/** How the workloads of a platform are doing: facts read off Deployments, StatefulSets, Pods and Nodes. Pure. */
import { COMPONENT, LABEL, ZONE_TOPOLOGY_LABEL } from '@causeway/crds';
import type { KubeObject } from '../controller/kube-api.ts';
import type { MessagePlatform, Part, Problem } from './types.ts';

/** A Deployment or StatefulSet, as much as we read of it. */
export interface Workload extends KubeObject {
  spec?: { replicas?: number };
  status?: {
    observedGeneration?: number;
    replicas?: number;
    updatedReplicas?: number;
    readyReplicas?: number;
  };
}

/** A Pod, as much as we read of it. */
export interface Pod extends KubeObject {
  status?: {
    phase?: string;
    podIP?: string;
    conditions?: { type: string; status: string; reason?: string; message?: string }[];
    containerStatuses?: {
      state?: { waiting?: { reason?: string; message?: string }; running?: { startedAt?: string } };
    }[];
  };
}

/** A Node, as much as we read of it. */
export interface Node extends KubeObject {
  spec?: { unschedulable?: boolean };
  status?: { conditions?: { type: string; status: string }[] };
}

/** What is in one zone. */
export interface ZoneFacts {
  name: string;
  /** Ready nodes. */
  nodes: number;
  gateways: Readiness;
  redis: Readiness;
  etcd: Readiness;
  replicator: Readiness;
}

export interface Readiness {
  /** The workload exists. */
  exists: boolean;
  desired: number;
  ready: number;
  /** Every pod is of the latest template and ready. */
  settled: boolean;
}

/** Whether an object is of a platform's part in a zone. */
export function isOf({ metadata: { labels } }: KubeObject, component: string, zone: string): boolean {
  return labels?.[LABEL.component] === component && labels[LABEL.zone] === zone;
}

const ABSENT: Readiness = { exists: false, desired: 0, ready: 0, settled: false };

/** Readiness of one workload. */
export function readiness(workload: Workload | undefined): Readiness {
  if (workload === undefined) return ABSENT;
  const desired = workload.spec?.replicas ?? 1;
  const {
    observedGeneration = 0,
    replicas = 0,
    updatedReplicas = 0,
    readyReplicas = 0,
  } = workload.status ?? {};
  const settled =
    observedGeneration >= (workload.metadata.generation ?? 0) &&
    updatedReplicas === desired &&
    readyReplicas === desired &&
    replicas === desired;
  return { exists: true, desired, ready: Math.min(readyReplicas, desired), settled };
}

/** Facts of each zone of the spec, from the platform's own workloads and all nodes. */
export function zoneFacts(
  platform: MessagePlatform,
  workloads: readonly Workload[],
  nodes: readonly Node[],
): ZoneFacts[] {
  return platform.spec.zones.map(({ name }) => {
    const of = (component: string): Readiness =>
      readiness(workloads.find((workload) => isOf(workload, component, name)));
    return {
      name,
      nodes: nodesIn(name, nodes),
      gateways: of(COMPONENT.gateway),
      redis: of(COMPONENT.redis),
      etcd: of(COMPONENT.etcd),
      replicator: of(COMPONENT.replicator),
    };
  });
}

/** Ready nodes of a zone. */
export function nodesIn(zone: string, nodes: readonly Node[]): number {
  return nodes.filter((node) => node.metadata.labels?.[ZONE_TOPOLOGY_LABEL] === zone && isReady(node)).length;
}

function isReady(object: Node | Pod): boolean {
  return (
    object.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false
  );
}

/** When the pod's container started, milliseconds since the epoch; 0 while it does not run. */
export function startedAt(pod: Pod): number {
  return Date.parse(pod.status?.containerStatuses?.[0]?.state?.running?.startedAt ?? '') || 0;
}

/** True when the pod is ready and not on its way out. */
export function isServing(pod: Pod): boolean {
  return isReady(pod) && pod.metadata.deletionTimestamp === undefined;
}

const PART_OF: Readonly<Record<string, Part>> = {
  [COMPONENT.gateway]: 'Gateways',
  [COMPONENT.redis]: 'Redis',
  [COMPONENT.etcd]: 'Etcd',
  [COMPONENT.replicator]: 'Replication',
};

/** Zones of the spec that no node is in: nothing can run there until one is. */
export function zoneProblems(platform: MessagePlatform, nodes: readonly Node[]): Problem[] {
  const known = new Set(nodes.map((node) => node.metadata.labels?.[ZONE_TOPOLOGY_LABEL]));
  const unknown = platform.spec.zones.map((zone) => zone.name).filter((zone) => !known.has(zone));
  if (unknown.length === 0) return [];
  const message = `No node has ${ZONE_TOPOLOGY_LABEL}=${unknown.join(' or ')}. Add nodes there, or take the zone out of spec.zones.`;
  return [{ part: 'Gateways', reason: 'UnknownZone', message, needsPerson: true }];
}

/** Why pods do not come up: no room for them, no image, a crash at each start. The first pod of each cause is named. */
export function podProblems(pods: readonly Pod[]): Problem[] {
  const found = new Map<string, Problem>();
  for (const pod of [...pods].sort((a, b) => a.metadata.name.localeCompare(b.metadata.name))) {
    const part = PART_OF[pod.metadata.labels?.[LABEL.component] ?? ''];
    const cause = causeOf(pod);
    if (part === undefined || cause === undefined || found.has(`${part}/${cause.reason}`)) continue;
    const message = `Pod ${pod.metadata.name}: ${cause.message}`;
    found.set(`${part}/${cause.reason}`, { part, reason: cause.reason, message, needsPerson: false });
  }
  return [...found.values()];
}

/** Waiting reasons that pass by themselves within a normal start. */
const PASSING = new Set(['ContainerCreating', 'PodInitializing']);

function causeOf(pod: Pod): { reason: string; message: string } | undefined {
  const scheduled = pod.status?.conditions?.find((condition) => condition.type === 'PodScheduled');
  if (scheduled?.status === 'False' && scheduled.reason === 'Unschedulable') {
    return { reason: 'Unschedulable', message: scheduled.message ?? 'no node has room for it' };
  }
  for (const container of pod.status?.containerStatuses ?? []) {
    const { reason, message } = container.state?.waiting ?? {};
    if (reason !== undefined && !PASSING.has(reason)) return { reason, message: message ?? reason };
  }
  return undefined;
}
