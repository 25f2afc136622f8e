/** The informers of a process, one for each kind. */
import type { Informer } from './informer.ts';
import { kindKey } from './keys.ts';
import type { KubeObject, ObjectRef, ResourceKind } from './kube-api.ts';
import type { EngineMetrics } from './metrics.ts';

/** What a decision reads of the cache; a test's Map will do. */
export interface ObjectReader {
  /** Whether objects of this kind are in it at all. */
  follows(kind: ResourceKind): boolean;
  get(kind: ResourceKind, ref: ObjectRef): KubeObject | undefined;
  /** The newest resource version that the cache is known to contain, see {@link Informer.observedResourceVersion}. */
  observedResourceVersion(kind: ResourceKind, namespace?: string): string | undefined;
}

export class InformerSet implements ObjectReader {
  readonly #informers = new Map<string, Informer>();

  /** Adds an informer, and returns it. One for each kind. */
  add<T extends KubeObject>(informer: Informer<T>): Informer<T> {
    const key = kindKey(informer.kind);
    if (this.#informers.has(key)) throw new Error(`there is an informer of ${key} already`);
    this.#informers.set(key, informer as unknown as Informer);
    return informer;
  }

  /** The informer of a kind, if there is one. */
  find(kind: ResourceKind): Informer | undefined {
    return this.#informers.get(kindKey(kind));
  }

  follows(kind: ResourceKind): boolean {
    return this.#informers.has(kindKey(kind));
  }

  /** What the cache has. Throws for a kind that nothing follows. */
  get(kind: ResourceKind, ref: ObjectRef): KubeObject | undefined {
    const informer = this.find(kind);
    if (informer === undefined) throw new Error(`nothing follows ${kindKey(kind)}: add an informer for it`);
    return informer.get(ref);
  }

  observedResourceVersion(kind: ResourceKind, namespace?: string): string | undefined {
    return this.find(kind)?.observedResourceVersion(namespace);
  }

  get hasSynced(): boolean {
    return this.#all().every((each) => each.hasSynced);
  }

  async whenSynced(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#all().map((each) => each.whenSynced(signal)));
  }

  /** Runs all of them until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#all().map((each) => each.run(signal)));
  }

  /** For liveness: what is wrong when the API server has said nothing of a kind for `maxMs`, else undefined. */
  staleProblem(maxMs: number): string | undefined {
    const stale = this.#all()
      .map((each) => ({ kind: each.kind.kind, ms: each.stalenessMs() }))
      .filter(({ ms }) => ms > maxMs);
    if (stale.length === 0) return undefined;
    return `no news from the API server: ${stale.map(({ kind, ms }) => `${kind} for ${Math.round(ms / 1000)} s`).join(', ')}`;
  }

  /** For readiness: the kinds whose first list is not there yet, else undefined. */
  syncProblem(): string | undefined {
    const waiting = this.#all().filter((each) => !each.hasSynced);
    if (waiting.length === 0) return undefined;
    return `first list is not there yet: ${waiting.map((each) => each.kind.kind).join(', ')}`;
  }

  /** Brings the staleness gauge up to date; call it when metrics are asked for. */
  measure(metrics: EngineMetrics): void {
    for (const each of this.#all()) {
      metrics.informerStaleness.set({ kind: each.kind.kind }, each.stalenessMs() / 1000);
    }
  }

  #all(): Informer[] {
    return [...this.#informers.values()];
  }
}
