/** Sessions one after another, with waits in between that fit what ended the last one. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ReplicatorConfig } from '@causeway/crds';
import type { Log } from '../log/index.ts';
import { reason as textOf } from '../log/index.ts';
import { CredentialsError, normalizePrefixes, RefusedError } from '../etcd/index.ts';
import { SilentWatchError, SourceChangedError } from './follow.ts';
import { UnfencedError } from './orphans.ts';
import { TooLargeError, defaultLimits } from './plan.ts';
import { CredentialsChangedError, runSession } from './session.ts';
import { Status } from './status.ts';
import { BlockedError, ConflictError, FencedError } from './target.ts';

/** What ended a session, and how long to wait before the next: a label of the metric. */
type Kind =
  | 'fenced'
  | 'blocked'
  | 'conflict'
  | 'source-changed'
  | 'silent-watch'
  | 'unfenced'
  | 'credentials'
  | 'too-large'
  | 'connection';

/** While fenced or blocked the cause is looked at again after this time, milliseconds. */
const FENCED_MS = 2000;
const BLOCKED_MS = 5000;
/** While the operator has not fenced an old home, milliseconds. */
const UNFENCED_MS = 1000;
/** First and longest wait after a broken connection, milliseconds. */
const BACKOFF_MS = 100;
const BACKOFF_MAX_MS = 5000;
/**
 * How often in a row a target may refuse a request as too large before that is waited for as well. Each time a session sends
 * half of what was refused: from 1.5 MiB and 128 operations it takes fewer than these.
 */
const TOO_LARGE_TRIES = 20;
/** A session that followed for this long starts the waits over, milliseconds. */
const STEADY_MS = 10_000;

/** A replicator that runs. */
export interface Replicator {
  readonly status: Status;
  /** Finishes the transaction under way and ends. */
  stop(): Promise<void>;
}

/** Starts replicating. Never fails: what goes wrong is in the status, the metrics and the log, and is tried again. */
export function startReplicator(config: ReplicatorConfig, log: Log): Replicator {
  const status = new Status(config.epoch);
  const stopping = new AbortController();
  const running = runSessions(config, log, status, stopping.signal);
  return {
    status,
    async stop() {
      stopping.abort();
      await running;
      status.enter('Stopped', 'stopped');
    },
  };
}

async function runSessions(
  config: ReplicatorConfig,
  log: Log,
  status: Status,
  signal: AbortSignal,
): Promise<void> {
  const prefixes = normalizePrefixes(config.prefixes);
  const limits = { limits: defaultLimits };
  const told = new Set<string>();
  const failures = { all: 0, tooLarge: 0 };
  let lastReason = '';
  while (!signal.aborted) {
    const began = Date.now();
    try {
      await runSession({ config, prefixes, limits, told, status, log, signal });
    } catch (error) {
      if (signal.aborted) return;
      const kind = kindOf(error);
      const reason = textOf(error);
      failures.all = Date.now() - began > STEADY_MS ? 0 : failures.all + 1;
      failures.tooLarge = kind === 'too-large' ? failures.tooLarge + 1 : 0;
      report({ kind, reason, repeated: failures.all > 1 && reason === lastReason }, status, log);
      lastReason = reason;
      await delay(waitFor(kind, failures), undefined, { signal }).catch(() => undefined);
    }
  }
}

const KINDS: readonly [new (...args: never[]) => Error, Kind][] = [
  [FencedError, 'fenced'],
  [BlockedError, 'blocked'],
  [TooLargeError, 'blocked'],
  [CredentialsError, 'blocked'],
  [ConflictError, 'conflict'],
  [SourceChangedError, 'source-changed'],
  [SilentWatchError, 'silent-watch'],
  [UnfencedError, 'unfenced'],
  [CredentialsChangedError, 'credentials'],
  [RefusedError, 'too-large'],
];

function kindOf(error: unknown): Kind {
  return KINDS.find(([type]) => error instanceof type)?.[1] ?? 'connection';
}

function report(
  { kind, reason, repeated }: { kind: Kind; reason: string; repeated: boolean },
  status: Status,
  log: Log,
): void {
  status.metrics.errors.inc({ kind });
  if (kind === 'fenced') status.enter('Fenced', reason);
  else if (kind === 'blocked') status.enter('Blocked', reason);
  else status.enter('Connecting', reason);
  // Once for each cause: while it lasts, the metric and the status say so.
  if (repeated) log.debug('replication is still interrupted', { kind, reason });
  else if (kind === 'credentials') log.info('replication begins again', { kind, reason });
  else if (kind === 'unfenced') log.info('replication waits', { kind, reason });
  else if (kind === 'fenced' || kind === 'blocked') log.error('replication has stopped', { kind, reason });
  else log.warn('replication is interrupted', { kind, reason });
}

/** Milliseconds before the next session. Failures in a row: `all` of short sessions, `tooLarge` of that kind alone. */
export function waitFor(kind: Kind, failures: { all: number; tooLarge: number }): number {
  if (kind === 'credentials' || (kind === 'too-large' && failures.tooLarge <= TOO_LARGE_TRIES)) return 0;
  const jitter = 0.5 + Math.random() / 2;
  if (kind === 'unfenced') return UNFENCED_MS * jitter;
  if (kind === 'fenced') return FENCED_MS * jitter;
  if (kind === 'blocked') return BLOCKED_MS * jitter;
  const times = kind === 'too-large' ? failures.tooLarge - TOO_LARGE_TRIES : failures.all;
  return Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** Math.min(times, 10)) * jitter;
}
