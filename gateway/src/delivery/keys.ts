/** Names of a platform's keys and channels in Redis, which may be shared with others. */
export interface RedisKeys {
  /** Hash: `<topic>/<partition>` → last Kafka offset that is in a stream. */
  positions: string;
  /** Hash: `<topic>/<partition>` → id of the Kafka log (its topic's id) that the position is of. */
  logs: string;
  /** Hash of a channel: e (epoch), o (offset of the last publication), k (its Kafka partition and offset). */
  meta(channel: string): string;
  /** Stream of a channel; an entry's id is `<offset>-0`. */
  stream(channel: string): string;
  /** Sorted set of a channel's idempotency keys ({@link Once}.id) by the time of the last record that had it. */
  once(channel: string): string;
  /** Hash of who has clients in a channel with presence: see presence-scripts.ts. */
  presence(channel: string): string;
  /** Hash of the clients of one gateway in one channel, named `<gateway>:<channel>`. */
  members(name: string): string;
  /** Redis pub/sub channel of a channel. */
  feed(channel: string): string;
  /** The channel of a pub/sub channel. */
  channelOf(feed: string): string;
}

export function redisKeys(namespace: string, platform: string): RedisKeys {
  const prefix = `causeway:${namespace}/${platform}:`;
  const feedPrefix = `${prefix}feed:`;
  return {
    positions: `${prefix}positions`,
    logs: `${prefix}logs`,
    meta: (channel) => `${prefix}meta:${channel}`,
    stream: (channel) => `${prefix}stream:${channel}`,
    once: (channel) => `${prefix}once:${channel}`,
    presence: (channel) => `${prefix}presence:${channel}`,
    members: (name) => `${prefix}members:${name}`,
    feed: (channel) => feedPrefix + channel,
    channelOf: (feed) => feed.slice(feedPrefix.length),
  };
}
