/** Asks Kafka what a mirror's lag is made of: ends of partitions, and MirrorMaker's offset syncs, without a consumer group. */
import type { Admin, Kafka } from 'kafkajs';
import { withCluster, type Cluster, type FetchedRecord } from './kafkajs-cluster.ts';
import {
  decodeOffsetSync,
  partitionKey,
  type OffsetSync,
  type PartitionEnds,
  type TopicEnds,
} from './mirror-lag.ts';

/** Offsets that are read at once, from the end backwards: the topic is compacted, and what was not yet may be long. */
const WINDOW = 20_000n;
/** Windows that are read at most. */
const MAX_WINDOWS = 50;
/** Of one answer, bytes. */
const MAX_BYTES = 4_194_304;

/** Ends of those `topics` that exist. */
export async function endsOf(admin: Admin, topics: readonly string[]): Promise<TopicEnds> {
  const existing = new Set(await admin.listTopics());
  const asked = topics.filter((topic) => existing.has(topic));
  return new Map(
    await Promise.all(asked.map(async (topic) => [topic, await endsOfTopic(admin, topic)] as const)),
  );
}

async function endsOfTopic(admin: Admin, topic: string): Promise<Map<number, PartitionEnds>> {
  const offsets = await admin.fetchTopicOffsets(topic);
  return new Map(
    offsets.map(({ partition, low, high }) => [partition, { low: BigInt(low), high: BigInt(high) }]),
  );
}

/**
 * The last sync of each partition of `wanted`, where there is one, among the last million of `topic`'s offsets; none when
 * there is no such topic.
 */
export async function lastOffsetSyncs(
  { client, admin }: { client: Kafka; admin: Admin },
  topic: string,
  wanted: readonly { topic: string; partition: number }[],
): Promise<OffsetSync[]> {
  const ends = (await endsOf(admin, [topic])).get(topic)?.get(0);
  if (ends === undefined) return [];
  return withCluster(client, async (cluster) => {
    await cluster.addTargetTopic(topic);
    return lastOf(wanted, ends, (from, to) => readWindow(cluster, topic, { from, to }));
  });
}

/** Reads windows from the end backwards until each of `wanted` was found. Exported for its test. */
export async function lastOf(
  wanted: readonly { topic: string; partition: number }[],
  { low, high }: PartitionEnds,
  read: (from: bigint, to: bigint) => Promise<readonly FetchedRecord[]>,
): Promise<OffsetSync[]> {
  const missing = new Set(wanted.map(({ topic, partition }) => partitionKey(topic, partition)));
  const found: OffsetSync[] = [];
  let to = high;
  for (let windows = 0; windows < MAX_WINDOWS && to > low && missing.size > 0; windows += 1) {
    const from = to - WINDOW > low ? to - WINDOW : low;
    for (const { key, value } of (await read(from, to)).toReversed()) {
      const sync = decodeOffsetSync(key, value);
      if (sync !== undefined && missing.delete(partitionKey(sync.topic, sync.partition))) found.push(sync);
    }
    to = from;
  }
  return found;
}

/** Records from `from` on and before `to`. The first answer without any ends it: the rest is compacted away. */
async function readWindow(
  cluster: Cluster,
  topic: string,
  { from, to }: { from: bigint; to: bigint },
): Promise<FetchedRecord[]> {
  const [nodeId] = Object.keys(cluster.findLeaderForPartitions(topic, [0]));
  if (nodeId === undefined) throw new Error(`${topic}/0 has no leader`);
  const broker = await cluster.findBroker({ nodeId });
  const records: FetchedRecord[] = [];
  let next = from;
  while (next < to) {
    const partitions = [{ partition: 0, fetchOffset: String(next), maxBytes: MAX_BYTES }];
    const limits = { isolationLevel: 0, maxWaitTime: 0, minBytes: 0, maxBytes: MAX_BYTES } as const;
    const { responses } = await broker.fetch({ ...limits, topics: [{ topic, partitions }] });
    // A batch comes whole, with what lies before the offset that was asked for.
    const fetched = (responses[0]?.partitions[0]?.messages ?? []).filter(
      ({ offset }) => BigInt(offset) >= next,
    );
    const last = fetched.at(-1);
    if (last === undefined) break;
    records.push(
      ...fetched.filter(({ offset, isControlRecord }) => BigInt(offset) < to && isControlRecord !== true),
    );
    next = BigInt(last.offset) + 1n;
  }
  return records;
}
