/** What makes pods of Deployments and StatefulSets, runs them, and takes them away; and the Redis inside them. */
import { createHash } from 'node:crypto';
import { ANNOTATION, COMPONENT, LABEL, SECRET_KEY, ZONE_TOPOLOGY_LABEL } from '@causeway/crds';
import { decodeSecret, inspectCertificate } from '../certificates/index.ts';
import { keyOf, refOf } from '../controller/keys.ts';
import type { KubeObject, ObjectRef, ResourceKind } from '../controller/kube-api.ts';
import { KIND } from '../platform/kinds.ts';
import type { Change, FakeKube } from './fake-kube.ts';
import type { FakeRedis } from './fake-redis.ts';
import { copy, isRecord, type Json } from './json.ts';
import type { VirtualTime } from './virtual-time.ts';
import type { ZoneOutage } from './zone-outage.ts';

const WRITER = { manager: 'kubelets' };
const STATUS_WRITER = { manager: 'kubelets', subresource: 'status' } as const;
/** Label with the hash of the template that a pod was made from. */
const TEMPLATE_LABEL = 'pod-template-hash';
/** Time from a change to when a controller acts on it, milliseconds. */
const REACTION_MS = 15;
/** Time that a pod takes to be ready, and to end; milliseconds. */
const START_MS = 1_500;
const END_MS = 400;
/** Time from an annotation to what a gateway makes of it, as measured in the lab; milliseconds. */
const HEED_MS = 300;
/** Time between two looks for a volume that isn't there yet, milliseconds. */
const MOUNT_RETRY_MS = 700;

interface Workload extends KubeObject {
  spec: {
    replicas: number;
    strategy?: { type: string };
    template: { metadata: { labels: Record<string, string> }; spec: Json };
  };
}

interface Pod extends KubeObject {
  spec: Json;
  status?: { conditions?: { type: string; status: string }[]; containerStatuses?: Json[] };
}

export class Kubelets {
  readonly #time: VirtualTime;
  readonly #kube: FakeKube;
  readonly #redis: FakeRedis;
  readonly #outage: ZoneOutage;
  readonly #dirty = new Set<string>();
  /** Since when a gateway is told to be empty, by UID. */
  readonly #told = new Map<string, number>();
  #pods: number;

  constructor(
    time: VirtualTime,
    { kube, redis, outage }: { kube: FakeKube; redis: FakeRedis; outage: ZoneOutage },
    pods = 0,
  ) {
    this.#time = time;
    this.#outage = outage;
    this.#kube = kube;
    this.#redis = redis;
    this.#pods = pods;
    kube.onChange((change) => this.#changed(change));
    outage.onChange((zone) => this.#outageChanged(zone));
  }

  /** Pods made so far: names are never used twice. */
  get podsMade(): number {
    return this.#pods;
  }

  #changed({ kind, before, after }: Change): void {
    if (kind === KIND.deployment || kind === KIND.statefulSet) {
      if (after !== undefined) this.#mark(kind, refOf(after));
    } else if (kind === KIND.pod) {
      const pod = after ?? before;
      if (pod !== undefined) this.#markOwner(pod);
      if (before !== undefined && after !== undefined) this.#heed(before, after);
      if (after !== undefined && before === undefined)
        this.#time.after(REACTION_MS, () => this.#start(refOf(after), after.metadata.uid));
      if (after?.metadata.deletionTimestamp !== undefined && before?.metadata.deletionTimestamp === undefined)
        this.#end(after);
    }
  }

  /** Since when a gateway is told to be empty; undefined: it is to serve. */
  toldSince(uid: string | undefined): number | undefined {
    return this.#told.get(uid ?? '');
  }

  /** A gateway that is told to be empty is not ready, a moment later. */
  #heed(before: KubeObject, after: KubeObject): void {
    const told = after.metadata.annotations?.[ANNOTATION.drain];
    if (before.metadata.annotations?.[ANNOTATION.drain] === told) return;
    const { uid = '' } = after.metadata;
    this.#time.after(HEED_MS, () => {
      const pod = this.#kube.get(KIND.pod, refOf(after)) as Pod | undefined;
      if (pod?.metadata.uid !== uid || pod.metadata.annotations?.[ANNOTATION.drain] !== told) return;
      if (told === undefined) this.#told.delete(uid);
      else if (!this.#told.has(uid)) this.#told.set(uid, this.#time.now);
      this.#setReady(pod);
    });
  }

  /** A zone that goes takes its node and its pods along, as the API server hears of it. */
  #outageChanged(zone: string): void {
    const isDown = this.#outage.isDown(zone);
    for (const { object } of this.#kube.all(KIND.node)) {
      if (object.metadata.labels?.[ZONE_TOPOLOGY_LABEL] !== zone) continue;
      const status = { conditions: [{ type: 'Ready', status: isDown ? 'Unknown' : 'True' }] };
      this.#kube.edit(KIND.node, refOf(object), (node) => ({ ...node, status }), STATUS_WRITER);
    }
    for (const { object } of this.#kube.all(KIND.pod))
      if (object.metadata.labels?.[LABEL.zone] === zone) this.#setReady(object as Pod);
  }

  #setReady(pod: Pod): void {
    if (pod.status?.conditions?.some(({ type }) => type === 'Ready') !== true) return;
    const isDown = this.#outage.isDown(pod.metadata.labels?.[LABEL.zone]);
    const ready = !isDown && !this.#told.has(pod.metadata.uid ?? '');
    this.#setStatus(refOf(pod), { ...pod.status, conditions: running(pod, ready).conditions });
  }

  #markOwner(pod: KubeObject): void {
    const owner = pod.metadata.ownerReferences?.[0];
    const kind = owner?.kind === 'Deployment' ? KIND.deployment : KIND.statefulSet;
    if (owner !== undefined) this.#mark(kind, { ...refOf(pod), name: owner.name });
  }

  #mark(kind: ResourceKind, ref: ObjectRef): void {
    const key = `${kind.kind} ${keyOf(ref)}`;
    if (this.#dirty.has(key)) return;
    this.#dirty.add(key);
    this.#time.after(REACTION_MS, () => {
      this.#dirty.delete(key);
      const workload = this.#kube.get(kind, ref) as Workload | undefined;
      if (workload !== undefined) this.#reconcile(kind, workload);
    });
  }

  #reconcile(kind: ResourceKind, workload: Workload): void {
    const pods = this.#podsOf(workload);
    const living = pods.filter((pod) => pod.metadata.deletionTimestamp === undefined);
    const hash = templateHash(workload);
    const updated = living.filter((pod) => pod.metadata.labels?.[TEMPLATE_LABEL] === hash);
    const old = living.filter((pod) => !updated.includes(pod));
    const { replicas } = workload.spec;
    if (kind === KIND.statefulSet) this.#fill(workload, { updated, old });
    else if (workload.spec.strategy?.type === 'Recreate') {
      for (const pod of [...old, ...updated.slice(replicas)]) this.#kube.delete(KIND.pod, refOf(pod));
      const mayMake = old.length === 0 && pods.length === living.length;
      if (mayMake)
        for (let n = updated.length; n < replicas; n += 1)
          this.#make(kind, workload, this.#newName(workload));
    } else this.#roll(workload, { updated, old });
    this.#report(kind, workload, hash);
  }

  /** Pods with fixed names: one that is out of date goes, and comes again under its name once that is free. */
  #fill(workload: Workload, { updated, old }: { updated: Pod[]; old: Pod[] }): void {
    const names = Array.from({ length: workload.spec.replicas }, (_, n) => `${workload.metadata.name}-${n}`);
    const surplus = updated.filter((pod) => !names.includes(pod.metadata.name));
    for (const pod of [...old, ...surplus]) this.#kube.delete(KIND.pod, refOf(pod));
    for (const name of names) {
      const isTaken = this.#kube.get(KIND.pod, { ...refOf(workload), name }) !== undefined;
      if (!isTaken) this.#make(KIND.statefulSet, workload, name);
    }
  }

  #newName({ metadata }: Workload): string {
    this.#pods += 1;
    return `${metadata.name}-${this.#pods}`;
  }

  /** RollingUpdate with maxSurge 1 and maxUnavailable 0. */
  #roll(workload: Workload, { updated, old }: { updated: Pod[]; old: Pod[] }): void {
    const { replicas } = workload.spec;
    const room = old.length === 0 ? replicas : Math.min(replicas, replicas + 1 - old.length);
    for (let n = updated.length; n < room; n += 1)
      this.#make(KIND.deployment, workload, this.#newName(workload));
    const ready = updated.filter(isReady).length;
    const keep = Math.max(0, replicas - ready);
    for (const pod of [...old.slice(keep), ...updated.slice(replicas)])
      this.#kube.delete(KIND.pod, refOf(pod));
  }

  #podsOf({ metadata }: KubeObject): Pod[] {
    return this.#kube
      .all(KIND.pod)
      .map(({ object }) => object as Pod)
      .filter((pod) => pod.metadata.ownerReferences?.some(({ uid }) => uid === metadata.uid) === true);
  }

  #make(kind: ResourceKind, workload: Workload, podName: string): void {
    const { name, namespace, uid = '' } = workload.metadata;
    const { template } = workload.spec;
    const pod: Pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: podName,
        ...(namespace === undefined ? {} : { namespace }),
        labels: { ...template.metadata.labels, [TEMPLATE_LABEL]: templateHash(workload) },
        ownerReferences: [{ apiVersion: kind.apiVersion, kind: kind.kind, name, uid, controller: true }],
      },
      spec: template.spec,
    };
    this.#kube.create(KIND.pod, copy(pod), WRITER);
  }

  #report(kind: ResourceKind, workload: Workload, hash: string): void {
    const pods = this.#podsOf(workload).filter((pod) => pod.metadata.deletionTimestamp === undefined);
    const ready = pods.filter(isReady).length;
    const status = {
      observedGeneration: workload.metadata.generation,
      replicas: pods.length,
      updatedReplicas: pods.filter((pod) => pod.metadata.labels?.[TEMPLATE_LABEL] === hash).length,
      readyReplicas: ready,
      availableReplicas: ready,
    };
    this.#kube.edit(kind, refOf(workload), (object) => ({ ...object, status }), STATUS_WRITER);
  }

  /** A node takes the pod, once there is one and all that it mounts is there. */
  #start(ref: ObjectRef, uid: string | undefined): void {
    const pod = this.#kube.get(KIND.pod, ref) as Pod | undefined;
    if (pod === undefined || pod.metadata.uid !== uid || pod.metadata.deletionTimestamp !== undefined) return;
    const waits = this.#whyNot(pod);
    if (waits === undefined) {
      const startedAt = new Date(this.#time.now).toISOString();
      const containerStatuses = [{ state: { running: { startedAt } } }];
      this.#setStatus(ref, { ...running(pod, false), containerStatuses });
      const certificate = this.#innerCertificate(pod);
      this.#time.after(START_MS, () => this.#becomeReady(ref, uid, certificate));
      return;
    }
    this.#setStatus(ref, waits);
    this.#time.after(MOUNT_RETRY_MS, () => this.#start(ref, uid));
  }

  #whyNot(pod: Pod): Json | undefined {
    if (!this.#hasNode(zoneOf(pod)) || this.#outage.isDown(zoneOf(pod))) {
      const condition = {
        type: 'PodScheduled',
        status: 'False',
        reason: 'Unschedulable',
        message: 'no node is in the zone',
      };
      return { phase: 'Pending', conditions: [condition] };
    }
    const missing = volumesOf(pod).find(
      ({ kind, name }) => this.#kube.get(kind, { ...refOf(pod), name }) === undefined,
    );
    if (missing === undefined) return undefined;
    return {
      phase: 'Pending',
      conditions: [{ type: 'PodScheduled', status: 'True' }],
      containerStatuses: [{ state: { waiting: { reason: 'ContainerCreating' } } }],
    };
  }

  #hasNode(zone: string | undefined): boolean {
    return this.#kube
      .all(KIND.node)
      .some(({ object }) => object.metadata.labels?.[ZONE_TOPOLOGY_LABEL] === zone);
  }

  #becomeReady(ref: ObjectRef, uid: string | undefined, certificate: string | undefined): void {
    const pod = this.#kube.get(KIND.pod, ref) as Pod | undefined;
    if (pod === undefined || pod.metadata.uid !== uid || pod.metadata.deletionTimestamp !== undefined) return;
    const host = redisHostOf(pod);
    if (host !== undefined)
      this.#redis.start(host, this.#redisConf(pod), { certificate, address: addressOf(pod) });
    const ready = !this.#outage.isDown(zoneOf(pod)) && !this.#told.has(uid ?? '');
    this.#setStatus(ref, { ...running(pod, ready), containerStatuses: pod.status?.containerStatuses });
  }

  #redisConf(pod: Pod): string {
    const volume = volumesOf(pod).find(({ kind }) => kind === KIND.configMap);
    const config = volume && this.#kube.get(KIND.configMap, { ...refOf(pod), name: volume.name });
    return (config as { data?: Record<string, string> } | undefined)?.data?.['redis.conf'] ?? '';
  }

  /** SHA-256 of the certificate that the pod finds in its Secret. */
  #innerCertificate(pod: Pod): string | undefined {
    const volume = volumesOf(pod).find(({ kind }) => kind === KIND.secret);
    const secret = volume && this.#kube.get(KIND.secret, { ...refOf(pod), name: volume.name });
    const data = (secret as { data?: Record<string, string> } | undefined)?.data;
    return inspectCertificate(decodeSecret(data)[SECRET_KEY.cert])?.fingerprint;
  }

  #setStatus(ref: ObjectRef, status: Json): void {
    this.#kube.edit(KIND.pod, ref, (object) => ({ ...object, status }), STATUS_WRITER);
  }

  #end(pod: KubeObject): void {
    const host = redisHostOf(pod);
    if (host !== undefined) this.#redis.stop(host);
    this.#time.after(END_MS, () => this.#kube.removePod(KIND.pod, refOf(pod)));
  }
}

function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}

/** Another one for each pod. */
function addressOf({ metadata }: Pod): string {
  const number = Number(metadata.uid?.slice(-6));
  return `10.1.${Math.floor(number / 250) % 250}.${number % 250}`;
}

function running(pod: Pod, ready: boolean): Json {
  return {
    phase: 'Running',
    podIP: addressOf(pod),
    conditions: [
      { type: 'PodScheduled', status: 'True' },
      { type: 'Ready', status: ready ? 'True' : 'False' },
    ],
  };
}

function templateHash({ spec }: Workload): string {
  return createHash('sha256').update(JSON.stringify(spec.template)).digest('hex').slice(0, 10);
}

/** The zone that the pod's affinity asks for. */
function zoneOf(pod: Pod): string | undefined {
  return /"values":\["([^"]+)"\]/.exec(JSON.stringify(pod.spec.affinity ?? {}))?.[1];
}

function volumesOf(pod: Pod): { kind: ResourceKind; name: string }[] {
  return ((pod.spec.volumes ?? []) as Json[]).flatMap((volume) => {
    if (isRecord(volume.secret)) return [{ kind: KIND.secret, name: String(volume.secret.secretName) }];
    if (isRecord(volume.configMap)) return [{ kind: KIND.configMap, name: String(volume.configMap.name) }];
    return [];
  });
}

/** DNS name of the Redis in the pod; undefined when there is none in it, or a second one that nobody asked for. */
function redisHostOf({ metadata }: KubeObject): string | undefined {
  if (metadata.labels?.[LABEL.component] !== COMPONENT.redis || !metadata.name.endsWith('-0'))
    return undefined;
  return `${metadata.name.slice(0, -2)}.${metadata.namespace ?? ''}.svc`;
}
