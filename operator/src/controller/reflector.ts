/** Follows one kind in one scope for ever: list, watch from there, and begin again after every end. */
import { abortable, Backoff } from './backoff.ts';
import type { Clock } from './clock.ts';
import { isExpired } from './kube-api.ts';
import type { KubeApi, KubeList, KubeObject, ListOptions, ResourceKind, WatchEvent } from './kube-api.ts';
import type { Logger } from './log.ts';
import type { EngineMetrics } from './metrics.ts';

/** Why a list was made. */
export type ListReason = 'start' | 'expired' | 'periodic';

/** Where the news goes. */
export interface ReflectorSink<T extends KubeObject> {
  /** A list begins; the watch may go on meanwhile. */
  listing(reason: ListReason): void;
  listed(list: KubeList<T>, reason: ListReason): void;
  changed(event: WatchEvent<T>): void;
}

export interface ReflectorOptions<T extends KubeObject> {
  api: KubeApi;
  kind: ResourceKind;
  scope: ListOptions;
  clock: Clock;
  log: Logger;
  metrics: EngineMetrics;
  /** Time between two periodic lists, before jitter of ±10%. */
  relistMs: number;
  sink: ReflectorSink<T>;
}

/** A watch that ends sooner than this, and said nothing, is not healthy: the next one waits. */
const SHORT_WATCH_MS = 1000;

export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>;
  readonly #backoff: Backoff;
  #lastContact: number;
  /** From where the watch goes on; undefined: list first. */
  #resumeFrom: string | undefined;
  #listed = false;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#backoff = new Backoff(options.clock, 800, 30_000);
    this.#lastContact = options.clock.now();
  }

  /** When the API server last said anything, in ms since the epoch. */
  get lastContact(): number {
    return this.#lastContact;
  }

  /** Runs until `signal` aborts; no failure ends it. */
  async run(signal: AbortSignal): Promise<void> {
    this.#lastContact = this.#options.clock.now();
    await Promise.all([this.#follow(signal), this.#relist(signal)]);
  }

  async #follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#resumeFrom === undefined) await this.#list(this.#listed ? 'expired' : 'start', signal);
        await this.#watchOnce(signal);
      } catch (error) {
        if (signal.aborted) return;
        await this.#recover(error, signal);
      }
    }
  }

  async #list(reason: ListReason, signal: AbortSignal): Promise<void> {
    const { api, kind, scope, metrics, sink } = this.#options;
    sink.listing(reason);
    const list = await abortable(api.list<T>(kind, scope), signal);
    metrics.informerLists.inc({ kind: kind.kind, reason });
    this.#lastContact = this.#options.clock.now();
    this.#listed = true;
    // A periodic list doesn't move the watch: what the watch tells next shows whether it had missed anything.
    if (reason !== 'periodic') this.#resumeFrom = list.resourceVersion;
    sink.listed(list, reason);
  }

  async #watchOnce(signal: AbortSignal): Promise<void> {
    const { api, kind, scope, clock, metrics, sink } = this.#options;
    const resourceVersion = this.#resumeFrom ?? '';
    const began = clock.now();
    let heard = false;
    for await (const event of api.watch<T>(kind, { ...scope, resourceVersion }, signal)) {
      // An iterator may still hold news when the signal aborts: nobody wants it any more.
      if (signal.aborted) return;
      heard = true;
      this.#backoff.reset();
      this.#lastContact = clock.now();
      this.#resumeFrom =
        event.type === 'BOOKMARK'
          ? event.resourceVersion
          : (event.object.metadata.resourceVersion ?? this.#resumeFrom);
      metrics.informerEvents.inc({ kind: kind.kind, type: event.type.toLowerCase() });
      sink.changed(event);
    }
    if (signal.aborted) return;
    metrics.informerRestarts.inc({ kind: kind.kind, reason: 'closed' });
    if (!heard && clock.now() - began < SHORT_WATCH_MS) await this.#pause(signal);
  }

  async #recover(error: unknown, signal: AbortSignal): Promise<void> {
    const { kind, scope, log, metrics } = this.#options;
    const expired = isExpired(error);
    if (expired) this.#resumeFrom = undefined;
    metrics.informerRestarts.inc({ kind: kind.kind, reason: expired ? 'expired' : 'failed' });
    const waitMs = this.#backoff.next();
    const fields = { kind: kind.kind, namespace: scope.namespace, error, retryInMs: Math.round(waitMs) };
    if (expired) log.info('watch is too far behind: listing anew', fields);
    else log.warn('list or watch failed', fields);
    await this.#sleep(waitMs, signal);
  }

  /** Now and then a list, beside the watch, in case the watch doesn't tell all. */
  async #relist(signal: AbortSignal): Promise<void> {
    const { clock, kind, log, relistMs } = this.#options;
    const backoff = new Backoff(clock, 800, 30_000);
    let waitMs = relistMs * (0.9 + 0.2 * clock.random());
    while (await this.#sleep(waitMs, signal)) {
      try {
        // Before the first list of the watch there is nothing to compare with.
        if (this.#listed) await this.#list('periodic', signal);
        backoff.reset();
        waitMs = relistMs * (0.9 + 0.2 * clock.random());
      } catch (error) {
        if (signal.aborted) return;
        waitMs = backoff.next();
        log.warn('periodic list failed', { kind: kind.kind, error, retryInMs: Math.round(waitMs) });
      }
    }
  }

  async #pause(signal: AbortSignal): Promise<void> {
    await this.#sleep(this.#backoff.next(), signal);
  }

  /** False when the signal aborted. */
  async #sleep(ms: number, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#options.clock.sleep(ms, signal);
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      throw error;
    }
  }
}
