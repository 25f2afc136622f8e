/** Kubernetes events (events.k8s.io/v1): written in the background, repeats as a series (KEP-383). */
import type { Clock } from './clock.ts';
import { toMicroTime } from './conditions.ts';
import { isNotFound, isRefusal } from './kube-api.ts';
import type { KubeApi, KubeObject, ObjectMeta, ResourceKind } from './kube-api.ts';
import { silentLogger } from './log.ts';
import type { Logger } from './log.ts';
import { EngineMetrics } from './metrics.ts';
import { TokenBucket } from './rate-limiter.ts';

export const EVENT_KIND: ResourceKind = {
  apiVersion: 'events.k8s.io/v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
};

/** What happened to an object. */
export interface EventInput {
  type: 'Normal' | 'Warning';
  /** CamelCase, at most 128 characters: for programs. */
  reason: string;
  /** For people; cut at 1024 characters. */
  note: string;
  /** What the operator did or tried, CamelCase. Default: `Reconcile`. */
  action?: string;
  /** A second object that it concerns. */
  related?: KubeObject;
}

/** Tells an object's story. Never blocks, never throws. */
export interface EventRecorder {
  event(regarding: KubeObject, input: EventInput): void;
}

/** A recorder that says nothing. */
export const noEvents: EventRecorder = { event: () => undefined };

export interface ObjectReference {
  apiVersion: string;
  kind: string;
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
}

/** events.k8s.io/v1 Event. */
export interface KubeEvent extends KubeObject {
  metadata: ObjectMeta;
  eventTime: string;
  reportingController: string;
  reportingInstance: string;
  type: string;
  reason: string;
  action: string;
  note: string;
  regarding: ObjectReference;
  related?: ObjectReference;
  series?: { count: number; lastObservedTime: string };
}

export interface ApiEventRecorderOptions {
  api: KubeApi;
  clock: Clock;
  /** Such as `causeway.dev/operator`. */
  controller: string;
  /** Which process: its pod's name. */
  instance: string;
  /** Where events of objects without a namespace go. Default `default`. */
  defaultNamespace?: string;
  log?: Logger;
  metrics?: EngineMetrics;
  /** Events that may wait to be written; more are dropped. Default 1000. */
  capacity?: number;
}

/** A repeat within this time of the last one belongs to the same series. */
const SERIES_GAP_MS = 6 * 60_000;
/** A series that goes on is written again only this often. */
const SERIES_REFRESH_MS = 30 * 60_000;
/** New events of one object: this many at once, then one in five minutes (client-go's spam filter). */
const SPAM_BURST = 25;
const SPAM_PER_SECOND = 1 / 300;
/** Objects and series that are remembered; the oldest go first. */
const REMEMBERED = 4096;
const ATTEMPTS = 3;

interface Series {
  event: KubeEvent;
  lastSeen: number;
  lastWritten: number;
  created: boolean;
}

/** Writes events through the API. Start {@link run}, or nothing is written. */
export class ApiEventRecorder implements EventRecorder {
  readonly #options: ApiEventRecorderOptions;
  readonly #log: Logger;
  readonly #metrics: EngineMetrics;
  readonly #capacity: number;
  readonly #series = new Map<string, Series>();
  readonly #spam = new Map<string, TokenBucket>();
  /** Keys of series that are to be written. */
  readonly #outbox = new Map<string, Series>();
  #wake: (() => void) | undefined;
  #sequence = 0;

  constructor(options: ApiEventRecorderOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
    this.#metrics = options.metrics ?? new EngineMetrics();
    this.#capacity = options.capacity ?? 1000;
  }

  /** Events that wait to be written. */
  get pending(): number {
    return this.#outbox.size;
  }

  event(regarding: KubeObject, input: EventInput): void {
    const now = this.#options.clock.now();
    const key = seriesKey(regarding, input);
    const known = this.#series.get(key);
    if (known !== undefined && now - known.lastSeen <= SERIES_GAP_MS) this.#repeat(key, known, now);
    else this.#first(key, this.#compose(regarding, input, now), now);
  }

  /** Writes what comes, until `signal` aborts; then writes what still waits, each once, and resolves. */
  async run(signal: AbortSignal): Promise<void> {
    const aborted = (): void => this.#wake?.();
    signal.addEventListener('abort', aborted);
    try {
      while (!signal.aborted) {
        await this.#flush(signal);
        if (signal.aborted || this.#outbox.size > 0) continue;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      await this.#flush(signal);
    } finally {
      signal.removeEventListener('abort', aborted);
    }
  }

  #first(key: string, event: KubeEvent, now: number): void {
    const about = event.regarding.uid ?? `${event.regarding.kind}/${event.regarding.name}`;
    const bucket = recall(this.#spam, about, () => new TokenBucket(SPAM_PER_SECOND, SPAM_BURST, now));
    if (!bucket.tryTake(now)) {
      this.#metrics.eventsDropped.inc({ reason: 'spam' });
      return;
    }
    const series: Series = { event, lastSeen: now, lastWritten: now, created: false };
    this.#series.delete(key);
    this.#series.set(key, series);
    trim(this.#series);
    this.#put(key, series);
  }

  #repeat(key: string, series: Series, now: number): void {
    const count = (series.event.series?.count ?? 1) + 1;
    series.event = { ...series.event, series: { count, lastObservedTime: toMicroTime(now) } };
    series.lastSeen = now;
    // The second occurrence makes it a series, at once; after that now and then is enough.
    if (count > 2 && now - series.lastWritten < SERIES_REFRESH_MS) return;
    series.lastWritten = now;
    this.#put(key, series);
  }

  #put(key: string, series: Series): void {
    if (this.#outbox.size >= this.#capacity && !this.#outbox.has(key)) {
      this.#metrics.eventsDropped.inc({ reason: 'full' });
      return;
    }
    this.#outbox.set(key, series);
    this.#wake?.();
  }

  async #flush(signal: AbortSignal): Promise<void> {
    for (const [key, series] of this.#outbox) {
      this.#outbox.delete(key);
      await this.#write(series, signal);
    }
  }

  async #write(series: Series, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#send(series);
        return;
      } catch (error) {
        // Refused for good, as in a namespace that is going: the events behind it must not wait for it.
        if (attempt >= ATTEMPTS || isRefusal(error) || signal.aborted) {
          this.#metrics.eventsDropped.inc({ reason: 'failed' });
          const { reason, regarding } = series.event;
          this.#log.warn('an event could not be written', { error, reason, regarding: regarding.name });
          return;
        }
      }
      // An abort during the pause only ends the pause.
      await clock.sleep(500 * attempt * (1 + clock.random()), signal).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
    }
  }

  async #send(series: Series): Promise<void> {
    const { api } = this.#options;
    const { event } = series;
    const { name, namespace } = event.metadata;
    if (series.created && event.series !== undefined) {
      try {
        await api.mergePatch(
          EVENT_KIND,
          { name, ...(namespace === undefined ? {} : { namespace }) },
          { series: event.series },
        );
        return;
      } catch (error) {
        // Events live for an hour: one that has gone is made anew.
        if (!isNotFound(error)) throw error;
      }
    }
    await api.create(EVENT_KIND, event);
    series.created = true;
  }

  #compose(regarding: KubeObject, input: EventInput, now: number): KubeEvent {
    const { controller, instance, defaultNamespace } = this.#options;
    const { name, namespace } = regarding.metadata;
    this.#sequence += 1;
    return {
      apiVersion: EVENT_KIND.apiVersion,
      kind: EVENT_KIND.kind,
      metadata: {
        name: `${name.slice(0, 200)}.${now.toString(16)}.${this.#suffix()}`,
        namespace: namespace ?? defaultNamespace ?? 'default',
      },
      eventTime: toMicroTime(now),
      reportingController: controller,
      reportingInstance: instance,
      type: input.type,
      reason: input.reason.slice(0, 128),
      action: (input.action ?? 'Reconcile').slice(0, 128),
      note: input.note.length > 1024 ? `${input.note.slice(0, 1023)}…` : input.note,
      regarding: referenceTo(regarding),
      ...(input.related === undefined ? {} : { related: referenceTo(input.related) }),
    };
  }

  /** Apart from other events of this process by a number, and from other processes' by chance. */
  #suffix(): string {
    const chance = Math.floor(this.#options.clock.random() * 0x1_0000_0000).toString(16);
    return `${chance}${this.#sequence.toString(16)}`;
  }
}

function referenceTo(object: KubeObject): ObjectReference {
  const { name, namespace, uid, resourceVersion } = object.metadata;
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
}

/** The note belongs to it, unlike in client-go: another text is another event, and people want to read it. */
function seriesKey(regarding: KubeObject, input: EventInput): string {
  const { namespace, name, uid } = regarding.metadata;
  const about = [regarding.kind, namespace, name, uid, input.related?.metadata.uid];
  return JSON.stringify([...about, input.type, input.reason, input.action, input.note]);
}

function recall<V>(map: Map<string, V>, key: string, make: () => V): V {
  const value = map.get(key) ?? make();
  map.delete(key);
  map.set(key, value);
  trim(map);
  return value;
}

function trim(map: Map<string, unknown>): void {
  for (const key of map.keys()) {
    if (map.size <= REMEMBERED) return;
    map.delete(key);
  }
}
