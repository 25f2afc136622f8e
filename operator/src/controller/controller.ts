/** Ties a work queue to a reconciler: what changes is reconciled, what fails comes back later. */
import type { Clock } from './clock.ts';
import type { Informer } from './informer.ts';
import { keyOf, parseKey } from './keys.ts';
import type { KubeObject, ObjectRef } from './kube-api.ts';
import { silentLogger } from './log.ts';
import type { Logger } from './log.ts';
import { EngineMetrics } from './metrics.ts';
import type { RateLimiterOptions } from './rate-limiter.ts';
import { WorkQueue } from './work-queue.ts';

/** What a reconcile is given besides its key. */
export interface ReconcileContext {
  /** Aborts when the process may no longer act, or when the reconcile took longer than it may. */
  signal: AbortSignal;
  log: Logger;
  clock: Clock;
  /** Failures of this key in a row before this run. */
  failures: number;
}

/** Nothing: wait for the next change. `requeueAfterMs`: also come back then, without a change. */
export interface ReconcileResult {
  requeueAfterMs?: number;
}

/** Makes the world as the object named `key` wants it. Throws to be called again, later each time. */
export type Reconciler = (key: ObjectRef, context: ReconcileContext) => Promise<ReconcileResult | void>;

export interface ControllerOptions {
  /** Names it in logs and metrics. */
  name: string;
  reconcile: Reconciler;
  clock: Clock;
  log?: Logger;
  metrics?: EngineMetrics;
  /** Keys reconciled at the same time. Default 4. */
  concurrency?: number;
  /** A reconcile's signal aborts after this. Default 2 minutes. */
  timeoutMs?: number;
  /** How long a stop waits for running reconciles before their signal aborts. Default 20 s. */
  graceMs?: number;
  /** How long a stop waits after that. Default 5 s. */
  abandonMs?: number;
  rateLimiter?: RateLimiterOptions;
}

/** Which keys an object's change concerns. */
export type KeyMapper<T extends KubeObject> = (object: T) => readonly ObjectRef[];

export class Controller {
  readonly name: string;
  readonly #reconcile: Reconciler;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #metrics: EngineMetrics;
  readonly #queue: WorkQueue;
  readonly #options: Required<Pick<ControllerOptions, 'concurrency' | 'timeoutMs' | 'graceMs' | 'abandonMs'>>;
  readonly #synced: ((signal: AbortSignal) => Promise<void>)[] = [];
  readonly #running = new Set<AbortController>();
  #active = 0;

  constructor(options: ControllerOptions) {
    this.name = options.name;
    this.#reconcile = options.reconcile;
    this.#clock = options.clock;
    this.#log = (options.log ?? silentLogger).child({ controller: options.name });
    this.#metrics = options.metrics ?? new EngineMetrics();
    this.#options = {
      concurrency: options.concurrency ?? 4,
      timeoutMs: options.timeoutMs ?? 120_000,
      graceMs: options.graceMs ?? 20_000,
      abandonMs: options.abandonMs ?? 5_000,
    };
    this.#queue = new WorkQueue({
      name: options.name,
      clock: options.clock,
      metrics: this.#metrics,
      ...(options.rateLimiter === undefined ? {} : { rateLimiter: options.rateLimiter }),
    });
    this.#metrics.maxConcurrent.set({ controller: options.name }, this.#options.concurrency);
    this.#metrics.activeWorkers.set({ controller: options.name }, 0);
  }

  /** Reconciles `ref` soon, or after `delayMs`. */
  enqueue(ref: ObjectRef, delayMs = 0): void {
    this.#queue.addAfter(keyOf(ref), delayMs);
  }

  /** Keys that wait for a worker. */
  get pending(): number {
    return this.#queue.length;
  }

  /** Reconciles that run now. */
  get active(): number {
    return this.#active;
  }

  /** True when nothing waits, and nothing runs; what waits for its time isn't counted. */
  get idle(): boolean {
    return this.#queue.length === 0 && this.#active === 0;
  }

  /**
   * Every change that `informer` sees enqueues what `map` says, for an update of both the old and the new
   * object. {@link run} first waits until the informer has synced. Call it before the informer runs, or call
   * it later: what is in the cache is then enqueued at once.
   */
  watches<T extends KubeObject>(informer: Informer<T>, map: KeyMapper<T>): this {
    const enqueue = (object: T): void => {
      for (const ref of map(object)) this.#queue.add(keyOf(ref));
    };
    informer.onChange({
      add: enqueue,
      update: (before, after) => {
        enqueue(before);
        enqueue(after);
      },
      delete: enqueue,
    });
    this.#synced.push((signal) => informer.whenSynced(signal));
    return this;
  }

  /**
   * Works until `stop` aborts, then waits for what runs: `graceMs` undisturbed, then with its signal aborted.
   * `abandon` (leadership lost) aborts what runs at once. Resolves true when every reconcile has ended.
   */
  async run(stop: AbortSignal, abandon: AbortSignal = new AbortController().signal): Promise<boolean> {
    const either = AbortSignal.any([stop, abandon]);
    try {
      await Promise.all(this.#synced.map((wait) => wait(either)));
    } catch (error) {
      if (!either.aborted) throw error;
    }
    const workers = Array.from({ length: this.#options.concurrency }, () => this.#work());
    const ended = Promise.all(workers);
    if (!either.aborted) await onceAborted(either);
    this.#queue.shutDown();
    if (!abandon.aborted && this.#active > 0) {
      this.#log.info('stopping: waiting for running reconciles', { running: this.#active });
      await this.#within(this.#options.graceMs, Promise.race([ended, onceAborted(abandon)]));
    }
    const reason = new Error(abandon.aborted ? 'leadership was lost' : 'the controller is stopping');
    for (const run of this.#running) run.abort(reason);
    await this.#within(this.#options.abandonMs, ended);
    if (this.#active > 0) {
      this.#log.warn('stopped without waiting any longer for running reconciles', { running: this.#active });
    }
    return this.#active === 0;
  }

  async #work(): Promise<void> {
    for (let key = await this.#queue.take(); key !== undefined; key = await this.#queue.take()) {
      this.#active += 1;
      this.#metrics.activeWorkers.inc({ controller: this.name });
      try {
        await this.#one(key);
      } finally {
        this.#active -= 1;
        this.#metrics.activeWorkers.dec({ controller: this.name });
        this.#queue.done(key);
      }
    }
  }

  async #one(key: string): Promise<void> {
    const controller = this.name;
    const log = this.#log.child({ key });
    const began = this.#clock.now();
    const run = new AbortController();
    this.#running.add(run);
    const timer = this.#limitTime(run);
    const failures = this.#queue.failures(key);
    try {
      const context = { signal: run.signal, log, clock: this.#clock, failures };
      const result = await this.#reconcile(parseKey(key), context);
      this.#succeeded(key, result ?? {});
    } catch (error) {
      this.#metrics.reconciles.inc({ controller, result: 'error' });
      this.#metrics.reconcileErrors.inc({ controller });
      const retryInMs = this.#queue.addRateLimited(key);
      log.error('reconcile failed', { error, failures: failures + 1, retryInMs: Math.round(retryInMs) });
    } finally {
      timer.abort();
      this.#running.delete(run);
      const ms = this.#clock.now() - began;
      this.#metrics.reconcileTime.observe({ controller }, ms / 1000);
      log.debug('reconcile ended', { ms });
    }
  }

  /** Aborts `run` when it takes too long; abort what is returned to stop the timer. */
  #limitTime(run: AbortController): AbortController {
    const timer = new AbortController();
    this.#clock.sleep(this.#options.timeoutMs, timer.signal).then(
      () => run.abort(new Error(`reconcile took longer than ${this.#options.timeoutMs / 1000} s`)),
      (error: unknown) => {
        if (!timer.signal.aborted) throw error;
      },
    );
    return timer;
  }

  #succeeded(key: string, result: ReconcileResult): void {
    this.#queue.forget(key);
    const again = result.requeueAfterMs;
    this.#metrics.reconciles.inc({
      controller: this.name,
      result: again === undefined ? 'success' : 'requeue_after',
    });
    if (again !== undefined) this.#queue.addAfter(key, again);
  }

  /** Waits for `what`, but not longer than `ms`. */
  async #within(ms: number, what: Promise<unknown>): Promise<void> {
    const timer = new AbortController();
    const timeout = this.#clock.sleep(ms, timer.signal).catch((error: unknown) => {
      if (!timer.signal.aborted) throw error;
    });
    await Promise.race([what, timeout]);
    timer.abort();
  }
}

/** Maps an object to its controlling owner, if that is of the given kind: for {@link Controller.watches}. */
export function ownerOfKind<T extends KubeObject>(owner: { apiVersion: string; kind: string }): KeyMapper<T> {
  return (object) => {
    const namespace = object.metadata.namespace;
    return (object.metadata.ownerReferences ?? [])
      .filter((each) => each.kind === owner.kind && each.apiVersion === owner.apiVersion)
      .map(({ name }) => (namespace === undefined ? { name } : { namespace, name }));
  };
}

/** Maps an object to the one in its namespace that its label names: for {@link Controller.watches}. */
export function namedByLabel<T extends KubeObject>(label: string): KeyMapper<T> {
  return (object) => {
    const name = object.metadata.labels?.[label];
    const namespace = object.metadata.namespace;
    if (name === undefined || name === '') return [];
    return [namespace === undefined ? { name } : { namespace, name }];
  };
}

/** Resolves when `signal` has aborted. */
async function onceAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
