/** Applies what should be, but only where it is not so already: at steady state it writes nothing. */
import { noEvents } from './events.ts';
import type { EventRecorder } from './events.ts';
import type { ObjectReader } from './informer-set.ts';
import { compareResourceVersions, objectKey, refOf } from './keys.ts';
import type { DeleteOptions, KubeApi, KubeObject, ObjectRef, ResourceKind } from './kube-api.ts';
import { silentLogger } from './log.ts';
import type { Logger } from './log.ts';
import { EngineMetrics } from './metrics.ts';
import { normalizeDesired, remember, wantsTheSame, whyApply } from './needs-apply.ts';
import type { Remembered } from './needs-apply.ts';

/** What is remembered of each object between two applies, see {@link Remembered}. About 300 bytes for each. */
export class ApplyMemory {
  readonly #entries = new Map<string, Remembered>();

  get(kind: ResourceKind, ref: ObjectRef, subresource?: 'status'): Remembered | undefined {
    return this.#entries.get(memoryKey(kind, ref, subresource));
  }

  set(entry: Remembered, kind: ResourceKind, ref: ObjectRef, subresource?: 'status'): void {
    this.#entries.set(memoryKey(kind, ref, subresource), entry);
  }

  /** Call it when an object is gone for good, or it is remembered for ever. */
  delete(kind: ResourceKind, ref: ObjectRef): void {
    this.#entries.delete(memoryKey(kind, ref));
    this.#entries.delete(memoryKey(kind, ref, 'status'));
  }

  get size(): number {
    return this.#entries.size;
  }
}

export interface ApplierOptions {
  api: KubeApi;
  /** Where the live objects are looked up; see {@link ApplyOptions.live} for kinds that nothing follows. */
  cache: ObjectReader;
  memory?: ApplyMemory;
  events?: EventRecorder;
  log?: Logger;
  metrics?: EngineMetrics;
}

export interface ApplyOptions {
  /** Whose events tell of it; usually the owner. None: no events. */
  regarding?: KubeObject;
  subresource?: 'status';
  /** The object as it is now, when the caller has looked itself. `null`: it is not there. */
  live?: KubeObject | null;
  /** Fails with a conflict when the object is not any more as it is known here: a late request changes nothing. */
  guarded?: boolean;
}

/** `unchanged`: nothing was written. `repaired`: somebody else had changed or deleted it. */
export type ApplyOutcome = 'created' | 'updated' | 'repaired' | 'unchanged';

export interface Applied<T extends KubeObject = KubeObject> {
  outcome: ApplyOutcome;
  /** The object as the server has it; for `unchanged` as the cache has it, which may lag: then it is undefined. */
  object: T | undefined;
  /** Why it was written. */
  why?: string;
}

export interface ApplyItem {
  kind: ResourceKind;
  object: KubeObject;
}

export interface ApplyFailure extends ApplyItem {
  error: Error;
}

/** What came of many applies: each is tried, whatever becomes of the others. */
export interface ApplyReport {
  applied: (ApplyItem & { result: Applied })[];
  failures: ApplyFailure[];
  /** Writes that were made. */
  writes: number;
}

export class Applier {
  readonly #api: KubeApi;
  readonly #cache: ObjectReader;
  readonly #memory: ApplyMemory;
  readonly #events: EventRecorder;
  readonly #log: Logger;
  readonly #metrics: EngineMetrics;

  constructor(options: ApplierOptions) {
    this.#api = options.api;
    this.#cache = options.cache;
    this.#memory = options.memory ?? new ApplyMemory();
    this.#events = options.events ?? noEvents;
    this.#log = options.log ?? silentLogger;
    this.#metrics = options.metrics ?? new EngineMetrics();
  }

  /** Server-side apply of one object, unless it is as it should be. Throws what the API throws. */
  async apply<T extends KubeObject>(
    kind: ResourceKind,
    object: T,
    options: ApplyOptions = {},
  ): Promise<Applied<T>> {
    const desired = normalizeDesired(object);
    const ref = refOf(desired);
    const subresource = options.subresource;
    const remembered = this.#memory.get(kind, ref, subresource);
    const live = (options.live === undefined ? this.#cache.get(kind, ref) : options.live) ?? undefined;
    if (live === undefined && this.#isBehind(kind, ref, remembered, options)) {
      return { outcome: 'unchanged', object: undefined };
    }
    const why = whyApply(desired, live, { remembered, subresource });
    if (why === undefined && live !== undefined) {
      // Once judged, the same version need not be judged again.
      if (isNews(live, remembered))
        this.#memory.set(remember(desired, live, { subresource }), kind, ref, subresource);
      this.#metrics.applySkips.inc({ kind: kind.kind });
      return { outcome: 'unchanged', object: live as T };
    }
    const sent = options.guarded === true ? guardedBy(live, desired) : desired;
    const answer = await this.#api.apply<T>(kind, sent, subresource === undefined ? {} : { subresource });
    const outcome = outcomeOf(desired, live, remembered);
    this.#memory.set(remember(desired, answer, { subresource }), kind, ref, subresource);
    this.#tell({ kind, ref, outcome, why: why ?? '' }, options.regarding);
    return { outcome, object: answer, ...(why === undefined ? {} : { why }) };
  }

  /**
   * Applies all, one after the other, since some depend on others, as pods do on their Secret. One that fails
   * doesn't keep the rest from being applied; an abort of `signal` does, and is thrown.
   */
  async applyAll(
    items: readonly ApplyItem[],
    options: ApplyOptions & { signal?: AbortSignal } = {},
  ): Promise<ApplyReport> {
    const report: ApplyReport = { applied: [], failures: [], writes: 0 };
    for (const item of items) {
      options.signal?.throwIfAborted();
      try {
        const result = await this.apply(item.kind, item.object, options);
        report.applied.push({ ...item, result });
        if (result.outcome !== 'unchanged') report.writes += 1;
      } catch (error) {
        report.failures.push({ ...item, error: error instanceof Error ? error : new Error(String(error)) });
      }
    }
    return report;
  }

  /** Deletes an object that is no longer wanted; one that is gone, or going, is left alone. True when it wrote. */
  async remove(
    kind: ResourceKind,
    ref: ObjectRef,
    options: DeleteOptions & { regarding?: KubeObject } = {},
  ): Promise<boolean> {
    const live = this.#cache.get(kind, ref);
    this.#memory.delete(kind, ref);
    if (live === undefined || live.metadata.deletionTimestamp !== undefined) return false;
    const { regarding, ...rest } = options;
    // By UID: what the cache shows may have been replaced since.
    const uid = rest.uid ?? live.metadata.uid;
    await this.#api.delete(kind, ref, { ...rest, ...(uid === undefined ? {} : { uid }) });
    this.#log.info('deleted', { kind: kind.kind, object: ref.name });
    if (regarding !== undefined) {
      this.#events.event(regarding, {
        type: 'Normal',
        reason: 'Deleted',
        action: 'Delete',
        note: `${kind.kind} ${ref.name} is no longer wanted`,
      });
    }
    return true;
  }

  /** True when the object isn't in the cache only because the cache has not seen our own write of it. */
  #isBehind(
    kind: ResourceKind,
    ref: ObjectRef,
    remembered: Remembered | undefined,
    options: ApplyOptions,
  ): boolean {
    if (remembered === undefined || options.live !== undefined) return false;
    const observed = this.#cache.observedResourceVersion(kind, ref.namespace);
    return observed !== undefined && compareResourceVersions(observed, remembered.resourceVersion) < 0;
  }

  #tell(
    what: { kind: ResourceKind; ref: ObjectRef; outcome: ApplyOutcome; why: string },
    regarding?: KubeObject,
  ): void {
    const { kind, ref, outcome, why } = what;
    this.#log.info(outcome, { kind: kind.kind, object: ref.name, why });
    if (regarding === undefined || outcome === 'updated') return;
    this.#events.event(regarding, {
      type: 'Normal',
      reason: outcome === 'created' ? 'Created' : 'Repaired',
      action: 'Apply',
      note:
        outcome === 'created'
          ? `Created ${kind.kind} ${ref.name}`
          : `Repaired ${kind.kind} ${ref.name}: ${why}`,
    });
  }
}

function memoryKey(kind: ResourceKind, ref: ObjectRef, subresource?: string): string {
  return subresource === undefined ? objectKey(kind, ref) : `${objectKey(kind, ref)}/${subresource}`;
}

/** True when `live` is newer than what is remembered. */
function isNews(live: KubeObject, remembered: Remembered | undefined): boolean {
  if (remembered === undefined) return true;
  return compareResourceVersions(live.metadata.resourceVersion ?? '0', remembered.resourceVersion) > 0;
}

/** A write that wants the same as the last one can only mean that somebody else interfered. */
function outcomeOf(
  desired: KubeObject,
  live: KubeObject | undefined,
  remembered: Remembered | undefined,
): ApplyOutcome {
  const same = remembered !== undefined && wantsTheSame(desired, remembered);
  if (same) return 'repaired';
  return live === undefined ? 'created' : 'updated';
}

/** The wish, for no other version of the object than `live`. */
function guardedBy<T extends KubeObject>(live: KubeObject | undefined, desired: T): T {
  const { resourceVersion } = live?.metadata ?? {};
  if (resourceVersion === undefined) return desired;
  return { ...desired, metadata: { ...desired.metadata, resourceVersion } };
}
