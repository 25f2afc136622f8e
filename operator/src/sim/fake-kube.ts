/** A Kubernetes API server in memory: objects, versions, owners of fields, finalizers, garbage collection, watches. */
import { keyOf, kindKey, objectKey, refOf } from '../controller/keys.ts';
import {
  KubeError,
  type DeleteOptions,
  type KubeList,
  type KubeObject,
  type ListOptions,
  type ObjectMeta,
  type ObjectRef,
  type ResourceKind,
} from '../controller/kube-api.ts';
import { toRfc3339 } from '../controller/conditions.ts';
import { checkImmutable, withDefaults } from './api-defaults.ts';
import { toManagedFields, type Ownership } from './fields.ts';
import { deepFreeze, mergePatch, sameJson, type Json } from './json.ts';
import { applyOver, ownersAfterUpdate, type Owned } from './server-side-apply.ts';
import type { VirtualTime } from './virtual-time.ts';

/** Something that was stored or removed; `after` undefined: removed. */
export interface Change {
  kind: ResourceKind;
  version: number;
  before: KubeObject | undefined;
  after: KubeObject | undefined;
  /** The object as it was last, with the version of its removal; for watches. */
  last: KubeObject;
}

interface Stored {
  kind: ResourceKind;
  object: KubeObject;
  owners: readonly Ownership[];
}

/** All that is in an API server, to begin another one with. Objects in it never change. */
export interface KubeSnapshot {
  objects: ReadonlyMap<string, Stored>;
  version: number;
  uids: number;
  addresses: number;
}

/** Who writes. `kubelets` stands for all of Kubernetes' own controllers, whose fields nobody asks for. */
export interface Writer {
  manager: string;
  subresource?: 'status';
}

const STATUS_KINDS = new Set([
  'MessagePlatform',
  'ZoneFailover',
  'DrillSchedule',
  'Deployment',
  'StatefulSet',
  'Service',
  'Pod',
  'Node',
  'PodDisruptionBudget',
]);
const GENERATION_KINDS = new Set([
  'MessagePlatform',
  'ZoneFailover',
  'DrillSchedule',
  'Deployment',
  'StatefulSet',
  'PodDisruptionBudget',
  'NetworkPolicy',
]);

export class FakeKube {
  readonly #time: VirtualTime;
  readonly #objects: Map<string, Stored>;
  /** The same by kind. */
  readonly #kinds = new Map<string, Map<string, Stored>>();
  /** Changes by kind, oldest first, for watches that resume. */
  readonly #history = new Map<string, Change[]>();
  readonly #listeners = new Set<(change: Change) => void>();
  #version: number;
  #compacted: number;
  #uids: number;
  #addresses: number;

  constructor(time: VirtualTime, from?: KubeSnapshot) {
    this.#time = time;
    this.#objects = new Map(from?.objects);
    this.#version = from?.version ?? 1000;
    this.#compacted = this.#version;
    this.#uids = from?.uids ?? 0;
    this.#addresses = from?.addresses ?? 0;
    for (const stored of this.#objects.values())
      this.#ofKind(stored.kind).set(keyOf(refOf(stored.object)), stored);
  }

  snapshot(): KubeSnapshot {
    return {
      objects: new Map(this.#objects),
      version: this.#version,
      uids: this.#uids,
      addresses: this.#addresses,
    };
  }

  get version(): string {
    return String(this.#version);
  }

  /** Called after each change. Call what it returns to end it. */
  onChange(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Forgets the history: a watch from an older version gets 410. */
  compact(): void {
    this.#compacted = this.#version;
    this.#history.clear();
  }

  get(kind: ResourceKind, ref: ObjectRef): KubeObject | undefined {
    return this.#objects.get(objectKey(kind, ref))?.object;
  }

  /** Objects of one kind, or of all kinds, in the order of their making. */
  all(kind?: ResourceKind): { kind: ResourceKind; object: KubeObject }[] {
    return [...(kind === undefined ? this.#objects : this.#ofKind(kind)).values()];
  }

  list(kind: ResourceKind, options: ListOptions): KubeList<KubeObject> {
    const items = this.all(kind)
      .map(({ object }) => object)
      .filter((object) => selects(options, object));
    return { resourceVersion: this.version, items };
  }

  /** What a watch from that version has missed. Throws 410 when that is no longer known. */
  changesSince(kind: ResourceKind, version: string): Change[] {
    const from = Number(version);
    if (from < this.#compacted) {
      throw new KubeError(`too old resource version: ${version} (${this.#compacted})`, {
        code: 410,
        reason: 'Expired',
      });
    }
    return (this.#history.get(kindKey(kind)) ?? []).filter((change) => change.version > from);
  }

  create(kind: ResourceKind, object: KubeObject, writer: Writer): KubeObject {
    const ref = refOf(object);
    if (this.get(kind, ref) !== undefined) {
      throw new KubeError(`${kind.plural} "${ref.name}" already exists`, {
        code: 409,
        reason: 'AlreadyExists',
      });
    }
    const given = withoutServerFields(object);
    return this.#store(kind, undefined, {
      object: given,
      owners: ownersAfterUpdate(undefined, given, writer),
    });
  }

  /** Replaces an object, or its status. Fails with a conflict unless it carries the latest version. */
  update(kind: ResourceKind, object: KubeObject, writer: Writer): KubeObject {
    const before = this.#existing(kind, refOf(object));
    const { resourceVersion, uid } = object.metadata;
    if (resourceVersion !== before.object.metadata.resourceVersion)
      throw conflict(kind, before.object, 'the object has been modified');
    checkUid(kind, before.object, uid);
    return this.#write(kind, before, object as unknown as Json, writer);
  }

  /** Changes what is there, whatever it is: for Kubernetes' own controllers and for people. */
  edit(kind: ResourceKind, ref: ObjectRef, change: (object: Json) => Json, writer: Writer): KubeObject {
    const before = this.#existing(kind, ref);
    return this.#write(kind, before, change(before.object as unknown as Json), writer);
  }

  patch(kind: ResourceKind, ref: ObjectRef, patch: Json, writer: Writer): KubeObject {
    const before = this.#existing(kind, ref);
    const { resourceVersion, uid } = (patch.metadata ?? {}) as Partial<ObjectMeta>;
    const actual = before.object.metadata.resourceVersion;
    if (resourceVersion !== undefined && resourceVersion !== actual)
      throw conflict(kind, before.object, 'the object has been modified');
    checkUid(kind, before.object, uid);
    return this.#write(kind, before, mergePatch(before.object, patch) as Json, writer);
  }

  apply(kind: ResourceKind, object: KubeObject, writer: Writer): KubeObject {
    const ref = refOf(object);
    const before = this.#objects.get(objectKey(kind, ref));
    if (before === undefined && writer.subresource === 'status') throw notFound(kind, ref);
    if (before === undefined && object.metadata.uid !== undefined)
      throw conflict(kind, object, 'it is not there, and a uid was given');
    if (before !== undefined) checkUid(kind, before.object, object.metadata.uid);
    const { resourceVersion, ...metadata } = object.metadata;
    if (resourceVersion !== undefined && resourceVersion !== before?.object.metadata.resourceVersion)
      throw conflict(kind, object, 'the object has been modified');
    const live = before === undefined ? undefined : asOwned(before);
    const wish = { ...object, metadata } as unknown as Json;
    return this.#store(kind, before, applyOver(live, wish, writer));
  }

  delete(kind: ResourceKind, ref: ObjectRef, options: DeleteOptions = {}): void {
    const stored = this.#existing(kind, ref);
    checkUid(kind, stored.object, options.uid);
    const { metadata } = stored.object;
    if (options.resourceVersion !== undefined && options.resourceVersion !== metadata.resourceVersion) {
      throw conflict(kind, stored.object, 'the object has been modified');
    }
    const lingers = (metadata.finalizers ?? []).length > 0 || kind.kind === 'Pod';
    if (!lingers) this.#remove(stored);
    else if (metadata.deletionTimestamp === undefined) {
      const deletionTimestamp = toRfc3339(this.#time.now);
      const generation = metadata.generation === undefined ? {} : { generation: metadata.generation + 1 };
      const object = { ...stored.object, metadata: { ...metadata, deletionTimestamp, ...generation } };
      this.#commit({ kind, object, owners: stored.owners }, stored.object);
    }
  }

  /** Takes a pod away whose containers have ended. */
  removePod(kind: ResourceKind, ref: ObjectRef): void {
    const stored = this.#objects.get(objectKey(kind, ref));
    if (stored !== undefined) this.#remove(stored);
  }

  #write(kind: ResourceKind, before: Stored, wanted: Json, writer: Writer): KubeObject {
    const { subresource } = writer;
    // A kind with a status of its own takes status only there, and nothing else there.
    const object =
      subresource === 'status'
        ? { ...before.object, status: wanted.status }
        : STATUS_KINDS.has(kind.kind)
          ? { ...wanted, status: (before.object as unknown as Json).status }
          : wanted;
    const isOwned = writer.manager !== 'kubelets';
    const owners = isOwned ? ownersAfterUpdate(asOwned(before), object, writer) : before.owners;
    return this.#store(kind, before, { object, owners });
  }

  /** Puts in what the server decides, and stores it if it differs from what was there. */
  #store(kind: ResourceKind, before: Stored | undefined, { object: given, owners }: Owned): KubeObject {
    const metadata = given.metadata as ObjectMeta;
    const old = before?.object.metadata;
    const object = withDefaults(given, { clusterIp: () => this.#address() }) as unknown as KubeObject & Json;
    object.metadata = {
      ...metadata,
      ...(old === undefined
        ? { uid: this.#uid(), creationTimestamp: toRfc3339(this.#time.now) }
        : { uid: old.uid, creationTimestamp: old.creationTimestamp, ...deletion(old) }),
      managedFields: toManagedFields(owners),
    } as ObjectMeta;
    if (object.status === undefined) delete object.status;
    if (before !== undefined) checkImmutable(before.object as unknown as Json, object);
    const generation = generationOf(kind, before?.object, object);
    if (generation !== undefined) object.metadata.generation = generation;
    if (before !== undefined && sameButVersion(before.object, object)) return before.object;
    const stored = { kind, object, owners };
    if (
      old?.deletionTimestamp !== undefined &&
      (metadata.finalizers ?? []).length === 0 &&
      kind.kind !== 'Pod'
    ) {
      return this.#remove(stored);
    }
    return this.#commit(stored, before?.object);
  }

  #commit({ kind, object, owners }: Stored, before: KubeObject | undefined): KubeObject {
    const version = (this.#version += 1);
    const versioned = deepFreeze({
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(version) },
    });
    const stored = { kind, object: versioned, owners };
    this.#objects.set(objectKey(kind, refOf(object)), stored);
    this.#ofKind(kind).set(keyOf(refOf(object)), stored);
    this.#tell({ kind, version, before, after: versioned, last: versioned });
    // Made after its owner had gone, by a request that was long under way: nobody else would take it away.
    const owner = before === undefined ? object.metadata.ownerReferences?.[0] : undefined;
    if (owner !== undefined) this.#time.after(20, () => this.#collect(owner.uid));
    return versioned;
  }

  #remove({ kind, object }: Stored): KubeObject {
    const version = (this.#version += 1);
    const last = deepFreeze({
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(version) },
    });
    this.#objects.delete(objectKey(kind, refOf(object)));
    this.#ofKind(kind).delete(keyOf(refOf(object)));
    this.#tell({ kind, version, before: object, after: undefined, last });
    // Ownership counts at once; the garbage collector comes a little later.
    this.#time.after(20, () => this.#collect(object.metadata.uid ?? ''));
    return last;
  }

  /** Deletes what only that owner held, if it has gone. */
  #collect(owner: string): void {
    const uids = new Set(this.all().map(({ object }) => object.metadata.uid));
    if (uids.has(owner)) return;
    for (const { kind, object } of this.all()) {
      const owners = object.metadata.ownerReferences ?? [];
      const isOrphan = owners.some(({ uid }) => uid === owner) && owners.every(({ uid }) => !uids.has(uid));
      if (isOrphan) this.delete(kind, refOf(object));
    }
  }

  #tell(change: Change): void {
    const key = kindKey(change.kind);
    const history = this.#history.get(key);
    if (history === undefined) this.#history.set(key, [change]);
    else history.push(change);
    for (const listener of this.#listeners) listener(change);
  }

  #ofKind(kind: ResourceKind): Map<string, Stored> {
    const key = kindKey(kind);
    const known = this.#kinds.get(key) ?? new Map<string, Stored>();
    this.#kinds.set(key, known);
    return known;
  }

  #existing(kind: ResourceKind, ref: ObjectRef): Stored {
    const stored = this.#objects.get(objectKey(kind, ref));
    if (stored === undefined) throw notFound(kind, ref);
    return stored;
  }

  #uid(): string {
    this.#uids += 1;
    return `00000000-0000-4000-8000-${String(this.#uids).padStart(12, '0')}`;
  }

  #address(): string {
    this.#addresses += 1;
    return `10.96.${Math.floor(this.#addresses / 250)}.${(this.#addresses % 250) + 1}`;
  }
}

/** True when the options' namespace and label selector take the object in. */
export function selects({ namespace, labelSelector }: ListOptions, { metadata }: KubeObject): boolean {
  if (namespace !== undefined && metadata.namespace !== namespace) return false;
  if (labelSelector === undefined) return true;
  return labelSelector.split(',').every((term) => {
    const [label = '', value] = term.split('=');
    const actual = metadata.labels?.[label];
    return value === undefined ? actual !== undefined : actual === value;
  });
}

function asOwned({ object, owners }: Stored): Owned {
  return { object: object as unknown as Json, owners };
}

function withoutServerFields(object: KubeObject): Json {
  const { uid: _uid, resourceVersion: _version, managedFields: _fields, ...metadata } = object.metadata;
  return { ...object, metadata };
}

function deletion(old: ObjectMeta): Partial<ObjectMeta> {
  return old.deletionTimestamp === undefined ? {} : { deletionTimestamp: old.deletionTimestamp };
}

function generationOf(
  kind: ResourceKind,
  before: KubeObject | undefined,
  after: KubeObject,
): number | undefined {
  if (!GENERATION_KINDS.has(kind.kind)) return undefined;
  const old = before?.metadata.generation ?? 0;
  const changed = !sameJson((before as Json | undefined)?.spec, (after as unknown as Json).spec);
  // Of Deployments the annotations count as well.
  const noted =
    kind.kind === 'Deployment' && !sameJson(before?.metadata.annotations, after.metadata.annotations);
  return before === undefined || changed || noted ? old + 1 : old;
}

function sameButVersion(before: KubeObject, after: KubeObject): boolean {
  const { resourceVersion: _old, ...old } = before.metadata;
  const { resourceVersion: _now, ...now } = after.metadata;
  return sameJson({ ...before, metadata: old }, { ...after, metadata: now });
}

function checkUid(kind: ResourceKind, object: KubeObject, uid: string | undefined): void {
  if (uid !== undefined && uid !== object.metadata.uid)
    throw conflict(kind, object, 'the UID in the precondition is another');
}

function conflict(kind: ResourceKind, object: KubeObject, why: string): KubeError {
  const message = `Operation cannot be fulfilled on ${kind.plural} "${object.metadata.name}": ${why}`;
  return new KubeError(message, { code: 409, reason: 'Conflict' });
}

function notFound(kind: ResourceKind, ref: ObjectRef): KubeError {
  return new KubeError(`${kind.plural} "${ref.name}" not found`, { code: 404, reason: 'NotFound' });
}
