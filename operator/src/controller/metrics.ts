/** What the engine measures, under the names that controller-runtime and client-go use where they have one. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** client-go's buckets for queue times: from 10 ns to 1000 s, powers of ten. */
const QUEUE_BUCKETS = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100, 1000];
/** controller-runtime's buckets for the time of one reconcile. */
const RECONCILE_BUCKETS = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5,
  1.75, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60,
];

/** One registry with all of the engine's metrics; more can be registered on `registry`. */
export class EngineMetrics {
  readonly registry: Registry = new Registry();
  readonly restRequests = counter(
    this.registry,
    'rest_client_requests_total',
    'HTTP requests to the Kubernetes API, by status code ("<error>" when there was no answer), method and host.',
    ['code', 'method', 'host'],
  );
  readonly restDuration = histogram(
    this.registry,
    ['rest_client_request_duration_seconds', 'Seconds until the answer was whole (watches: until it began).'],
    ['verb', 'host'],
    [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60],
  );
  readonly queueDepth = gauge(this.registry, 'workqueue_depth', 'Keys that wait for a worker.', ['name']);
  readonly queueAdds = counter(
    this.registry,
    'workqueue_adds_total',
    'Keys added, without those already waiting.',
    ['name'],
  );
  readonly queueDuration = histogram(
    this.registry,
    ['workqueue_queue_duration_seconds', 'Seconds that a key waited for a worker.'],
    ['name'],
    QUEUE_BUCKETS,
  );
  readonly workDuration = histogram(
    this.registry,
    ['workqueue_work_duration_seconds', 'Seconds that the work on a key took.'],
    ['name'],
    QUEUE_BUCKETS,
  );
  readonly queueRetries = counter(
    this.registry,
    'workqueue_retries_total',
    'Keys added again with backoff.',
    ['name'],
  );
  readonly reconciles = counter(
    this.registry,
    'controller_runtime_reconcile_total',
    'Reconciles by result: success, error, requeue_after.',
    ['controller', 'result'],
  );
  readonly reconcileErrors = counter(
    this.registry,
    'controller_runtime_reconcile_errors_total',
    'Reconciles that failed.',
    ['controller'],
  );
  readonly reconcileTime = histogram(
    this.registry,
    ['controller_runtime_reconcile_time_seconds', 'Seconds that one reconcile took.'],
    ['controller'],
    RECONCILE_BUCKETS,
  );
  readonly activeWorkers = gauge(
    this.registry,
    'controller_runtime_active_workers',
    'Workers that are reconciling now.',
    ['controller'],
  );
  readonly maxConcurrent = gauge(
    this.registry,
    'controller_runtime_max_concurrent_reconciles',
    'Reconciles that may run at the same time.',
    ['controller'],
  );
  readonly leader = gauge(
    this.registry,
    'leader_election_master_status',
    '1 while this process may act as leader under the lease, else 0.',
    ['name'],
  );
  readonly apiWrites = counter(
    this.registry,
    'causeway_api_writes_total',
    'Writes to the Kubernetes API that succeeded, by kind and verb.',
    ['kind', 'verb'],
  );
  readonly applySkips = counter(
    this.registry,
    'causeway_apply_skipped_total',
    'Applies that were left out because the object already is as it should be.',
    ['kind'],
  );
  readonly informerObjects = gauge(this.registry, 'causeway_informer_objects', 'Objects in the cache.', [
    'kind',
  ]);
  readonly informerStaleness = gauge(
    this.registry,
    'causeway_informer_staleness_seconds',
    'Seconds since the API server last said anything about this kind (event, bookmark or list).',
    ['kind'],
  );
  readonly informerEvents = counter(
    this.registry,
    'causeway_informer_events_total',
    'Watch events received, by type.',
    ['kind', 'type'],
  );
  readonly informerRestarts = counter(
    this.registry,
    'causeway_informer_watch_restarts_total',
    'Watches and lists that ended and were begun again, by reason: closed, expired, failed.',
    ['kind', 'reason'],
  );
  readonly informerLists = counter(
    this.registry,
    'causeway_informer_lists_total',
    'Full lists, by reason: start, expired, periodic.',
    ['kind', 'reason'],
  );
  readonly informerRelistFound = counter(
    this.registry,
    'causeway_informer_relist_found_total',
    'Changes that only a periodic list found and the watch never told: anything over 0 is a bug of a watch.',
    ['kind'],
  );
  readonly eventsDropped = counter(
    this.registry,
    'causeway_events_dropped_total',
    'Kubernetes events that were not written, by reason: full, spam, failed.',
    ['reason'],
  );
}

/** A new registry; with `process: true` also Node's own figures (memory, CPU, event loop). */
export function createMetrics(options: { process?: boolean } = {}): EngineMetrics {
  const metrics = new EngineMetrics();
  if (options.process === true) collectDefaultMetrics({ register: metrics.registry });
  return metrics;
}

function counter<L extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: L[],
): Counter<L> {
  return new Counter({ name, help, labelNames, registers: [registry] });
}

function gauge<L extends string>(registry: Registry, name: string, help: string, labelNames: L[]): Gauge<L> {
  return new Gauge({ name, help, labelNames, registers: [registry] });
}

function histogram<L extends string>(
  registry: Registry,
  [name, help]: [string, string],
  labelNames: L[],
  buckets: number[],
): Histogram<L> {
  return new Histogram({ name, help, labelNames, buckets, registers: [registry] });
}
