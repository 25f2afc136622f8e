import { randomBytes } from 'node:crypto';
import type {
  Announcement,
  KafkaPosition,
  StreamFeed,
  StreamMessage,
  StreamRange,
  StreamReader,
  StreamSnapshot,
} from '../channels/index.ts';
import { decodeEntry, decodeMessage } from './entry.ts';
import { positionSeconds } from './history.ts';
import type { History } from './history.ts';
import type { RedisKeys } from './keys.ts';
import type { RedisClient } from './redis-client.ts';
import type { RedisLink } from './redis-link.ts';
import { decodeAnnouncement } from './redis-presence.ts';
import type { CarrySpan } from './record-tracer.ts';
import { RedisScripts } from './redis-scripts.ts';
import type { ScriptCall } from './redis-scripts.ts';
import { IDEMPOTENCY_WINDOW_MS } from './once.ts';
import type { Once } from './once.ts';
import { APPEND, FORGET, NOTE, NOTE_LOG, READ } from './scripts.ts';

const SCRIPTS = { append: APPEND, note: NOTE, noteLog: NOTE_LOG, forget: FORGET, read: READ };

/** Channels in one SUBSCRIBE after a reconnect. */
const SUBSCRIBE_CHUNK = 500;

/** A record on its way from Kafka into a stream. */
export interface Append {
  /** `<topic>/<partition>` */
  source: string;
  kafka: KafkaPosition;
  /** Offset of the record before it that is in Redis, as far as the caller knows; -1: none. */
  previous: number;
  /** Undefined: nothing to deliver, only the offset is taken note of. */
  publication: { channel: string; entry: string; once: Once | undefined } | undefined;
  /** Where it is traced. */
  span?: CarrySpan | undefined;
}

/** What became of it: see {@link APPEND}. */
export type AppendOutcome = 'ok' | 'seen' | 'doubled' | 'lost' | 'elsewhere';

/** An idempotency key that a channel's records had before those that are appended. */
export interface Note {
  channel: string;
  once: Once;
}

/** The channels' streams in Redis. */
export class RedisStreams implements StreamReader {
  readonly #link: RedisLink;
  readonly #keys: RedisKeys;
  readonly #historyOf: (channel: string) => History;
  readonly #scripts: RedisScripts<keyof typeof SCRIPTS>;

  /** `historyOf` says how much is kept of a channel. */
  constructor(link: RedisLink, keys: RedisKeys, historyOf: (channel: string) => History) {
    this.#link = link;
    this.#keys = keys;
    this.#historyOf = historyOf;
    this.#scripts = new RedisScripts(link, SCRIPTS);
  }

  /** To be called on each new connection: Redis may have lost its scripts. */
  prepare(client: RedisClient): Promise<void> {
    return this.#scripts.load(client);
  }

  get connected(): boolean {
    return this.#link.ready;
  }

  /** See {@link RedisLink.connection}. */
  connection(): Promise<void> {
    return this.#link.connection();
  }

  async read(channel: string, range: StreamRange): Promise<StreamSnapshot> {
    await this.#link.connection();
    const reply = await this.#scripts.run('read', {
      keys: [this.#keys.meta(channel), this.#keys.stream(channel)],
      arguments: [
        newEpoch(),
        String(positionSeconds(this.#historyOf(channel))),
        String(range.limit),
        range.since === undefined ? '' : String(range.since),
        range.reverse ? '1' : '0',
      ],
    });
    const [epoch, offset, kafka, found] = reply as [string, string, string, string[]];
    const entries = [];
    for (let i = 0; i + 1 < found.length; i += 2)
      entries.push(decodeEntry(Number(found[i]), found[i + 1] ?? ''));
    return { epoch, offset: Number(offset), kafka: decodeKafka(kafka), entries };
  }

  /**
   * Appends records in one pipeline, in order. Rejects if any failed; the ones that succeeded are then seen when they
   * are appended again.
   */
  async append(records: Append[]): Promise<AppendOutcome[]> {
    const epoch = newEpoch();
    const replies = await Promise.all(
      records.map((record) => this.#scripts.run('append', this.#appendCall(record, epoch))),
    );
    return replies as AppendOutcome[];
  }

  /** Takes note of keys, in one pipeline. Rejects if any failed; noting one again changes nothing. */
  async note(notes: Note[]): Promise<void> {
    await Promise.all(
      notes.map(({ channel, once }) =>
        this.#scripts.run('note', {
          keys: [this.#keys.once(channel)],
          arguments: [...onceArguments(once), String(positionSeconds(this.#historyOf(channel)))],
        }),
      ),
    );
  }

  /** Last Kafka offset in Redis of each source, undefined where there is none. */
  async positions(sources: string[]): Promise<(number | undefined)[]> {
    if (sources.length === 0) return [];
    const values = await this.#link.client.hmGet(this.#keys.positions, sources);
    return values.map((value) => (value === null ? undefined : Number(value)));
  }

  /** The id of the log that each source's position is of, undefined where none is noted. */
  async logs(sources: string[]): Promise<(string | undefined)[]> {
    if (sources.length === 0) return [];
    const values = await this.#link.client.hmGet(this.#keys.logs, sources);
    return values.map((value) => value ?? undefined);
  }

  /** See {@link NOTE_LOG}. */
  async noteLog(source: string, id: string): Promise<void> {
    await this.#scripts.run('noteLog', { keys: this.#logKeys, arguments: [source, id] });
  }

  /** Forgets how far a source is in Redis, unless it is not at `position` any more. */
  forget(source: string, position: number): Promise<boolean> {
    return this.#forget([source, String(position), '', '']);
  }

  /** Forgets how far a source is in log `from`, and notes that it is of log `to`; unless it is not of `from` any more. */
  replaceLog(source: string, from: string, to: string): Promise<boolean> {
    return this.#forget([source, '', from, to]);
  }

  async #forget(args: string[]): Promise<boolean> {
    return (await this.#scripts.run('forget', { keys: this.#logKeys, arguments: args })) === 1;
  }

  get #logKeys(): string[] {
    return [this.#keys.positions, this.#keys.logs];
  }

  #appendCall(record: Append, epoch: string): ScriptCall {
    const { source, kafka, previous, publication } = record;
    const channel = publication?.channel ?? '';
    // Without a publication nothing is kept, so it does not matter for how long.
    const history = publication ? this.#historyOf(channel) : { size: 1, seconds: 1 };
    const once = publication?.once;
    const keys = [this.#keys.positions, this.#keys.meta(channel), this.#keys.stream(channel)];
    return {
      keys: once ? [...keys, this.#keys.once(channel)] : keys,
      arguments: [
        source,
        String(kafka.offset),
        String(previous),
        epoch,
        publication?.entry ?? '',
        String(history.size),
        String(Math.ceil(history.seconds)),
        String(positionSeconds(history)),
        this.#keys.feed(channel),
        String(kafka.partition),
        ...(once ? onceArguments(once) : []),
      ],
    };
  }
}

/** Who takes what a feed brings. */
export interface FeedListener {
  message(channel: string, message: StreamMessage): void;
  announcement(channel: string, announcement: Announcement): void;
}

/** Redis pub/sub on a connection of its own. */
export class RedisFeed implements StreamFeed {
  readonly #link: RedisLink;
  readonly #keys: RedisKeys;
  readonly #heard: FeedListener;
  readonly #channels = new Set<string>();
  readonly #listener: (text: string, feed: string) => void;

  constructor(link: RedisLink, keys: RedisKeys, heard: FeedListener) {
    this.#link = link;
    this.#keys = keys;
    this.#heard = heard;
    this.#listener = (text, feed) => this.#take(this.#keys.channelOf(feed), text);
  }

  async listen(channel: string): Promise<void> {
    await this.#link.connection();
    const client = this.#link.client;
    this.#channels.add(channel);
    await client.subscribe(this.#keys.feed(channel), this.#listener);
  }

  unlisten(channel: string): void {
    this.#channels.delete(channel);
    if (!this.#link.ready) return;
    const client = this.#link.client;
    // If the connection breaks now, the next one doesn't subscribe to it.
    client.unsubscribe(this.#keys.feed(channel), this.#listener).catch((error: unknown) => {
      this.#link.reconnect(error);
    });
  }

  /** Must not throw: it is called from inside the client's parser. */
  #take(channel: string, text: string): void {
    try {
      const announcement = decodeAnnouncement(text);
      if (announcement) this.#heard.announcement(channel, announcement);
      else this.#heard.message(channel, decodeMessage(text));
    } catch (error) {
      this.#link.reconnect(error);
    }
  }

  /** To be called on each new connection: listens to all channels again. */
  async prepare(client: RedisClient): Promise<void> {
    const feeds = [...this.#channels].map((channel) => this.#keys.feed(channel));
    for (let i = 0; i < feeds.length; i += SUBSCRIBE_CHUNK) {
      await client.subscribe(feeds.slice(i, i + SUBSCRIBE_CHUNK), this.#listener);
    }
  }
}

function onceArguments({ id, at }: Once): string[] {
  return [id, String(at), String(IDEMPOTENCY_WINDOW_MS)];
}

function newEpoch(): string {
  return randomBytes(6).toString('base64url');
}

function decodeKafka(text: string): KafkaPosition | undefined {
  const [partition, offset] = text.split(' ').map(Number);
  return partition === undefined || offset === undefined ? undefined : { partition, offset };
}
