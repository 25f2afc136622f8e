import { randomBytes } from 'node:crypto';
import type {
  KafkaPosition,
  StreamFeed,
  StreamMessage,
  StreamRange,
  StreamReader,
  StreamSnapshot,
} from '../channels/index.ts';
import { decodeEntry, decodeMessage } from './entry.ts';
import { HISTORY } from './history.ts';
import type { RedisKeys } from './keys.ts';
import type { RedisClient, RedisLink } from './redis-link.ts';
import { APPEND, READ } from './scripts.ts';

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
  publication: { channel: string; entry: string } | undefined;
}

/** What became of it: see {@link APPEND}. */
export type AppendOutcome = 'ok' | 'seen' | 'lost' | 'elsewhere';

interface Scripts {
  append: string;
  read: string;
}

/** The channels' streams in Redis. */
export class RedisStreams implements StreamReader {
  readonly #link: RedisLink;
  readonly #keys: RedisKeys;
  #scripts: Scripts | undefined;

  constructor(link: RedisLink, keys: RedisKeys) {
    this.#link = link;
    this.#keys = keys;
  }

  /** To be called on each new connection: Redis may have lost its scripts. Rejects if it is a replica. */
  async prepare(client: RedisClient): Promise<void> {
    const [role] = await client.sendCommand<[string]>(['ROLE']);
    if (role !== 'master') throw new Error(`this Redis is a ${role}, which takes no writes`);
    const [append, read] = await Promise.all([client.scriptLoad(APPEND), client.scriptLoad(READ)]);
    this.#scripts = { append, read };
  }

  async read(channel: string, range: StreamRange): Promise<StreamSnapshot> {
    const reply = await this.#run('read', {
      keys: [this.#keys.meta(channel), this.#keys.stream(channel)],
      arguments: [
        newEpoch(),
        String(HISTORY.positionSeconds),
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
      records.map((record) => this.#run('append', this.#appendCall(record, epoch))),
    );
    return replies as AppendOutcome[];
  }

  /** Last Kafka offset in Redis of each source, undefined where there is none. */
  async positions(sources: string[]): Promise<(number | undefined)[]> {
    if (sources.length === 0) return [];
    const values = await this.#link.client.hmGet(this.#keys.positions, sources);
    return values.map((value) => (value === null ? undefined : Number(value)));
  }

  /** Forgets how far a source is in Redis. */
  async forget(source: string): Promise<void> {
    await this.#link.client.hDel(this.#keys.positions, source);
  }

  #appendCall(record: Append, epoch: string): { keys: string[]; arguments: string[] } {
    const { source, kafka, previous, publication } = record;
    const channel = publication?.channel ?? '';
    return {
      keys: [this.#keys.positions, this.#keys.meta(channel), this.#keys.stream(channel)],
      arguments: [
        source,
        String(kafka.offset),
        String(previous),
        epoch,
        publication?.entry ?? '',
        String(HISTORY.size),
        String(HISTORY.seconds),
        String(HISTORY.positionSeconds),
        this.#keys.feed(channel),
        String(kafka.partition),
      ],
    };
  }

  async #run(script: keyof Scripts, call: { keys: string[]; arguments: string[] }): Promise<unknown> {
    const client = this.#link.client;
    const sha = this.#scripts?.[script] ?? '';
    try {
      return await client.evalSha(sha, call);
    } catch (error) {
      // A replica, or a server whose scripts were flushed: a new connection finds the right one, and loads them.
      if (error instanceof Error && /^(READONLY|NOSCRIPT|LOADING|MASTERDOWN)/.test(error.message)) {
        this.#link.reconnect(error);
      }
      throw error;
    }
  }
}

/** Redis pub/sub on a connection of its own. */
export class RedisFeed implements StreamFeed {
  readonly #link: RedisLink;
  readonly #keys: RedisKeys;
  readonly #onMessage: (channel: string, message: StreamMessage) => void;
  readonly #channels = new Set<string>();
  readonly #listener: (text: string, feed: string) => void;

  constructor(
    link: RedisLink,
    keys: RedisKeys,
    onMessage: (channel: string, message: StreamMessage) => void,
  ) {
    this.#link = link;
    this.#keys = keys;
    this.#onMessage = onMessage;
    this.#listener = (text, feed) => this.#take(this.#keys.channelOf(feed), text);
  }

  async listen(channel: string): Promise<void> {
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
      this.#onMessage(channel, decodeMessage(text));
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

function newEpoch(): string {
  return randomBytes(6).toString('base64url');
}

function decodeKafka(text: string): KafkaPosition | undefined {
  const [partition, offset] = text.split(' ').map(Number);
  return partition === undefined || offset === undefined ? undefined : { partition, offset };
}
