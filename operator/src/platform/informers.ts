/** What the platform reconciler follows in Kubernetes, and how a change there leads to a platform. */
import { LABEL } from '@causeway/crds';
import type { Clock } from '../controller/clock.ts';
import { namedByLabel, type Controller } from '../controller/controller.ts';
import { Informer } from '../controller/informer.ts';
import { InformerSet } from '../controller/informer-set.ts';
import { keyOf, refOf } from '../controller/keys.ts';
import type { KubeApi, KubeObject, ResourceKind } from '../controller/kube-api.ts';
import type { Logger } from '../controller/log.ts';
import type { EngineMetrics } from '../controller/metrics.ts';
import { byNamespacedLabel } from '../controller/object-cache.ts';
import type { WriteLedger } from '../controller/write-ledger.ts';
import { CHILD_KINDS, KIND } from './kinds.ts';
import { trimNode, trimPod } from './trim.ts';
import type { PlatformCache } from './world.ts';

/** Index of objects by `namespace/name` of the platform in their label. */
const BY_PLATFORM = 'platform';

export interface InformersOptions {
  api: KubeApi;
  clock: Clock;
  log?: Logger;
  metrics?: EngineMetrics;
  /** Namespaces to work in; empty: all. */
  namespaces?: readonly string[];
}

/** An informer for each kind that the platform reconciler reads. Of pods and children only those with our label. */
export function platformInformers({ namespaces = [], ...options }: InformersOptions): InformerSet {
  const informers = new InformerSet();
  informers.add(new Informer({ ...options, kind: KIND.platform, namespaces }));
  informers.add(new Informer({ ...options, kind: KIND.node, trim: trimNode }));
  const ours = {
    ...options,
    namespaces,
    labelSelector: LABEL.platform,
    indexers: { [BY_PLATFORM]: byNamespacedLabel(LABEL.platform) },
  };
  for (const kind of CHILD_KINDS) informers.add(new Informer({ ...ours, kind }));
  informers.add(new Informer({ ...ours, kind: KIND.pod, trim: trimPod }));
  return informers;
}

/** The cache as the reconciler sees it. */
export function platformCache(informers: InformerSet, ledger: WriteLedger): PlatformCache {
  const informer = (kind: ResourceKind): Informer => {
    const found = informers.find(kind);
    if (found === undefined) throw new Error(`no informer follows ${kind.kind}`);
    return found;
  };
  return {
    get: (kind, ref) => informer(kind).get(ref),
    ofPlatform: (kind, ref) => informer(kind).byIndex(BY_PLATFORM, keyOf(ref)),
    all: (kind) => informer(kind).list(),
    hasSeenOurWrites: (kind, ref) => ledger.cacheHasSeen(kind, ref),
  };
}

/** Every change of a platform, of what it owns, and of a zone's nodes leads to a reconcile. */
export function watchPlatforms(controller: Controller, informers: InformerSet): void {
  const platforms = informers.find(KIND.platform);
  const nodes = informers.find(KIND.node);
  if (platforms === undefined || nodes === undefined) throw new Error('platforms and nodes must be followed');
  controller.watches(platforms, (object) => [refOf(object)]);
  for (const kind of [...CHILD_KINDS, KIND.pod]) {
    const informer = informers.find(kind);
    if (informer !== undefined) controller.watches(informer, namedByLabel(LABEL.platform));
  }
  nodes.onChange({
    add: () => enqueueAll(controller, platforms),
    delete: () => enqueueAll(controller, platforms),
    update: (before, after) => {
      // A node's status changes every few seconds; only its zone and its readiness matter here.
      if (nodeDigest(before) !== nodeDigest(after)) enqueueAll(controller, platforms);
    },
  });
}

function enqueueAll(controller: Controller, platforms: Informer): void {
  for (const platform of platforms.list()) controller.enqueue(refOf(platform));
}

function nodeDigest(node: KubeObject): string {
  const { status } = node as { status?: { conditions?: { type: string; status: string }[] } };
  const ready = status?.conditions?.find((condition) => condition.type === 'Ready')?.status;
  return JSON.stringify([ready, node.metadata.labels]);
}
