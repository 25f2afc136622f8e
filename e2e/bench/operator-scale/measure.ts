/** One run with one number of platforms: create, steady state, restart. */
import { difference } from '../common/exposition.ts';
import { percentile } from '../replication/report.ts';
import type { OperatorProcess, Snapshot } from './operator-process.ts';
import type { ReadyTimes } from './platforms.ts';

/** Milliseconds. */
export interface Times {
  p50: number;
  p95: number;
  p99: number;
  max: number;
  mean: number;
}

/** What the operator did between two snapshots. */
export interface Phase {
  seconds: number;
  reconciles: number;
  reconcileErrors: number;
  /** Of one reconcile, from its own log; waits for the API server and Kafka are in it. */
  reconcileMs: Times;
  /** Requests to the API server by method. */
  requests: Record<string, number>;
  requestsPerReconcile: number;
  /** Successful writes by kind. */
  writes: Record<string, number>;
  cpuSeconds: number;
  cpuSecondsPerMinute: number;
  rssMiB: number;
  anonymousMiB: number;
  peakMiB: number;
}

/** One run with one number of platforms. */
export interface ScaleRun {
  platforms: number;
  ready: ReturnType<typeof readySummary>;
  create: Phase;
  steady: Phase;
  restart: Phase & { caughtUpSeconds: number };
}

/** How long each of many things took. */
export function times(values: readonly number[]): Times {
  return {
    p50: percentile(values, 50),
    p95: percentile(values, 95),
    p99: percentile(values, 99),
    max: Math.max(...values),
    mean: values.reduce((sum, value) => sum + value, 0) / values.length,
  };
}

/** Ready times of platforms; seconds. */
export function readySummary({ allMs, createdMs, each }: ReadyTimes): {
  allSeconds: number;
  createdSeconds: number;
  eachP50: number;
  eachP99: number;
} {
  return {
    allSeconds: allMs / 1000,
    createdSeconds: createdMs / 1000,
    eachP50: percentile(each, 50) / 1000,
    eachP99: percentile(each, 99) / 1000,
  };
}

/** Sums up what happened from `before` to `after`. */
export async function phase(operator: OperatorProcess, before: Snapshot, after: Snapshot): Promise<Phase> {
  const delta = (name: string): number => after.metrics.sum(name) - before.metrics.sum(name);
  const seconds = (after.at - before.at) / 1000;
  const reconciles = after.reconciles - before.reconciles;
  const cpuSeconds = after.usage.cpuSeconds - before.usage.cpuSeconds;
  const logged = await operator.reconcileTimes(before.reconciles, after.reconciles);
  return {
    seconds,
    reconciles,
    reconcileErrors: delta('controller_runtime_reconcile_errors_total'),
    reconcileMs: times(logged),
    requests: difference(
      after.metrics.by('rest_client_requests_total', 'method'),
      before.metrics.by('rest_client_requests_total', 'method'),
    ),
    requestsPerReconcile: delta('rest_client_requests_total') / reconciles,
    writes: difference(
      after.metrics.by('causeway_api_writes_total', 'kind'),
      before.metrics.by('causeway_api_writes_total', 'kind'),
    ),
    cpuSeconds,
    cpuSecondsPerMinute: (cpuSeconds / seconds) * 60,
    rssMiB: after.usage.rssMiB,
    anonymousMiB: after.usage.anonymousMiB,
    peakMiB: after.usage.peakMiB,
  };
}
