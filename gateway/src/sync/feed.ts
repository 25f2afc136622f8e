/** Keeps one history of this zone's etcd, for all streams of the gateway, through whatever happens to the connection. */
import { setTimeout as delay } from 'node:timers/promises';
import { ETCD_KEY } from '@causeway/crds';
import type { EtcdConnectionConfig } from '@causeway/crds';
import {
  CompactedError,
  decodeCheckpoint,
  EtcdClient,
  normalizePrefixes,
  readCredentials,
  sameCredentials,
  WatchCompactedError,
} from '../etcd/index.ts';
import type { Credentials } from '../etcd/index.ts';
import type { Log } from '../log/index.ts';
import { reason } from '../log/index.ts';
import { watchFiles } from '../mounted/index.ts';
import { SyncFailure } from './failure.ts';
import { KeyFollower } from './followed-key.ts';
import type { FollowedKey } from './followed-key.ts';
import { checkEpoch, History } from './history.ts';
import type { Mark } from './position.ts';
import { RevisionReader } from './reader.ts';
import { parseEpoch } from './transaction.ts';
import type { Role } from './transaction.ts';

/** Revisions before now that a new gateway reads at once: clients of another one come with positions of just before. */
const BACKFILL = 1_000n;
/** First and longest wait after a broken connection, milliseconds. */
const BACKOFF_MS = 100;
const BACKOFF_MAX_MS = 2_000;
/** How often waiting streams look at clocks, milliseconds. */
const TICK_MS = 1_000;

const CHECKPOINT = Buffer.from(ETCD_KEY.checkpoint);
const EPOCH = Buffer.from(ETCD_KEY.epoch);

/** What is followed. */
export interface FeedJob {
  etcd: EtcdConnectionConfig;
  prefixes: readonly string[];
  role: Role;
  /** A key that the gateway follows for itself. */
  follow?: FollowedKey | undefined;
  log: Log;
  /** A connection broke. */
  failed(): void;
}

/** A connection to etcd, while it lasts. */
interface Connected {
  client: EtcdClient;
  history: History;
}

/** Follows the platform's prefixes: one watch for each, however many streams there are. */
export class Feed {
  readonly prefixes: readonly string[];
  readonly #job: FeedJob;
  readonly #follower: KeyFollower | undefined;
  readonly #stopping = new AbortController();
  #role: Role;
  #restart = new AbortController();
  #history: History | undefined;
  #connected: Connected | undefined;
  #awaySince: number | undefined = performance.now();
  #wake = Promise.withResolvers<void>();
  #running: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #backfill = true;
  #lastReason = '';

  constructor(job: FeedJob) {
    this.#job = job;
    this.#role = job.role;
    this.#follower = job.follow && new KeyFollower(job.follow);
    this.prefixes = normalizePrefixes(job.prefixes);
  }

  /** Begins. Never fails: while etcd is away it is tried again. */
  start(): void {
    this.#timer = setInterval(() => this.#changed(), TICK_MS);
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#restart.abort();
    clearInterval(this.#timer);
    await this.#running;
    this.#changed();
  }

  /**
   * Another home, or another epoch. A zone that is filled before and after goes on: its positions are those of its
   * checkpoints, whoever is home. Elsewhere streams end, and resume in the new history.
   */
  setRole(role: Role): void {
    const before = this.#role;
    if (role.home === before.home && role.epoch === before.epoch) return;
    this.#role = role;
    const isFilled = !before.home && !role.home && role.epoch > before.epoch;
    if (isFilled && this.#connected?.history.goOn(role) === true) {
      this.#job.log.info('following etcd for /sync', { ...role });
      return;
    }
    this.#history?.fail(new SyncFailure('home-moved', 'the home moved: come back, with the same position'));
    this.#history = undefined;
    this.#restart.abort();
    this.#changed();
  }

  /** The history of now; undefined before the first connection. It may be behind while etcd is {@link away}. */
  get history(): History | undefined {
    return this.#history;
  }

  /** A connection that works; undefined while there is none. */
  get client(): EtcdClient | undefined {
    return this.#connected?.client;
  }

  /** Epoch of the home that is followed; 0 while there is no connection that works. */
  get epoch(): number {
    return this.#connected?.history.role.epoch ?? 0;
  }

  /** For how long etcd has been away, milliseconds; 0: it is there. */
  get away(): number {
    return this.#awaySince === undefined ? 0 : performance.now() - this.#awaySince;
  }

  /** Resolves when something may be new, and every second. */
  changed(): Promise<void> {
    return this.#wake.promise;
  }

  #changed(): void {
    const { resolve } = this.#wake;
    this.#wake = Promise.withResolvers<void>();
    resolve();
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (!this.#stopping.signal.aborted) {
      const began = performance.now();
      this.#restart = new AbortController();
      try {
        await this.#session(AbortSignal.any([this.#stopping.signal, this.#restart.signal]));
        failures = 0;
      } catch (error) {
        failures = performance.now() - began > BACKOFF_MAX_MS ? 1 : failures + 1;
        this.#report(error);
      }
      const wait = failures === 0 ? 0 : Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** Math.min(failures, 10));
      const signal = AbortSignal.any([this.#stopping.signal, this.#restart.signal]);
      await delay(wait * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
    }
  }

  /** Returns when the signal aborts. Throws what ended it otherwise. */
  async #session(signal: AbortSignal): Promise<void> {
    const { etcd } = this.#job;
    const credentials = await readCredentials(etcd);
    const client = new EtcdClient(etcd, credentials, () => undefined);
    const stopWatching = this.#watchCredentials(credentials);
    try {
      // First: it counts also while /sync has to wait for another home.
      await this.#follower?.begin(client);
      const history = await this.#goOn(client);
      // Again, at a revision that the watch goes on from at the latest: it may have changed since the first look.
      await this.#follower?.begin(client);
      await this.#follow({ client, history }, signal);
    } finally {
      stopWatching();
      client.close();
      this.#awaySince ??= performance.now();
      this.#connected = undefined;
      this.#changed();
    }
  }

  /** The history before the connection broke, if it goes on here; else another one. Nothing is kept of it yet. */
  async #goOn(client: EtcdClient): Promise<History> {
    const role = this.#role;
    const head = await client.head();
    const { kvs } = await client.range({ key: EPOCH });
    if (kvs[0]) checkEpoch(parseEpoch(kvs[0].value), role);
    const old = this.#history;
    if (old && !old.failure) {
      if (old.clusterId === head.clusterId && old.frontier <= head.revision) return old;
      old.fail(
        new SyncFailure('home-moved', "the zone's etcd was replaced: come back, with the same position"),
      );
    }
    const wanted = this.#backfill && head.revision > BACKFILL ? head.revision - BACKFILL : head.revision;
    const begin = async (after: bigint): Promise<History> =>
      new History({ role, clusterId: head.clusterId, after, mark: await readMark(client, after) });
    try {
      return await begin(wanted);
    } catch (error) {
      if (!(error instanceof CompactedError)) throw error;
      return begin(head.revision);
    }
  }

  async #follow(connected: Connected, signal: AbortSignal): Promise<void> {
    const { client, history } = connected;
    const { revision: head } = await client.head();
    const ended = Promise.withResolvers<void>();
    // It may be over before it is waited for.
    ended.promise.catch(() => undefined);
    const reader = new RevisionReader(
      { client, clusterId: history.clusterId, prefixes: this.prefixes, after: history.frontier },
      {
        revision: (revision) => {
          this.#follower?.take(revision);
          if (history.failure) return;
          try {
            history.add(revision);
          } catch (error) {
            // Without this revision nothing after it can be shown.
            history.fail(error instanceof SyncFailure ? error : unreadable());
            ended.reject(error instanceof Error ? error : new Error(String(error)));
          }
        },
        frontier: (revision) => {
          history.reached(revision);
          if (revision >= head && !history.failure) this.#current(connected);
          this.#changed();
        },
        ended: (error) => ended.reject(error),
      },
    );
    signal.addEventListener('abort', () => ended.resolve(), { once: true });
    try {
      await reader.open();
      if (!signal.aborted) await ended.promise;
    } catch (error) {
      if (error instanceof WatchCompactedError) this.#compacted(history);
      throw error;
    } finally {
      reader.close();
    }
  }

  /** Caught up with what etcd had when we connected. */
  #current(connected: Connected): void {
    if (this.#connected === connected || connected.history.role !== this.#role) return;
    if (this.#awaySince !== undefined)
      this.#job.log.info('following etcd for /sync', { ...connected.history.role });
    this.#connected = connected;
    this.#history = connected.history;
    this.#awaySince = undefined;
    this.#backfill = true;
    this.#lastReason = '';
  }

  #compacted(history: History): void {
    this.#backfill = false;
    history.fail(
      new SyncFailure('compacted', 'the gateway lost its place in etcd: come back, with the same position'),
    );
    if (this.#history === history) this.#history = undefined;
  }

  /** Once for each cause: while it lasts, the metric says so. */
  #report(error: unknown): void {
    this.#job.failed();
    if (error instanceof SyncFailure) {
      this.#history?.fail(error);
      this.#history = undefined;
    }
    const why = reason(error);
    if (why !== this.#lastReason) this.#job.log.warn('/sync is without etcd', { reason: why });
    this.#lastReason = why;
  }

  #watchCredentials(used: Credentials): () => void {
    const { etcd } = this.#job;
    if (etcd.dir === undefined) return () => undefined;
    const restart = this.#restart;
    return watchFiles([etcd.dir], async () => {
      const same = await readCredentials(etcd).then(
        (now) => sameCredentials(used, now),
        // Half written: the connection that there is goes on, and this is looked at again.
        () => true,
      );
      if (!same) restart.abort();
    });
  }
}

function unreadable(): SyncFailure {
  return new SyncFailure(
    'internal',
    "Causeway's own keys in etcd cannot be read; the gateway's log says why",
  );
}

/** The checkpoint at a revision. Throws CompactedError, CheckpointError. */
export async function readMark(client: EtcdClient, revision: bigint): Promise<Mark | undefined> {
  const { kvs } = await client.range({ key: CHECKPOINT, revision: revision.toString() });
  const [kv] = kvs;
  return kv && { checkpoint: decodeCheckpoint(kv.value), at: BigInt(kv.mod_revision) };
}
