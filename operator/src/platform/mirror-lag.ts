/** How far MirrorMaker 2 is behind with a platform's topics. Pure. */
import type { MirrorSight } from '../failover/index.ts';

/** How the names of copied topics are made: MirrorMaker's DefaultReplicationPolicy and IdentityReplicationPolicy. */
export type ReplicationPolicy = 'Default' | 'Identity';

/** Where a partition begins and ends, as consumers that read everything see it. Offsets. */
export interface PartitionEnds {
  low: bigint;
  /** One after the last record that all in-sync replicas have. */
  high: bigint;
}

/** By topic, by partition. */
export type TopicEnds = ReadonlyMap<string, ReadonlyMap<number, PartitionEnds>>;

/** MirrorMaker's word that the record `upstream` of a partition became the record `downstream` of its copy. Offsets. */
export interface OffsetSync {
  /** In the source. */
  topic: string;
  partition: number;
  upstream: bigint;
  downstream: bigint;
}

/** Name of a topic's copy. */
export function mirroredTopic(topic: string, policy: ReplicationPolicy, sourceAlias: string): string {
  return policy === 'Identity' ? topic : `${sourceAlias}.${topic}`;
}

/** Topic of the source cluster in which MirrorMaker keeps its offset syncs; `offset-syncs.topic.location` must be `source`, the default. */
export function offsetSyncsTopic(targetAlias: string): string {
  return `mm2-offset-syncs.${targetAlias}.internal`;
}

/** Reads one record of that topic; undefined: it is none (a tombstone, or another format). Key: STRING topic, INT32 partition; value: INT64 upstream, INT64 downstream. */
export function decodeOffsetSync(key: Buffer | null, value: Buffer | null): OffsetSync | undefined {
  if (key === null || value === null || key.length < 2 || value.length !== 16) return undefined;
  const length = key.readInt16BE(0);
  if (length < 0 || key.length !== 2 + length + 4) return undefined;
  return {
    topic: key.toString('utf8', 2, 2 + length),
    partition: key.readInt32BE(2 + length),
    upstream: value.readBigInt64BE(0),
    downstream: value.readBigInt64BE(8),
  };
}

/**
 * Offsets of the source that are not copied yet, over all partitions. MirrorMaker writes a sync whenever an offset of the
 * source was left out, so after the last sync offsets of both sides run together: the copy's end says how far it is.
 * `source` by the source's names, asked last; `copies` by those of the copies, asked first. What has no sync, and has
 * records, makes it unknown, and so does a copy that is further than its source: somebody else writes to it, or the source
 * was made anew.
 */
export function mirrorLag(
  source: TopicEnds,
  copies: TopicEnds,
  syncs: readonly OffsetSync[],
  nameOf: (topic: string) => string,
): MirrorSight {
  const last = new Map(syncs.map((sync) => [partitionKey(sync.topic, sync.partition), sync]));
  let lag = 0n;
  for (const [topic, partitions] of source) {
    for (const [partition, { low, high }] of partitions) {
      if (low === high) continue; // Nothing that could be copied.
      const key = partitionKey(topic, partition);
      const sync = last.get(key);
      const end = copies.get(nameOf(topic))?.get(partition)?.high;
      if (end === undefined) return { lag: undefined, unknown: `${key} has no copy` };
      if (sync === undefined) return { lag: undefined, unknown: `${key} has no offset sync of MirrorMaker` };
      const reached = sync.upstream + end - sync.downstream;
      if (reached > high)
        return { lag: undefined, unknown: `the copy of ${key} has records that MirrorMaker told nothing of` };
      lag += high - reached;
    }
  }
  return { lag: Number(lag) };
}

/** One name for a partition. A topic's name has no slash. */
export function partitionKey(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}
