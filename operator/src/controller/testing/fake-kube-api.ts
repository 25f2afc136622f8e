/** A Kubernetes API in memory: versions, watches, conflicts; no admission, and apply is a plain deep merge. */
import { compareResourceVersions, keyOf, kindKey, refOf } from '../keys.ts';
import { KubeError } from '../kube-api.ts';
import type {
  DeleteOptions,
  KubeApi,
  KubeList,
  KubeObject,
  ListOptions,
  ObjectRef,
  ResourceKind,
  WatchEvent,
} from '../kube-api.ts';

export interface FakeCall {
  verb: 'list' | 'watch' | 'get' | 'create' | 'update' | 'apply' | 'mergePatch' | 'delete';
  kind: string;
  name?: string;
}

interface Stored {
  kind: string;
  version: string;
  event: { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: KubeObject };
}

/** One watch that is open. */
class FakeWatch {
  readonly bookmarks: string[] = [];
  ended = false;
  error: Error | undefined;
  #news = Promise.withResolvers<void>();

  wake(): void {
    this.#news.resolve();
  }

  end(error?: Error): void {
    this.ended = true;
    this.error = error;
    this.wake();
  }

  /** Resolves when there is something to look at, at once if there was since the last call. */
  async news(): Promise<void> {
    if (!this.ended) await this.#news.promise;
    this.#news = Promise.withResolvers<void>();
  }
}

export class FakeKubeApi implements KubeApi {
  /** Every call, in order. */
  readonly calls: FakeCall[] = [];
  /** Called before each call is carried out; what it throws is what the caller gets. */
  before: (call: FakeCall) => Promise<void> | void = () => undefined;
  /** Called after each call was carried out, before the caller hears of it. */
  after: (call: FakeCall) => Promise<void> | void = () => undefined;
  /** Events for which this is true never reach a watch. */
  swallow: (event: WatchEvent<KubeObject>) => boolean = () => false;
  readonly #objects = new Map<string, Map<string, KubeObject>>();
  readonly #history: Stored[] = [];
  readonly #watches = new Set<FakeWatch>();
  #version = 100;
  #uid = 0;
  #compacted = '0';

  get resourceVersion(): string {
    return String(this.#version);
  }

  /** Watches that are open. */
  get watching(): number {
    return this.#watches.size;
  }

  async list<T extends KubeObject>(kind: ResourceKind, options: ListOptions = {}): Promise<KubeList<T>> {
    return this.#call({ verb: 'list', kind: kind.kind }, () => ({
      resourceVersion: this.resourceVersion,
      items: [...this.#of(kind).values()]
        .filter((each) => selected(each, options))
        .map((each) => copy(each as T)),
    }));
  }

  async *watch<T extends KubeObject>(
    kind: ResourceKind,
    options: ListOptions & { resourceVersion: string },
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<T>> {
    await this.#call({ verb: 'watch', kind: kind.kind }, () => undefined);
    if (compareResourceVersions(options.resourceVersion, this.#compacted) < 0) throw expired();
    const watch = new FakeWatch();
    const aborted = (): void => watch.end();
    this.#watches.add(watch);
    signal.addEventListener('abort', aborted, { once: true });
    let seen = options.resourceVersion;
    try {
      while (!watch.ended && !signal.aborted) {
        for (const stored of this.#history.filter(
          ({ version }) => compareResourceVersions(version, seen) > 0,
        )) {
          seen = stored.version;
          if (stored.kind !== kindKey(kind) || this.swallow(stored.event)) continue;
          if (selected(stored.event.object, options)) yield copy(stored.event) as WatchEvent<T>;
          if (watch.ended) break;
        }
        for (const resourceVersion of watch.bookmarks.splice(0)) yield { type: 'BOOKMARK', resourceVersion };
        await watch.news();
      }
    } finally {
      signal.removeEventListener('abort', aborted);
      this.#watches.delete(watch);
    }
    if (watch.error !== undefined) throw watch.error;
  }

  async get<T extends KubeObject>(kind: ResourceKind, ref: ObjectRef): Promise<T | undefined> {
    return this.#call({ verb: 'get', kind: kind.kind, name: ref.name }, () => {
      const found = this.#of(kind).get(keyOf(ref));
      return found === undefined ? undefined : copy(found as T);
    });
  }

  async create<T extends KubeObject>(kind: ResourceKind, object: T): Promise<T> {
    return this.#call({ verb: 'create', kind: kind.kind, name: object.metadata.name }, () => {
      if (this.#of(kind).has(keyOf(refOf(object)))) throw conflict('AlreadyExists', object.metadata.name);
      return this.#store(kind, object, 'ADDED');
    });
  }

  async update<T extends KubeObject>(kind: ResourceKind, object: T): Promise<T> {
    return this.#call({ verb: 'update', kind: kind.kind, name: object.metadata.name }, () => {
      const found = this.#find(kind, refOf(object));
      this.#guard(found, object.metadata.resourceVersion);
      return this.#store(kind, object, 'MODIFIED');
    });
  }

  async apply<T extends KubeObject>(kind: ResourceKind, object: T): Promise<T> {
    return this.#call({ verb: 'apply', kind: kind.kind, name: object.metadata.name }, () => {
      const found = this.#of(kind).get(keyOf(refOf(object)));
      if (found === undefined) return this.#store(kind, object, 'ADDED');
      const merged = merge(found, object) as T;
      // A write that changes nothing makes no new version.
      if (JSON.stringify(merged) === JSON.stringify(found)) return copy(found as T);
      return this.#store(kind, merged, 'MODIFIED');
    });
  }

  async mergePatch<T extends KubeObject>(kind: ResourceKind, ref: ObjectRef, patch: object): Promise<T> {
    return this.#call({ verb: 'mergePatch', kind: kind.kind, name: ref.name }, () => {
      const found = this.#find(kind, ref);
      const expected = (patch as { metadata?: { resourceVersion?: string } }).metadata?.resourceVersion;
      if (expected !== undefined) this.#guard(found, expected);
      const patched = merge(found, patch) as T;
      if (
        patched.metadata.deletionTimestamp !== undefined &&
        (patched.metadata.finalizers ?? []).length === 0
      ) {
        return this.#erase(kind, patched);
      }
      return this.#store(kind, patched, 'MODIFIED');
    });
  }

  async delete(kind: ResourceKind, ref: ObjectRef, options: DeleteOptions = {}): Promise<void> {
    await this.#call({ verb: 'delete', kind: kind.kind, name: ref.name }, () => {
      const found = this.#of(kind).get(keyOf(ref));
      if (found === undefined) return;
      if (options.uid !== undefined && options.uid !== found.metadata.uid)
        throw conflict('Conflict', ref.name);
      if ((found.metadata.finalizers ?? []).length === 0) this.#erase(kind, found);
      else {
        const metadata = { ...found.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' };
        this.#store(kind, { ...found, metadata }, 'MODIFIED');
      }
    });
  }

  /** Ends every watch: cleanly, or with an error. */
  endWatches(error?: Error): void {
    for (const each of this.#watches) each.end(error);
  }

  /** Sends a bookmark of the present version to every watch. */
  bookmark(): void {
    for (const each of this.#watches) {
      each.bookmarks.push(this.resourceVersion);
      each.wake();
    }
  }

  /** From now on, only what happens from now on can be watched. */
  compact(): void {
    this.#compacted = this.resourceVersion;
  }

  async #call<R>(call: FakeCall, carryOut: () => R): Promise<R> {
    this.calls.push(call);
    await this.before(call);
    const result = carryOut();
    await this.after(call);
    return result;
  }

  #of(kind: ResourceKind): Map<string, KubeObject> {
    const key = kindKey(kind);
    const objects = this.#objects.get(key) ?? new Map<string, KubeObject>();
    this.#objects.set(key, objects);
    return objects;
  }

  #find(kind: ResourceKind, ref: ObjectRef): KubeObject {
    const found = this.#of(kind).get(keyOf(ref));
    if (found === undefined) throw new KubeError(`${ref.name} not found`, { code: 404, reason: 'NotFound' });
    return found;
  }

  #guard(found: KubeObject, expected: string | undefined): void {
    if (expected !== found.metadata.resourceVersion) throw conflict('Conflict', found.metadata.name);
  }

  #store<T extends KubeObject>(kind: ResourceKind, object: T, type: 'ADDED' | 'MODIFIED'): T {
    this.#version += 1;
    this.#uid += 1;
    const stored = copy(object);
    stored.metadata.resourceVersion = this.resourceVersion;
    stored.metadata.uid = type === 'ADDED' ? `uid-${this.#uid}` : (stored.metadata.uid ?? `uid-${this.#uid}`);
    this.#of(kind).set(keyOf(refOf(stored)), stored);
    this.#announce(kind, { type, object: copy(stored) });
    return copy(stored);
  }

  #erase<T extends KubeObject>(kind: ResourceKind, object: T): T {
    this.#version += 1;
    this.#of(kind).delete(keyOf(refOf(object)));
    const last = copy(object);
    last.metadata.resourceVersion = this.resourceVersion;
    this.#announce(kind, { type: 'DELETED', object: last });
    return last;
  }

  #announce(kind: ResourceKind, event: Stored['event']): void {
    this.#history.push({ kind: kindKey(kind), version: this.resourceVersion, event });
    for (const each of this.#watches) each.wake();
  }
}

function selected(object: KubeObject, options: ListOptions): boolean {
  if (options.namespace !== undefined && object.metadata.namespace !== options.namespace) return false;
  const [label, value] = options.labelSelector?.split('=') ?? [];
  return label === undefined || object.metadata.labels?.[label] === value;
}

function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const base = typeof target === 'object' && target !== null && !Array.isArray(target) ? target : {};
  const result: Record<string, unknown> = { ...base };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = merge(result[name], value);
  }
  return result;
}

function copy<T>(value: T): T {
  return structuredClone(value);
}

function conflict(reason: string, name: string): KubeError {
  return new KubeError(`${name}: ${reason}`, { code: 409, reason });
}

function expired(): KubeError {
  return new KubeError('too old resource version', { code: 410, reason: 'Expired' });
}
