/** One session: both sides connected, the way to go on decided, then snapshot and following until something ends it. */
import type { ReplicationCheckpoint, ReplicatorConfig } from '@causeway/crds';
import type { Log } from '../log/index.ts';
import { innerState, watchFiles } from '../mounted/index.ts';
import { aheadOfHome, snapshotNeeded } from './checkpoint.ts';
import type { SnapshotReason, Source } from './checkpoint.ts';
import {
  CompactedError,
  EtcdClient,
  readCredentials,
  RefusedError,
  sameCredentials,
  unreplicated,
  WatchCompactedError,
} from '../etcd/index.ts';
import type { Credentials, SourceHead, Unreplicated } from '../etcd/index.ts';
import { Follower } from './follow.ts';
import type { LimitsHolder } from './follow.ts';
import { recognize } from './last-change.ts';
import { defaultOrphanLimits, isKeptAside, keepAside, readReports, requireFence } from './orphans.ts';
import { narrow } from './plan.ts';
import type { PlannedTransaction } from './plan.ts';
import { writeSnapshot } from './snapshot.ts';
import type { Status } from './status.ts';
import { BlockedError, marks, readHomes, Target } from './target.ts';
import type { Held } from './target.ts';

/** The mounted Secrets changed: the session begins again with the new ones. */
export class CredentialsChangedError extends Error {
  override name = 'CredentialsChangedError';
}

/** What a session works with. */
export interface SessionJob {
  config: ReplicatorConfig;
  /** Normalized. */
  prefixes: readonly string[];
  limits: LimitsHolder;
  /** Keys of reports that can't be read and have been told of. Kept over sessions. */
  told: Set<string>;
  status: Status;
  log: Log;
  signal: AbortSignal;
}

type Whole = Held & { checkpoint: ReplicationCheckpoint };

/** Reasons for which revisions seen before say nothing. */
const OTHER_HISTORY: ReadonlySet<SnapshotReason> = new Set([
  'home-moved',
  'source-changed',
  'source-went-back',
]);
/** How often it is looked whether what was kept aside is still there, milliseconds. */
const REPORTS_MS = 10_000;
/** Most changes in one transaction of a snapshot. Nested, see `nest`. */
const SNAPSHOT_CHANGES = 2000;

/** Runs until the signal aborts, and then returns; throws what ended it otherwise. */
export async function runSession(job: SessionJob): Promise<void> {
  const { config, status } = job;
  const credentials = {
    source: await readCredentials(config.source),
    target: await readCredentials(config.target),
  };
  const inner = innerState(credentials.source);
  status.link = inner === undefined ? {} : { inner };
  const alive = (): void => status.alive();
  const source = new EtcdClient(config.source, credentials.source, alive);
  const target = new EtcdClient(config.target, credentials.target, alive);
  const ended = new AbortController();
  const changed = new AbortController();
  const signal = AbortSignal.any([job.signal, changed.signal]);
  const watching = watchCredentials(config, credentials, ended.signal, (why) => changed.abort(why));
  try {
    const home = { zone: config.homeZone, epoch: config.epoch };
    await new Session({ ...job, signal }, source, new Target(target, home)).run();
    changed.signal.throwIfAborted();
  } finally {
    ended.abort();
    source.close();
    target.close();
    await watching;
  }
}

/** Calls `changed` once with an error, when the Secrets change or can't be read any more. */
async function watchCredentials(
  { source, target }: ReplicatorConfig,
  used: { source: Credentials; target: Credentials },
  signal: AbortSignal,
  changed: (why: Error) => void,
): Promise<void> {
  const directories = [...new Set([source.dir, target.dir])].filter((dir) => dir !== undefined);
  if (directories.length === 0 || signal.aborted) return;
  const compare = async (): Promise<void> => {
    try {
      const same =
        sameCredentials(used.source, await readCredentials(source)) &&
        sameCredentials(used.target, await readCredentials(target));
      if (!same) changed(new CredentialsChangedError('the mounted certificates or passwords changed'));
    } catch (error) {
      changed(error instanceof Error ? error : new Error(String(error)));
    }
  };
  const stop = watchFiles(directories, compare);
  await new Promise((resolve) => {
    signal.addEventListener('abort', resolve, { once: true });
  });
  stop();
}

class Session {
  readonly #job: SessionJob;
  readonly #source: EtcdClient;
  readonly #target: Target;

  constructor(job: SessionJob, source: EtcdClient, target: Target) {
    this.#job = job;
    this.#source = source;
    this.#target = target;
  }

  async run(): Promise<void> {
    const { status, prefixes, signal } = this.#job;
    const head = await this.#look();
    const lost = await this.#unreplicated(head);
    // Before clusters are told apart: two that were just made differ in nothing else.
    await this.#target.claimEpoch();
    await this.#refuseItself(head);
    await this.#target.carryHomes(head.homes);
    let held = await this.#target.held();
    status.metrics.sessions.inc();
    await this.#keepAside(head, lost);
    let reason = snapshotNeeded(held.checkpoint, head, prefixes) ?? (await this.#unknown(mustBeWhole(held)));
    if (reason !== undefined && OTHER_HISTORY.has(reason)) status.lag.reset();
    status.seen(head.revision);
    const refresh = setInterval(() => void this.#refreshReports(head), REPORTS_MS);
    try {
      while (!signal.aborted) {
        if (reason) held = await this.#snapshot(reason, held);
        reason = await this.#follow(mustBeWhole(held));
        if (reason) held = await this.#target.held();
      }
    } finally {
      clearInterval(refresh);
    }
  }

  async #look(): Promise<Source> {
    const { homeZone: zone, epoch, zone: follower } = this.#job.config;
    const [homes, known] = await Promise.all([readHomes(this.#source), readHomes(this.#target.client)]);
    return { ...(await this.#source.head()), zone, epoch, homes, known, follower };
  }

  /** What this zone may have that nobody else has. Its epoch stays as it is until the operator has fenced it. */
  async #unreplicated({ homes }: Source): Promise<Unreplicated | undefined> {
    const { zone } = this.#job.config;
    const { checkpoint } = await this.#target.held();
    const lost = unreplicated(homes, zone, checkpoint);
    if (lost === undefined || (await isKeptAside(this.#target.client, lost))) return undefined;
    await requireFence({ target: this.#target, zone, lost });
    return lost;
  }

  /** Before anything of an old home is overwritten: what it wrote and nobody else has. */
  async #keepAside(source: Source, lost: Unreplicated | undefined): Promise<void> {
    const { config, prefixes, log, signal } = this.#job;
    const { zone } = config;
    const job = { source: this.#source, target: this.#target, zone, prefixes, log, signal };
    if (lost !== undefined) await keepAside({ ...job, lost, limits: defaultOrphanLimits });
    await this.#readReports(source);
  }

  async #readReports({ homes }: Source): Promise<void> {
    const { config, status } = this.#job;
    const of = { homes, zone: config.zone };
    status.orphans = await readReports(this.#target.client, of, (key) => this.#sayOnce(key));
  }

  #sayOnce(key: string): void {
    const { told, log } = this.#job;
    if (told.has(key)) return;
    told.add(key);
    log.warn('a report of what was kept aside can not be read: somebody changed it', { key });
  }

  /** What a person has removed meanwhile is no longer told of. */
  async #refreshReports(source: Source): Promise<void> {
    try {
      await this.#readReports(source);
    } catch (error) {
      // The session notices by itself when etcd doesn't answer.
      this.#job.log.debug('what was kept aside could not be looked at', { error: String(error) });
    }
  }

  /** Replicating a cluster into itself would never end: each write would be a change to write. */
  async #refuseItself(source: SourceHead): Promise<void> {
    const target = await this.#target.client.head();
    if (source.clusterId !== target.clusterId) return;
    // Clusters that were made with the same names and addresses share the id, but not their history.
    const distance = source.revision - target.revision;
    if (distance > 1000n || distance < -1000n) return;
    const [ours, theirs] = await Promise.all([marks(this.#target.client), marks(this.#source)]);
    if (ours !== theirs) return;
    throw new BlockedError(
      `source and target are the same etcd (cluster ${source.clusterId}): correct the endpoints in the configuration`,
    );
  }

  /** Why a snapshot is needed although the checkpoint says nothing of it: the source's history isn't the target's. */
  async #unknown({ checkpoint }: Whole): Promise<SnapshotReason | undefined> {
    const known = await recognize(this.#source, checkpoint);
    if (known === 'Same') return undefined;
    // Compacted by one revision, the watch could still begin: of a history that may be another one.
    if (known === 'Compacted') return 'compacted';
    const { revision, last } = checkpoint;
    this.#job.log.warn('the source has another history than the target, with the same cluster id', {
      revision,
      last: last?.revision,
    });
    return 'source-changed';
  }

  async #snapshot(reason: SnapshotReason, from: Held): Promise<Whole> {
    const { prefixes, limits, status, log } = this.#job;
    const head = await this.#look();
    status.enter('Snapshot', `writing a snapshot of the source (${reason})`);
    status.metrics.snapshot(reason);
    status.seen(head.revision);
    const ahead = reason === 'home-moved' && from.checkpoint && aheadOfHome(from.checkpoint, head.homes);
    if (ahead)
      log.warn(
        'this zone has more of the old home than the new home had: it is taken back here, and only the old home has it',
        { ...ahead, zone: head.follower, newHome: head.zone },
      );
    log.info('taking a snapshot of the source', { reason, revision: head.revision.toString() });
    let held = from;
    let changes = 0;
    await writeSnapshot({
      source: this.#source,
      target: this.#target.client,
      head,
      prefixes,
      reason,
      limits: {
        changes: Math.min(SNAPSHOT_CHANGES, limits.limits.ops ** 2 / 8),
        bytes: limits.limits.batchBytes,
      },
      commit: async (transaction) => {
        this.#job.signal.throwIfAborted();
        held = await this.#commit(transaction, held);
        changes += transaction.changes.length;
      },
    });
    log.info('the target is equal to the source', { revision: head.revision.toString(), changes });
    status.reached(head.revision);
    return mustBeWhole(held);
  }

  async #commit(transaction: PlannedTransaction, held: Held): Promise<Held> {
    const { limits, status } = this.#job;
    const began = performance.now();
    try {
      const next = await this.#target.commit(transaction, held, limits.limits);
      status.committed(transaction, (performance.now() - began) / 1000);
      return next;
    } catch (error) {
      if (error instanceof RefusedError) limits.limits = narrow(limits.limits, transaction, error.why);
      throw error;
    }
  }

  /** Why a snapshot is needed after all, or `undefined` at the end of the replicator. */
  async #follow(held: Whole): Promise<SnapshotReason | undefined> {
    const { prefixes, limits, status, log, signal } = this.#job;
    const { revision } = held.checkpoint;
    log.info('following the source', { revision, prefixes: [...prefixes] });
    status.enter('Following', '');
    status.reached(BigInt(revision));
    try {
      await new Follower({
        source: this.#source,
        target: this.#target,
        held,
        prefixes,
        limits,
        status,
        log,
        signal,
      }).run();
      return undefined;
    } catch (error) {
      if (!(error instanceof WatchCompactedError) && !(error instanceof CompactedError)) throw error;
      log.warn('the source no longer has the revisions that the target lacks', {
        revision,
        error: error.message,
      });
      return 'compacted';
    }
  }
}

function mustBeWhole({ checkpoint, modRevision }: Held): Whole {
  if (checkpoint === undefined || checkpoint.snapshot !== undefined)
    throw new Error('the snapshot is not complete');
  return { checkpoint, modRevision };
}
