import type { StoredPublication } from '../protocol/index.ts';

/** Where a publication stands in Kafka. */
export interface KafkaPosition {
  partition: number;
  offset: number;
}

/** A publication as it comes out of Redis: from a channel's stream, or as a message when it is added to it. */
export interface StreamEntry extends StoredPublication {
  kafka: KafkaPosition;
  /** It was already in Kafka when this stream was begun to be rebuilt: it may have been delivered from an earlier one. */
  replayed: boolean;
  /** When it was published, Unix milliseconds. */
  publishedAt: number;
}

/** A new {@link StreamEntry} of the stream that `epoch` names. */
export interface StreamMessage extends StreamEntry {
  epoch: string;
}

/** That a client came to a channel or left it: told as it happens, and kept nowhere. */
export interface Announcement {
  what: 'join' | 'leave';
  /** The JSON of a ClientInfo. */
  info: string;
}

/** A channel's stream, or the part that was asked for, at one moment. */
export interface StreamSnapshot {
  epoch: string;
  /** Offset of the last publication; 0 if there was none. */
  offset: number;
  /** Of the last publication. */
  kafka: KafkaPosition | undefined;
  entries: StreamEntry[];
}

/** Which part of a stream. */
export interface StreamRange {
  /** Entries after this offset; before it, if `reverse`. Left out: from the first; from the last, if `reverse`. */
  since?: number;
  /** At most so many entries; 0 for none. */
  limit: number;
  reverse?: boolean;
}

/** The channels' streams. Both calls reject when Redis cannot be reached. */
export interface StreamReader {
  read(channel: string, range: StreamRange): Promise<StreamSnapshot>;
}

/** New entries of streams, in each stream's order, at most once: a gap shows in the offsets. */
export interface StreamFeed {
  /** Resolved when messages of `channel` come from now on. */
  listen(channel: string): Promise<void>;
  unlisten(channel: string): void;
}
