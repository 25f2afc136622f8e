/**
 * What an old home wrote and nobody else has, kept aside before the new home's keys take its place: in its own etcd, under
 * `/causeway.dev/orphans/`, never replicated, until a person has looked at it. See docs/adr/0023.
 */
import { ETCD_KEY } from '@causeway/crds';
import type { EtcdFence, HomeRecord, KeptAside, OrphanAbout, OrphanReport } from '@causeway/crds';
import type { IRequestOp } from 'etcd3';
import { CompactedError, isOwnKey, prefixRange, RefusedError } from '../etcd/index.ts';
import type { EtcdClient, Unreplicated } from '../etcd/index.ts';
import type { Log } from '../log/index.ts';
import { orphans } from './diff.ts';
import type { Orphan } from './diff.ts';
import { BlockedError } from './target.ts';
import type { Target } from './target.ts';

/** The operator has not fenced this zone yet: what applications write here now would come too late to be kept. */
export class UnfencedError extends Error {
  override name = 'UnfencedError';
}

/** What is kept aside is bounded: it takes room in etcd a second time. */
export interface OrphanLimits {
  keys: number;
  /** Of keys and values together. */
  bytes: number;
}

export const defaultOrphanLimits: OrphanLimits = { keys: 100_000, bytes: 256 * 1024 * 1024 };

/** Operations and bytes of one transaction: two operations for each key, within etcd's default of 128. */
const BATCH_KEYS = 60;
const BATCH_BYTES = 512 * 1024;

/** What is looked at. */
export interface OrphanJob {
  /** The present home. */
  source: EtcdClient;
  /** The zone that was home. */
  target: Target;
  zone: string;
  lost: Unreplicated;
  prefixes: readonly string[];
  limits: OrphanLimits;
  log: Log;
  signal: AbortSignal;
}

/** The old home at one revision, and the present one at one. */
interface Sight {
  ours: bigint;
  theirs: bigint;
  /** Whether the keys that went over are still known, and with them what was deleted later. */
  deletions: boolean;
}

/** The fence that ended the zone's time as home. Throws {@link UnfencedError} while there is none. */
export async function requireFence({
  target,
  zone,
  lost,
}: Pick<OrphanJob, 'target' | 'zone' | 'lost'>): Promise<EtcdFence & { revision: bigint }> {
  const fence = await target.fence();
  if (fence !== undefined && fence.epoch >= lost.fencedAt) return fence;
  throw new UnfencedError(
    `${zone} was home until epoch ${lost.fencedAt}, and applications may still write to its etcd: waiting for the operator to fence it`,
  );
}

/**
 * Whether it has been done before. Then the next home's keys may be here already, and to compare again would take them for
 * this zone's own and put them in the place of the copies.
 */
export async function isKeptAside(client: EtcdClient, lost: Unreplicated): Promise<boolean> {
  return (await client.range({ key: markKey(lost), count_only: true })).count !== '0';
}

/**
 * Keeps aside what only this zone has, and leaves a mark that this is done. May be repeated until then: a crash at any point
 * costs only time. Nothing under the prefixes is changed. Throws {@link UnfencedError}, and {@link BlockedError} when it is
 * too much.
 */
export async function keepAside(job: OrphanJob): Promise<void> {
  const { target, lost, log } = job;
  const fence = await requireFence(job);
  if (fence.applications === 'Refused' && fence.revision <= lost.since) {
    log.info('nothing was written here that the new home does not have', { since: lost.since.toString() });
    return done(job);
  }
  const sight = await look(job);
  if (sight === undefined) return done(job);
  const { keys, bytes } = await measure(job, sight);
  log.info('looked for what was written here and nowhere else', { keys, bytes, epoch: lost.epoch });
  if (keys === 0) return done(job);
  const deleted = await write(job, sight);
  const report: OrphanReport = {
    epoch: lost.epoch,
    zone: job.zone,
    since: lost.since.toString(),
    keys: await target.client.count(prefixRange(aboutPrefix(lost.epoch))),
    deletions: sight.deletions ? deleted : 'Unknown',
    at: new Date().toISOString(),
  };
  await done(job, report);
  log.warn('what was written here and nowhere else has been kept aside', { ...report });
}

/** The mark, and in the same transaction the report, where there is something to tell. */
async function done({ target, lost }: OrphanJob, report?: OrphanReport): Promise<void> {
  const mark: KeptAside = { keys: report?.keys ?? 0, at: new Date().toISOString() };
  const told = report === undefined ? [] : [put(reportKey(lost.epoch), JSON.stringify(report))];
  await target.writeOwn([...told, put(markKey(lost), JSON.stringify(mark))]);
}

async function look({ source, target, lost, log, zone }: OrphanJob): Promise<Sight | undefined> {
  const [ours, theirs] = await Promise.all([target.client.head(), source.head()]);
  if (ours.revision < lost.since) {
    log.warn(
      'this etcd is younger than what went over from it: its volume was lost, and nothing can be kept',
      {
        zone,
        revision: ours.revision.toString(),
        since: lost.since.toString(),
      },
    );
    return undefined;
  }
  const deletions = await isKept(target.client, lost.since);
  return { ours: ours.revision, theirs: theirs.revision, deletions };
}

async function isKept(client: EtcdClient, revision: bigint): Promise<boolean> {
  try {
    await client.range({ key: Buffer.from('\0'), limit: 1, keys_only: true, revision: revision.toString() });
    return true;
  } catch (error) {
    if (error instanceof CompactedError) return false;
    throw error;
  }
}

async function* find({ source, target, lost, prefixes }: OrphanJob, sight: Sight): AsyncGenerator<Orphan> {
  for (const prefix of prefixes) {
    const range = prefixRange(prefix);
    const sides = {
      ours: target.client.entries(range, sight.ours),
      theirs: source.keys(range, sight.theirs),
      before: sight.deletions ? target.client.entries(range, lost.since, true) : undefined,
    };
    for await (const orphan of orphans(sides, lost.since)) if (!isOwnKey(orphan.key)) yield orphan;
  }
}

/** Throws {@link BlockedError} when it is over the limits, before anything is written. */
async function measure(job: OrphanJob, sight: Sight): Promise<{ keys: number; bytes: number }> {
  const { limits, lost, zone } = job;
  let [keys, bytes] = [0, 0];
  for await (const { key, value } of find(job, sight)) {
    keys += 1;
    bytes += key.length + (value?.length ?? 0);
    if (keys > limits.keys || bytes > limits.bytes)
      throw new BlockedError(
        `${zone} has more than ${limits.keys} keys or ${limits.bytes} bytes that it wrote in epoch ${lost.epoch} and no ` +
          `other zone has: too much to be kept aside. Nothing was overwritten. Save them (etcdctl snapshot save), then ` +
          `put the key ${markKey(lost).toString()} in ${zone}: it says that this is done, and they are overwritten`,
      );
  }
  return { keys, bytes };
}

/** Returns how many deletions there are. */
async function write(job: OrphanJob, sight: Sight): Promise<number> {
  let batch: Orphan[] = [];
  let [bytes, deletions] = [0, 0];
  for await (const orphan of find(job, sight)) {
    const size = orphan.key.length * 2 + (orphan.value?.length ?? 0);
    if (batch.length >= BATCH_KEYS || bytes + size > BATCH_BYTES) {
      await writeBatch(job, batch);
      [batch, bytes] = [[], 0];
    }
    batch.push(orphan);
    bytes += size;
    if (orphan.value === undefined) deletions += 1;
  }
  await writeBatch(job, batch);
  return deletions;
}

/** In halves, and halves of these, where this etcd takes less at once than others do. */
async function writeBatch(job: OrphanJob, batch: readonly Orphan[]): Promise<void> {
  const { target, lost, signal } = job;
  const [first] = batch;
  if (first === undefined) return;
  signal.throwIfAborted();
  try {
    await target.writeOwn(batch.flatMap((orphan) => copies(orphan, lost.epoch)));
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    if (batch.length === 1) throw tooLarge(first, error);
    const half = Math.ceil(batch.length / 2);
    await writeBatch(job, batch.slice(0, half));
    await writeBatch(job, batch.slice(half));
  }
}

function tooLarge({ key }: Orphan, cause: RefusedError): BlockedError {
  return new BlockedError(
    `${JSON.stringify(key.toString())} is too large to be kept aside: give this zone's etcd a --max-request-bytes 16 KiB higher`,
    { cause },
  );
}

function copies({ key, value, modRevision }: Orphan, epoch: number): IRequestOp[] {
  const about: OrphanAbout =
    value === undefined
      ? { op: 'delete' }
      : { op: 'put', bytes: value.length, ...(modRevision !== undefined && { modRevision }) };
  const ops = [put(under(aboutPrefix(epoch), key), JSON.stringify(about))];
  if (value !== undefined) ops.push(put(under(`${ETCD_KEY.orphans}${epoch}/value/`, key), value));
  return ops;
}

/**
 * The reports of the times when `zone` was home, of what is still there. One that somebody has changed is told of by what else
 * is known, and `unreadable` is called with its key.
 */
export async function readReports(
  client: EtcdClient,
  { homes, zone }: { homes: readonly HomeRecord[]; zone: string },
  unreadable: (key: string) => void,
): Promise<OrphanReport[]> {
  const reports: OrphanReport[] = [];
  for (const [epoch, since] of timesAsHome(homes, zone)) {
    const key = reportKey(epoch);
    const [kv] = (await client.range({ key })).kvs;
    if (kv === undefined) continue;
    const keys = await client.count(prefixRange(aboutPrefix(epoch)));
    if (keys === 0) continue;
    const report = decodeReport(kv.value);
    if (report === undefined) unreadable(key.toString());
    reports.push({ ...(report ?? { epoch, zone, since, deletions: 'Unknown' }), keys });
  }
  return reports;
}

/** Epoch of each time, and its last revision that went over. */
function timesAsHome(homes: readonly HomeRecord[], zone: string): Map<number, string> {
  return new Map(homes.flatMap(({ from }) => (from?.zone === zone ? [[from.epoch, from.revision]] : [])));
}

function decodeReport(value: Buffer): OrphanReport | undefined {
  try {
    const report = JSON.parse(value.toString()) as Partial<Record<keyof OrphanReport, unknown>> | null;
    const { epoch, zone, since, deletions, at } = report ?? {};
    const isText = [zone, since, at].every((field) => typeof field === 'string');
    const isCounted = deletions === 'Unknown' || typeof deletions === 'number';
    return isText && isCounted && typeof epoch === 'number' ? (report as OrphanReport) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const aboutPrefix = (epoch: number): string => `${ETCD_KEY.orphans}${epoch}/about/`;
const reportKey = (epoch: number): Buffer => Buffer.from(`${ETCD_KEY.orphans}${epoch}/report`);
const markKey = ({ fencedAt }: Unreplicated): Buffer => Buffer.from(`${ETCD_KEY.keptAside}${fencedAt}`);
const under = (prefix: string, key: Buffer): Buffer => Buffer.concat([Buffer.from(prefix), key]);
const put = (key: Buffer, value: string | Buffer): IRequestOp => ({
  request_put: { key, value: Buffer.from(value) },
});
