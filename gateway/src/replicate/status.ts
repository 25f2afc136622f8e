/** What a replicator says about itself: phase, readiness, lag, metrics. */
import type { LinkState, OrphanReport, ReplicationState } from '@causeway/crds';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { changesBytes } from '../etcd/index.ts';
import type { SnapshotReason } from './checkpoint.ts';
import { LagTracker } from './lag.ts';
import type { PlannedTransaction } from './plan.ts';

/** Lost connections are made again within this time without the replicator being called unready, milliseconds. */
const GRACE_MS = 10_000;
/** A target this close has caught up, seconds. */
const CAUGHT_UP_SECONDS = 5;
/** Lag from which replication counts as stalled, seconds. */
const STALLED_SECONDS = 60;
/** Without any answer or attempt for this long the process doesn't work, milliseconds. */
const DEAD_MS = 120_000;

/** The state of one replicator. Changed by its session, read by its admin endpoint. */
export class Status {
  readonly lag: LagTracker;
  readonly metrics: ReplicationMetrics;
  readonly #epoch: number;
  readonly #now: () => number;
  #phase: ReplicationState['phase'] = 'Connecting';
  #reason = 'not connected yet';
  #caughtUp = false;
  #connectedAt: number | undefined;
  #aliveAt: number;
  /** What the present session connects with. */
  link: LinkState = {};
  /** What was kept aside in this zone, and is still there. */
  orphans: readonly OrphanReport[] = [];

  constructor(epoch: number, now: () => number = Date.now) {
    this.#epoch = epoch;
    this.#now = now;
    this.lag = new LagTracker(now());
    this.#aliveAt = now();
    this.metrics = new ReplicationMetrics(this, now);
    this.metrics.epoch.set(epoch);
  }

  get phase(): ReplicationState['phase'] {
    return this.#phase;
  }

  /** A new phase. `reason`: why it isn't ready, empty while following. */
  enter(phase: ReplicationState['phase'], reason: string): void {
    this.#phase = phase;
    this.#reason = reason;
    this.alive();
  }

  /** A sign of life. */
  alive(): void {
    this.#aliveAt = this.#now();
  }

  /** The source was seen at `revision`, and both sides answer. */
  seen(revision: bigint): void {
    this.#connectedAt = this.#now();
    this.lag.observe(revision, this.#connectedAt);
  }

  /** The target is whole up to the source's `revision`. */
  reached(revision: bigint): void {
    this.lag.reach(revision);
    if (!this.#caughtUp && this.#phase === 'Following') {
      const { seconds, revisions, isMeasured } = this.lag.lag(this.#now());
      this.#caughtUp = revisions === 0n || (isMeasured && seconds <= CAUGHT_UP_SECONDS);
    }
  }

  /** A transaction is in the target. */
  committed(transaction: PlannedTransaction, seconds: number): void {
    const { metrics } = this;
    metrics.transactions.inc();
    metrics.revisions.inc(transaction.revisions);
    metrics.bytes.inc(changesBytes(transaction.changes));
    const puts = transaction.changes.filter(({ value }) => value !== undefined).length;
    metrics.keys.inc({ op: 'put' }, puts);
    metrics.keys.inc({ op: 'delete' }, transaction.changes.length - puts);
    metrics.transactionSeconds.observe(seconds);
    if (transaction.split) metrics.splitTransactions.inc();
  }

  /** What is missing for readiness; `undefined` when nothing is. */
  notReady(): string | undefined {
    switch (this.#phase) {
      case 'Following':
        return this.#caughtUp ? undefined : 'catching up with the source';
      case 'Connecting': {
        const recently = this.#connectedAt !== undefined && this.#now() - this.#connectedAt < GRACE_MS;
        return recently && this.#caughtUp ? undefined : this.#reason;
      }
      default:
        return this.#reason;
    }
  }

  /** Why the process doesn't work; `undefined` while it does. */
  notAlive(): string | undefined {
    const silent = this.#now() - this.#aliveAt;
    return silent > DEAD_MS ? `nothing happened for ${Math.round(silent / 1000)} s` : undefined;
  }

  /** Whether replication makes no headway, for whatever cause. */
  stalled(): boolean {
    if (this.#phase === 'Fenced' || this.#phase === 'Blocked') return true;
    return this.lag.lag(this.#now()).seconds > STALLED_SECONDS;
  }

  /** All of it, for `/replication`. */
  state(): ReplicationState {
    const { source, position } = this.lag;
    const { revisions, seconds } = this.lag.lag(this.#now());
    return {
      phase: this.#phase,
      reason: this.notReady() ?? '',
      epoch: this.#epoch,
      ...(position !== undefined && { revision: position.toString() }),
      ...(source !== undefined && { sourceRevision: source.toString() }),
      ...(revisions !== undefined && { lagRevisions: Number(revisions) }),
      lagSeconds: seconds,
      ...(this.orphans.length > 0 && { orphans: [...this.orphans] }),
    };
  }
}

const PREFIX = 'causeway_replication_';

/** The metrics of one replicator, in a registry of their own. */
export class ReplicationMetrics {
  readonly registry = new Registry();
  readonly epoch = this.#gauge('epoch', 'Epoch of the home whose etcd is replicated');
  readonly revisions = this.#counter('revisions_total', 'Source revisions written whole');
  readonly keys = new Counter({
    name: `${PREFIX}keys_total`,
    help: 'Keys written, by operation',
    labelNames: ['op'] as const,
    registers: [this.registry],
  });
  readonly bytes = this.#counter('bytes_total', 'Bytes of keys and values written, about');
  readonly transactions = this.#counter('transactions_total', 'Transactions committed in the target');
  readonly splitTransactions = this.#counter(
    'split_transactions_total',
    'Transactions that wrote a part of a revision too large for one transaction',
  );
  readonly transactionSeconds = new Histogram({
    name: `${PREFIX}transaction_seconds`,
    help: 'Time of one transaction in the target',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
    registers: [this.registry],
  });
  readonly snapshots = new Counter({
    name: `${PREFIX}snapshots_total`,
    help: 'Snapshots begun, by reason',
    labelNames: ['reason'] as const,
    registers: [this.registry],
  });
  readonly sessions = this.#counter('sessions_total', 'Times that both sides were connected anew');
  readonly errors = new Counter({
    name: `${PREFIX}errors_total`,
    help: 'Sessions that ended with an error, by kind',
    labelNames: ['kind'] as const,
    registers: [this.registry],
  });
  readonly bufferedBytes = this.#gauge('buffered_bytes', 'Bytes of changes read and not yet written');

  /** `now`: milliseconds, as `status` counts them. */
  constructor(status: Status, now: () => number) {
    const read = (name: string, help: string, value: () => number): Gauge =>
      new Gauge({
        name: PREFIX + name,
        help,
        registers: [this.registry],
        collect() {
          this.set(value());
        },
      });
    const { lag } = status;
    read('lag_revisions', 'Revisions that the source is ahead; NaN while unknown', () =>
      toNumber(lag.lag(now()).revisions),
    );
    read(
      'lag_seconds',
      'Seconds since the target had all that the source had, or since the replicator began; 0 while it has',
      () => lag.lag(now()).seconds,
    );
    read('revision', 'Source revision up to which the target is whole; NaN while unknown', () =>
      toNumber(lag.position),
    );
    read('source_revision', 'Revision of the source as last seen; NaN while unknown', () =>
      toNumber(lag.source),
    );
    read('fenced', '1 while the target has a higher epoch', () => Number(status.phase === 'Fenced'));
    read('blocked', '1 while only a person can help', () => Number(status.phase === 'Blocked'));
    read('stalled', '1 while fenced, blocked, or more than a minute behind', () => Number(status.stalled()));
    read('orphans', 'Keys that only this zone has, of when it was home, kept aside', () =>
      status.orphans.reduce((keys, report) => keys + report.keys, 0),
    );
    read('snapshot_in_progress', '1 while a snapshot is being written', () =>
      Number(status.phase === 'Snapshot'),
    );
  }

  /** A snapshot begins. */
  snapshot(reason: SnapshotReason): void {
    this.snapshots.inc({ reason });
  }

  #gauge(name: string, help: string): Gauge {
    return new Gauge({ name: PREFIX + name, help, registers: [this.registry] });
  }

  #counter(name: string, help: string): Counter {
    return new Counter({ name: PREFIX + name, help, registers: [this.registry] });
  }
}

function toNumber(revision: bigint | undefined): number {
  return revision === undefined ? Number.NaN : Number(revision);
}
