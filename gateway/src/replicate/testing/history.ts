/** Reads the whole history of an etcd, and checks that a target's history is its source's. */
import assert from 'node:assert/strict';
import { ETCD_KEY } from '@causeway/crds';
import type { ReplicationCheckpoint } from '@causeway/crds';
import { Etcd3 } from 'etcd3';
import type { IWatchResponse } from 'etcd3';
import { prefixRange } from '../../etcd/index.ts';

/** One revision of an etcd. */
export interface HistoryEntry {
  revision: bigint;
  /** `key=value`, or `key deleted`, of the replicated prefixes, sorted. */
  changes: string[];
  checkpoint: ReplicationCheckpoint | undefined;
}

const show = ({ type, kv }: IWatchResponse['events'][number]): string =>
  type === 'Delete' ? `${kv.key.toString()} deleted` : `${kv.key.toString()}=${kv.value.toString('base64')}`;

/** All revisions of an etcd from `from` on that touch the prefixes or the checkpoint. */
export async function readHistory(
  endpoint: string,
  prefixes: readonly string[],
  from = 1n,
): Promise<HistoryEntry[]> {
  const client = new Etcd3({
    hosts: endpoint,
    grpcOptions: { 'grpc.max_receive_message_length': -1 },
  });
  try {
    const { header } = await client.kv.range({ key: Buffer.from('x') });
    const entries = new Map<bigint, HistoryEntry>();
    const stream = await client.watchClient.watch();
    await new Promise<void>((resolve, reject) => {
      stream.on('error', reject);
      stream.on('data', (response) => {
        if (response.canceled) reject(new Error(`compacted at ${response.compact_revision}`));
        for (const event of response.events) add(entries, event, prefixes);
        // The answer to the progress request below: everything before it has come.
        if (response.watch_id === '-1' && BigInt(response.header.revision) >= BigInt(header.revision))
          resolve();
        else if (!response.fragment) stream.write({ progress_request: {} });
      });
      stream.write({
        create_request: {
          key: Buffer.from([0]),
          range_end: Buffer.from([0]),
          start_revision: from.toString(),
          fragment: true,
        },
      });
    });
    stream.on('error', () => undefined);
    stream.cancel();
    return [...entries.values()].map((entry) => ({ ...entry, changes: entry.changes.sort() }));
  } finally {
    client.close();
  }
}

function add(
  entries: Map<bigint, HistoryEntry>,
  event: IWatchResponse['events'][number],
  prefixes: readonly string[],
): void {
  const key = event.kv.key.toString();
  const isCheckpoint = key === ETCD_KEY.checkpoint;
  if (!isCheckpoint && !prefixes.some((prefix) => key.startsWith(prefix))) return;
  const revision = BigInt(event.kv.mod_revision);
  const entry = entries.get(revision) ?? { revision, changes: [], checkpoint: undefined };
  entries.set(revision, entry);
  if (!isCheckpoint) entry.changes.push(show(event));
  else if (event.type === 'Put')
    entry.checkpoint = JSON.parse(event.kv.value.toString()) as ReplicationCheckpoint;
}

/** What {@link checkHistory} counted. */
export interface HistoryReport {
  /** Source revisions that came over. */
  revisions: number;
  /** Target revisions that hold several of the source. */
  batches: number;
}

/**
 * Checks that each revision of the target after its first snapshot holds exactly the source's changes between its
 * checkpoint and the one before: nothing skipped, nothing repeated, no revision in halves but those marked as split.
 */
export function checkHistory(
  source: readonly HistoryEntry[],
  target: readonly HistoryEntry[],
): HistoryReport {
  const report = { revisions: 0, batches: 0 };
  let at: bigint | undefined;
  let part: string[] = [];
  let next = 0;
  for (const { revision, changes, checkpoint } of target) {
    if (checkpoint === undefined) {
      assert.deepEqual(changes, [], `revision ${revision} of the target changes keys without the checkpoint`);
      continue;
    }
    if (checkpoint.snapshot) {
      at = undefined;
      continue;
    }
    part.push(...changes);
    if (checkpoint.partial) {
      assert.equal(BigInt(checkpoint.revision), at, 'a part leaves the revision as it was');
      assert.equal(checkpoint.partial.changes, part.length, 'each part goes on where the last one ended');
      continue;
    }
    const upTo = BigInt(checkpoint.revision);
    if (at === undefined) next = firstAfter(source, upTo);
    else next = compare(source, { next, upTo, part, revision }, report);
    at = upTo;
    part = [];
  }
  assert.deepEqual(part, [], 'the last revision is whole');
  return report;
}

function firstAfter(source: readonly HistoryEntry[], revision: bigint): number {
  const index = source.findIndex((entry) => entry.revision > revision);
  return index < 0 ? source.length : index;
}

function compare(
  source: readonly HistoryEntry[],
  { next, upTo, part, revision }: { next: number; upTo: bigint; part: string[]; revision: bigint },
  report: HistoryReport,
): number {
  const end = firstAfter(source, upTo);
  const wanted = source.slice(next, end);
  const expected = wanted.flatMap(({ changes }) => changes).sort();
  assert.deepEqual(
    part.sort(),
    expected,
    `revision ${revision} of the target isn't the source up to ${upTo}`,
  );
  report.revisions += wanted.length;
  if (wanted.length > 1) report.batches += 1;
  return end;
}

/** Whether two etcds hold the same under the prefixes; throws with the difference when they don't. */
export async function sameKeys(a: string, b: string, prefixes: readonly string[]): Promise<boolean> {
  const [left, right] = await Promise.all([contents(a, prefixes), contents(b, prefixes)]);
  assert.deepEqual(right, left);
  return true;
}

async function contents(endpoint: string, prefixes: readonly string[]): Promise<string[]> {
  const client = new Etcd3({ hosts: endpoint, grpcOptions: { 'grpc.max_receive_message_length': -1 } });
  try {
    const found: string[] = [];
    for (const prefix of prefixes) {
      const { start, end } = prefixRange(prefix);
      const { kvs } = await client.kv.range({ key: start, range_end: end });
      found.push(...kvs.map(({ key, value }) => `${key.toString()}=${value.toString('base64')}`));
    }
    return found;
  } finally {
    client.close();
  }
}
