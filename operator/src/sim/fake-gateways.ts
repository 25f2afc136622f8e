/** Gateways and replicators as their admin endpoints answer: a few clients each, which go when they are told to. */
import { ANNOTATION, LABEL, type DrainState, type ZoneView } from '@causeway/crds';
import type { KubeObject } from '../controller/kube-api.ts';
import type { GatewayProbe } from '../platform/gateway-probe.ts';
import { KIND } from '../platform/kinds.ts';
import type { MessagePlatform } from '../platform/types.ts';
import type { FakeEtcd } from './fake-etcd.ts';
import type { FakeKube } from './fake-kube.ts';
import type { Network } from './network.ts';
import type { SimProcess } from './sim-process.ts';
import type { VirtualTime } from './virtual-time.ts';
import type { ZoneOutage } from './zone-outage.ts';

/** Clients of each gateway. */
const CLIENTS = 20;
/** Time between the end of readiness and the first client that goes, milliseconds. */
const NOTICE_MS = 600;

interface Cluster {
  kube: FakeKube;
  etcd: FakeEtcd;
  time: VirtualTime;
  outage: ZoneOutage;
  platform: MessagePlatform | undefined;
  /** Since when a pod is told to be empty, by UID; milliseconds since the epoch. */
  toldSince(uid: string | undefined): number | undefined;
}

function podAt({ kube, outage }: Cluster, host: string): KubeObject {
  const pod = kube
    .all(KIND.pod)
    .map(({ object }) => object)
    .find((object) => (object as { status?: { podIP?: string } }).status?.podIP === host);
  if (pod === undefined || outage.isDown(pod.metadata.labels?.[LABEL.zone]))
    throw new Error(`connect ETIMEDOUT ${host}`);
  return pod;
}

function drainOf(cluster: Cluster, host: string): DrainState {
  const { uid, annotations } = podAt(cluster, host).metadata;
  const since = cluster.toldSince(uid);
  const perSecond = Number(annotations?.[ANNOTATION.drain]);
  if (since === undefined || !(perSecond > 0)) return { phase: 'Serving', connections: CLIENTS, sent: 0 };
  const passed = Math.max(0, cluster.time.now - since - NOTICE_MS);
  const sent = Math.min(CLIENTS, Math.floor((passed * perSecond) / 1_000));
  const phase = passed === 0 ? 'Noticing' : sent < CLIENTS ? 'Draining' : 'Drained';
  return { phase, perSecond, connections: CLIENTS - sent, atStart: CLIENTS, sent };
}

/** Which other zones a gateway reaches. */
function viewOf(cluster: Cluster, host: string): ZoneView {
  const zone = podAt(cluster, host).metadata.labels?.[LABEL.zone] ?? '';
  const others = cluster.platform?.spec.zones.map(({ name }) => name).filter((name) => name !== zone) ?? [];
  const seen = others.map((name) => {
    const unreachableMs = cluster.outage.downMs(name);
    return { zone: name, reachable: unreachableMs === 0 ? 1 : 0, total: 1, unreachableMs };
  });
  return { zone, seen };
}

/** The pods as one process sees them. */
export function fakeGateways(cluster: Cluster, network: Network, process: SimProcess): GatewayProbe {
  const call = <T>(verb: string, what: string, answer: () => T): Promise<T> =>
    network.call({ process, target: 'gateway', verb, what, mutates: false }, answer);
  return {
    drain: (host) => call('drain', host, () => drainOf(cluster, host)),
    zones: (host) => call('zones', host, () => viewOf(cluster, host)),
    replication: (host) =>
      call('replication', host, () => {
        const zone = podAt(cluster, host).metadata.labels?.[LABEL.zone] ?? '';
        const done = cluster.platform && cluster.etcd.replicated(cluster.platform, zone);
        if (done === undefined) return { phase: 'Connecting', reason: 'alone', epoch: 0, lagSeconds: 1 };
        const revision = String(done.revision);
        const lag = { sourceRevision: revision, lagRevisions: 0, lagSeconds: 0 };
        return { phase: 'Following', reason: '', epoch: done.epoch, revision, ...lag };
      }),
  };
}
