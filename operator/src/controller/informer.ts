/** A cache of one kind that follows the API server, and tells what changed. */
import type { Clock } from './clock.ts';
import { compareResourceVersions, keyOf, newerResourceVersion, refOf } from './keys.ts';
import type {
  KubeApi,
  KubeList,
  KubeObject,
  ListOptions,
  ObjectRef,
  ResourceKind,
  WatchEvent,
} from './kube-api.ts';
import { silentLogger } from './log.ts';
import type { Logger } from './log.ts';
import { EngineMetrics } from './metrics.ts';
import { ObjectCache } from './object-cache.ts';
import type { Indexer } from './object-cache.ts';
import { Reflector } from './reflector.ts';
import type { ListReason } from './reflector.ts';
import { RelistAudit } from './relist-audit.ts';
import { withoutForeignFields } from './trim.ts';

export interface InformerOptions<T extends KubeObject> {
  api: KubeApi;
  kind: ResourceKind;
  clock: Clock;
  log?: Logger;
  metrics?: EngineMetrics;
  /** Left out or empty: all namespaces. */
  namespaces?: readonly string[];
  labelSelector?: string;
  /** See {@link Informer.byIndex}. */
  indexers?: Record<string, Indexer<T>>;
  /** What the cache keeps of an object. It must not change what it is given. Default: {@link withoutForeignFields}. */
  trim?: (object: T) => T;
  /** Time between two periodic lists in ms. Default 30 minutes. */
  relistMs?: number;
}

/** Called in the order of the changes, after the cache has them; must not block. */
export interface ChangeHandlers<T extends KubeObject> {
  add?: (object: T) => void;
  update?: (before: T, after: T) => void;
  /** With the last state that is known. */
  delete?: (object: T) => void;
}

export class Informer<T extends KubeObject = KubeObject> {
  readonly kind: ResourceKind;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #metrics: EngineMetrics;
  readonly #cache: ObjectCache<T>;
  readonly #trim: (object: T) => T;
  readonly #scopes: Scope<T>[];
  readonly #handlers = new Set<ChangeHandlers<T>>();
  readonly #waiters = new Set<() => void>();
  #running = false;

  constructor(options: InformerOptions<T>) {
    this.kind = options.kind;
    this.#clock = options.clock;
    this.#log = options.log ?? silentLogger;
    this.#metrics = options.metrics ?? new EngineMetrics();
    this.#cache = new ObjectCache(options.indexers);
    this.#trim = options.trim ?? withoutForeignFields;
    this.#scopes = scopesOf(options).map((scope) => this.#follow(options, scope));
  }

  /** True once every scope has been listed. */
  get hasSynced(): boolean {
    return this.#scopes.every((scope) => scope.observed !== undefined);
  }

  get size(): number {
    return this.#cache.size;
  }

  /** What the cache has; never change it. */
  get(ref: ObjectRef): T | undefined {
    return this.#cache.get(ref);
  }

  /** All objects, or those of one namespace. */
  list(namespace?: string): T[] {
    return this.#cache.list(namespace);
  }

  /** The objects that one of `options.indexers` puts under `value`. */
  byIndex(name: string, value: string): T[] {
    return this.#cache.byIndex(name, value);
  }

  /**
   * Registers handlers; what is in the cache already is told as added, at once. Call what it returns to
   * end it.
   */
  onChange(handlers: ChangeHandlers<T>): () => void {
    this.#handlers.add(handlers);
    for (const object of this.#cache.list()) this.#tell(() => handlers.add?.(object));
    return () => {
      this.#handlers.delete(handlers);
    };
  }

  /** Resolves when {@link hasSynced}; rejects with the signal's reason when it aborts first. */
  async whenSynced(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.hasSynced) return;
    await new Promise<void>((resolve, reject) => {
      const synced = (): void => {
        signal.removeEventListener('abort', aborted);
        this.#waiters.delete(synced);
        resolve();
      };
      const aborted = (): void => {
        this.#waiters.delete(synced);
        reject(signal.reason as Error);
      };
      this.#waiters.add(synced);
      signal.addEventListener('abort', aborted, { once: true });
    });
  }

  /** The newest resource version that the cache is known to contain for a namespace; undefined before the first list. */
  observedResourceVersion(namespace?: string): string | undefined {
    const scope = this.#scopes.find((each) => each.namespace === undefined || each.namespace === namespace);
    return scope?.observed;
  }

  /** Milliseconds since the API server last said anything, of the scope for which that is longest ago. */
  stalenessMs(): number {
    const oldest = Math.min(...this.#scopes.map((scope) => scope.reflector.lastContact));
    return Math.max(0, this.#clock.now() - oldest);
  }

  /** Follows the API server until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#running) throw new Error(`the informer of ${this.kind.kind} runs already`);
    this.#running = true;
    try {
      await Promise.all(this.#scopes.map((scope) => scope.reflector.run(signal)));
    } finally {
      this.#running = false;
    }
  }

  #follow(options: InformerOptions<T>, listOptions: ListOptions): Scope<T> {
    const reflector = new Reflector<T>({
      api: options.api,
      kind: options.kind,
      scope: listOptions,
      clock: options.clock,
      log: this.#log,
      metrics: this.#metrics,
      relistMs: options.relistMs ?? 30 * 60_000,
      sink: {
        listing: (reason) => {
          if (reason === 'periodic') scope.deleted = new Map();
        },
        listed: (list, reason) => this.#listed(scope, list, reason),
        changed: (event) => this.#changed(scope, event),
      },
    });
    const scope: Scope<T> = {
      namespace: listOptions.namespace,
      reflector,
      audit: new RelistAudit(),
      observed: undefined,
      floor: undefined,
      deleted: undefined,
    };
    return scope;
  }

  #listed(scope: Scope<T>, list: KubeList<T>, reason: ListReason): void {
    // Two lists may overtake each other; and one that is older than the cache has nothing new.
    if (scope.floor !== undefined && compareResourceVersions(list.resourceVersion, scope.floor) < 0) return;
    scope.floor = list.resourceVersion;
    scope.observed = newerResourceVersion(scope.observed, list.resourceVersion);
    const changed = this.#replace(scope, list);
    if (reason === 'periodic') {
      scope.deleted = undefined;
      this.#missed(scope.audit.begin(changed, list.resourceVersion));
    } else {
      scope.audit.cancel();
    }
    if (this.hasSynced) for (const waiter of this.#waiters) waiter();
  }

  /** Makes the cache what the list says, and returns the keys that this changed. */
  #replace(scope: Scope<T>, list: KubeList<T>): string[] {
    const changed: string[] = [];
    const listed = new Set<string>();
    for (const object of list.items) {
      const key = keyOf(refOf(object));
      listed.add(key);
      // The watch may be ahead of the list: what it has told to be gone must not come back.
      const deletedAt = scope.deleted?.get(key);
      if (deletedAt !== undefined && compareResourceVersions(deletedAt, list.resourceVersion) > 0) continue;
      if (this.#put(object)) changed.push(key);
    }
    for (const object of this.#cache.list(scope.namespace)) {
      const key = keyOf(refOf(object));
      if (listed.has(key) || isNewer(object, list.resourceVersion)) continue;
      changed.push(key);
      this.#remove(object);
    }
    return changed;
  }

  #changed(scope: Scope<T>, event: WatchEvent<T>): void {
    const version =
      event.type === 'BOOKMARK' ? event.resourceVersion : (event.object.metadata.resourceVersion ?? '0');
    if (event.type !== 'BOOKMARK') {
      scope.audit.told(keyOf(refOf(event.object)));
      // What a later list has already told is old news.
      if (scope.floor === undefined || compareResourceVersions(version, scope.floor) > 0) {
        this.#apply(scope, event);
      }
    }
    scope.observed = newerResourceVersion(scope.observed, version);
    this.#missed(scope.audit.reached(version));
  }

  #apply(scope: Scope<T>, event: Exclude<WatchEvent<T>, { type: 'BOOKMARK' }>): void {
    const key = keyOf(refOf(event.object));
    if (event.type === 'DELETED') {
      scope.deleted?.set(key, event.object.metadata.resourceVersion ?? '0');
      this.#remove(event.object);
    } else {
      scope.deleted?.delete(key);
      this.#put(event.object);
    }
  }

  /** True when it is a change. */
  #put(whole: T): boolean {
    const before = this.#cache.get(refOf(whole));
    const version = whole.metadata.resourceVersion ?? '0';
    if (before !== undefined) {
      if (before.metadata.resourceVersion === version || isNewer(before, version)) return false;
      // Deleted and made again between two looks: two objects, and whoever counts on UIDs must hear of both.
      if (before.metadata.uid !== whole.metadata.uid) {
        this.#remove(before);
        return this.#put(whole);
      }
    }
    const object = this.#trim(whole);
    this.#cache.set(object);
    this.#count();
    for (const handlers of this.#handlers) {
      this.#tell(() => (before === undefined ? handlers.add?.(object) : handlers.update?.(before, object)));
    }
    return true;
  }

  #remove(whole: T): void {
    const before = this.#cache.delete(refOf(whole));
    if (before === undefined) return;
    this.#count();
    const object = this.#trim(whole);
    for (const handlers of this.#handlers) this.#tell(() => handlers.delete?.(object));
  }

  /** A handler that throws is a bug of ours: it must neither stop the cache nor keep others from the news. */
  #tell(handler: () => void): void {
    try {
      handler();
    } catch (error) {
      this.#log.error('a change handler failed', { kind: this.kind.kind, error });
    }
  }

  #missed(count: number): void {
    if (count === 0) return;
    this.#metrics.informerRelistFound.inc({ kind: this.kind.kind }, count);
    this.#log.warn('a periodic list found changes that the watch never told', {
      kind: this.kind.kind,
      count,
    });
  }

  #count(): void {
    this.#metrics.informerObjects.set({ kind: this.kind.kind }, this.#cache.size);
  }
}

interface Scope<T extends KubeObject> {
  namespace: string | undefined;
  reflector: Reflector<T>;
  audit: RelistAudit;
  /** The newest resource version that list, event or bookmark brought. */
  observed: string | undefined;
  /** Of the last list: events up to here are in the cache. */
  floor: string | undefined;
  /** While a periodic list runs: key → version of what the watch told to be deleted meanwhile. */
  deleted: Map<string, string> | undefined;
}

function scopesOf(options: {
  namespaces?: readonly string[];
  labelSelector?: string;
  kind: ResourceKind;
}): ListOptions[] {
  const selector = options.labelSelector === undefined ? {} : { labelSelector: options.labelSelector };
  const namespaces = options.kind.namespaced ? [...new Set(options.namespaces)] : [];
  if (namespaces.length === 0) return [selector];
  return namespaces.map((namespace) => ({ ...selector, namespace }));
}

function isNewer(object: KubeObject, resourceVersion: string): boolean {
  return compareResourceVersions(object.metadata.resourceVersion ?? '0', resourceVersion) > 0;
}
