/** Read your own writes: whether the cache has seen what this process last wrote (KEP-5647). */
import type { ObjectReader } from './informer-set.ts';
import { compareResourceVersions, objectKey, refOf } from './keys.ts';
import type { DeleteOptions, KubeApi, KubeObject, ObjectRef, ResourceKind } from './kube-api.ts';

type Write =
  | { deleted: false; resourceVersion: string }
  | { deleted: true; uid: string | undefined; after: string | undefined };

/** Ask it before an act that disrupts. An entry goes when the cache has seen it. */
export class WriteLedger {
  readonly #cache: ObjectReader;
  readonly #writes = new Map<string, Write>();

  constructor(cache: ObjectReader) {
    this.#cache = cache;
  }

  /** Writes that the cache may not have seen yet. */
  get size(): number {
    return this.#writes.size;
  }

  /** The server answered a write of ours with this object. */
  wrote(kind: ResourceKind, answer: KubeObject): void {
    const resourceVersion = answer.metadata.resourceVersion;
    if (resourceVersion === undefined || !this.#cache.follows(kind)) return;
    this.#writes.set(objectKey(kind, refOf(answer)), { deleted: false, resourceVersion });
  }

  /** The server took a deletion of ours; `uid` of what was deleted, if it is known. */
  deleted(kind: ResourceKind, ref: ObjectRef, uid?: string): void {
    if (!this.#cache.follows(kind)) return;
    const key = objectKey(kind, ref);
    const before = this.#writes.get(key);
    this.#writes.set(key, {
      deleted: true,
      uid: uid ?? this.#cache.get(kind, ref)?.metadata.uid,
      // Made and deleted before the cache saw either: not being in the cache yet is not being gone.
      after: before?.deleted === false ? before.resourceVersion : before?.after,
    });
  }

  /** False while the cache shows the object as it was before our last write or deletion of it. */
  cacheHasSeen(kind: ResourceKind, ref: ObjectRef): boolean {
    const key = objectKey(kind, ref);
    const write = this.#writes.get(key);
    if (write === undefined) return true;
    const seen = write.deleted
      ? this.#reached(kind, ref, write.after) && this.#sawDeletion(kind, ref, write.uid)
      : this.#reached(kind, ref, write.resourceVersion);
    if (seen) this.#writes.delete(key);
    return seen;
  }

  /** Forgets an object, whatever the cache has seen. */
  forget(kind: ResourceKind, ref: ObjectRef): void {
    this.#writes.delete(objectKey(kind, ref));
  }

  #reached(kind: ResourceKind, ref: ObjectRef, resourceVersion: string | undefined): boolean {
    if (resourceVersion === undefined) return true;
    // The object may be gone again by now: then the cache as a whole must have come that far.
    const versions = [
      this.#cache.get(kind, ref)?.metadata.resourceVersion,
      this.#cache.observedResourceVersion(kind, ref.namespace),
    ];
    return versions.some((each) => each !== undefined && compareResourceVersions(each, resourceVersion) >= 0);
  }

  #sawDeletion(kind: ResourceKind, ref: ObjectRef, uid: string | undefined): boolean {
    const cached = this.#cache.get(kind, ref);
    if (cached === undefined) return true;
    return (
      cached.metadata.deletionTimestamp !== undefined || (uid !== undefined && cached.metadata.uid !== uid)
    );
  }
}

/** `api`, with every write entered in `ledger`. */
export function recordWrites(api: KubeApi, ledger: WriteLedger): KubeApi {
  const record = async <T extends KubeObject>(kind: ResourceKind, answer: Promise<T>): Promise<T> => {
    const object = await answer;
    ledger.wrote(kind, object);
    return object;
  };
  return {
    list: (kind, options) => api.list(kind, options),
    watch: (kind, options, signal) => api.watch(kind, options, signal),
    get: (kind, ref) => api.get(kind, ref),
    create: (kind, object) => record(kind, api.create(kind, object)),
    update: (kind, object) => record(kind, api.update(kind, object)),
    apply: (kind, object, options) => record(kind, api.apply(kind, object, options)),
    mergePatch: (kind, ref, patch) => record(kind, api.mergePatch(kind, ref, patch)),
    delete: async (kind: ResourceKind, ref: ObjectRef, options?: DeleteOptions): Promise<void> => {
      await api.delete(kind, ref, options);
      ledger.deleted(kind, ref, options?.uid);
    },
  };
}
