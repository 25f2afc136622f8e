/** MirrorMaker's offset syncs, as it writes them. */
import type { OffsetSync } from '../mirror-lag.ts';

/** Key: STRING topic, INT32 partition; value: INT64 upstream, INT64 downstream. */
export function encodeOffsetSync({ topic, partition, upstream, downstream }: OffsetSync): {
  key: Buffer;
  value: Buffer;
} {
  const name = Buffer.from(topic);
  const key = Buffer.alloc(2 + name.length + 4);
  key.writeInt16BE(name.length, 0);
  name.copy(key, 2);
  key.writeInt32BE(partition, 2 + name.length);
  const value = Buffer.alloc(16);
  value.writeBigInt64BE(upstream, 0);
  value.writeBigInt64BE(downstream, 8);
  return { key, value };
}
