/** Objects of one kind in memory, with indices: no look-up scans them all. */
import { keyOf, refOf } from './keys.ts';
import type { KubeObject, ObjectRef } from './kube-api.ts';

/** Under which values an object is found. */
export type Indexer<T extends KubeObject> = (object: T) => readonly string[];

/** What it gives out is shared: read it, never change it. */
export class ObjectCache<T extends KubeObject> {
  readonly #objects = new Map<string, T>();
  readonly #indexers: [string, Indexer<T>][];
  /** Index name → value → key → object. */
  readonly #indices = new Map<string, Map<string, Map<string, T>>>();

  constructor(indexers: Record<string, Indexer<T>> = {}) {
    this.#indexers = [[NAMESPACE, byNamespace], ...Object.entries(indexers)];
    for (const [name] of this.#indexers) this.#indices.set(name, new Map());
  }

  get size(): number {
    return this.#objects.size;
  }

  get(ref: ObjectRef): T | undefined {
    return this.#objects.get(keyOf(ref));
  }

  /** All objects, or those of one namespace. */
  list(namespace?: string): T[] {
    return namespace === undefined ? [...this.#objects.values()] : this.byIndex(NAMESPACE, namespace);
  }

  /** The objects that the indexer of that name puts under `value`. */
  byIndex(name: string, value: string): T[] {
    const index = this.#indices.get(name);
    if (index === undefined) {
      throw new Error(`no index "${name}"; there are: ${[...this.#indices.keys()].join(', ')}`);
    }
    return [...(index.get(value)?.values() ?? [])];
  }

  /** Puts an object in; returns the one that it replaces. */
  set(object: T): T | undefined {
    const key = keyOf(refOf(object));
    const before = this.#objects.get(key);
    if (before !== undefined) this.#unindex(key, before);
    this.#objects.set(key, object);
    for (const [name, indexer] of this.#indexers) {
      const index = this.#indices.get(name);
      for (const value of indexer(object)) {
        const bucket = index?.get(value);
        if (bucket === undefined) index?.set(value, new Map([[key, object]]));
        else bucket.set(key, object);
      }
    }
    return before;
  }

  /** Takes an object out; returns it, if it was there. */
  delete(ref: ObjectRef): T | undefined {
    const key = keyOf(ref);
    const before = this.#objects.get(key);
    if (before === undefined) return undefined;
    this.#objects.delete(key);
    this.#unindex(key, before);
    return before;
  }

  #unindex(key: string, object: T): void {
    for (const [name, indexer] of this.#indexers) {
      const index = this.#indices.get(name);
      for (const value of indexer(object)) {
        const bucket = index?.get(value);
        bucket?.delete(key);
        if (bucket?.size === 0) index?.delete(value);
      }
    }
  }
}

/** An indexer by the value of a label. */
export function byLabel<T extends KubeObject>(label: string): Indexer<T> {
  return (object) => {
    const value = object.metadata.labels?.[label];
    return value === undefined ? [] : [value];
  };
}

/** An indexer by `namespace/value` of a label: finds all that belongs to one named object. */
export function byNamespacedLabel<T extends KubeObject>(label: string): Indexer<T> {
  return (object) => {
    const name = object.metadata.labels?.[label];
    const namespace = object.metadata.namespace;
    return name === undefined ? [] : [keyOf(namespace === undefined ? { name } : { namespace, name })];
  };
}

/** An indexer by the UIDs of the owners. */
export function byOwner<T extends KubeObject>(): Indexer<T> {
  return (object) => (object.metadata.ownerReferences ?? []).map((each) => each.uid);
}

const NAMESPACE = 'namespace';

function byNamespace(object: KubeObject): readonly string[] {
  return object.metadata.namespace === undefined ? [] : [object.metadata.namespace];
}
