import type { Announcement } from '../channels/index.ts';
import type { Bucket, Rate } from '../limits/index.ts';
import { fullBucket, refillTime, take } from '../limits/index.ts';
import { SharedReads } from './shared-reads.ts';
import type { PresenceChange, PresencePart, PresenceStats, PresenceStore, PresenceUpdate } from './store.ts';

/** Changes in one call: more would hold up others that use Redis. */
const MAX_CHANGES = 500;
/** Parts that are kept alive with one call. */
const KEEP_CHUNK = 200;
/** Clients that one list may have: more don't fit into a reply. */
const MAX_LISTED = 5_000;
/** Clients up to which users are counted: each takes about a microsecond, in which Redis does nothing else. */
const MAX_COUNTED = 20_000;
/** Comings and goings that this gateway announces in one channel: each goes to all that listen. */
const ANNOUNCED: Rate = { messagesPerSecond: 100, burst: 200 };

/** What {@link Presence} needs. */
export interface PresenceOptions {
  store: PresenceStore;
  /** A call to Redis failed. What it should have told is told again later. */
  failed(error: unknown): void;
  /** An announcement was dropped: there are too many in its channel. */
  dropped(): void;
  /** Redis did not have what it was told, and is told again. */
  repaired(): void;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** What the options of a channel's topic say. */
export interface PresenceKind {
  presence: boolean;
  joinLeave: boolean;
}

/** This gateway's part of one channel. */
interface Part {
  /** Client → JSON of its ClientInfo. */
  clients: Map<string, string>;
  /** Of what Redis was told last; undefined: what it has is not known, and all must be told. */
  version: number | undefined;
  /** Not told yet; empty while all must be told. */
  changes: PresenceChange[];
  announcements: Announcement[];
  announced: Bucket | undefined;
}

/**
 * The clients of this gateway in channels with presence, and those of all gateways through Redis. Coming and going
 * takes no time here: it is sent in batches, in order. What could not be sent, or was lost in Redis, is sent again
 * whole at the next {@link Presence.keep}: each part has a version that tells.
 *
 * Channels with neither presence nor join and leave are unknown here, and cost nothing.
 */
export class Presence {
  readonly #options: PresenceOptions;
  readonly #parts = new Map<string, Part>();
  readonly #unsent = new Set<string>();
  readonly #calls = new Set<Promise<void>>();
  readonly #lists: SharedReads<string[] | number>;
  readonly #stats: SharedReads<PresenceStats | undefined>;
  #turn: NodeJS.Immediate | undefined;
  #keeping: Promise<void> | undefined;
  #entries = 0;

  constructor(options: PresenceOptions) {
    this.#options = options;
    const { store } = options;
    this.#lists = new SharedReads((channel) => store.list(channel, MAX_LISTED));
    this.#stats = new SharedReads((channel) => store.stats(channel, MAX_COUNTED));
  }

  /** Clients of this gateway that are shown to others, once for each channel. */
  get entries(): number {
    return this.#entries;
  }

  /** Channels that something is known of here. */
  get channels(): number {
    return this.#parts.size;
  }

  /** `client` is subscribed to `channel`. `info` is the JSON of what others see of it. */
  join(channel: string, client: string, info: string, { presence, joinLeave }: PresenceKind): void {
    if (presence) this.#change(channel, { client, info });
    if (joinLeave) this.#announce(channel, { what: 'join', info });
  }

  /** It no longer is. */
  leave(channel: string, client: string, info: string, { presence, joinLeave }: PresenceKind): void {
    if (presence) this.#change(channel, { client, info: undefined });
    if (joinLeave) this.#announce(channel, { what: 'leave', info });
  }

  /**
   * The clients of all gateways in `channel`, each the JSON of a ClientInfo; those of this gateway as they are now. How
   * many there are, if they are too many to be listed. Rejects when Redis cannot be reached.
   */
  list(channel: string): Promise<string[] | number> {
    this.#send(channel);
    return this.#lists.get(channel);
  }

  /** How many there are; undefined if they are too many to be counted. Rejects when Redis cannot be reached. */
  stats(channel: string): Promise<PresenceStats | undefined> {
    this.#send(channel);
    return this.#stats.get(channel);
  }

  /**
   * Lets what this gateway says live on, and says again what Redis doesn't have. To be called several times within the
   * time to live of a part, and when Redis may be another one. While it is under way it doesn't begin again.
   */
  keep(): Promise<void> {
    this.#keeping ??= this.#keep().finally(() => (this.#keeping = undefined));
    return this.#keeping;
  }

  /** Sends what is not sent, and resolves when all of it is answered. */
  async close(): Promise<void> {
    this.#sendAll();
    await Promise.all(this.#calls);
  }

  #change(channel: string, change: PresenceChange): void {
    const part = this.#partOf(channel);
    const before = part.clients.size;
    if (change.info === undefined) part.clients.delete(change.client);
    else part.clients.set(change.client, change.info);
    this.#entries += part.clients.size - before;
    if (part.version !== undefined) part.changes.push(change);
    this.#sendSoon(channel);
  }

  #announce(channel: string, announcement: Announcement): void {
    const part = this.#partOf(channel);
    const now = this.#options.now();
    part.announced ??= fullBucket(ANNOUNCED, now);
    if (!take(part.announced, ANNOUNCED, now)) return this.#options.dropped();
    part.announcements.push(announcement);
    this.#sendSoon(channel);
  }

  #partOf(channel: string): Part {
    let part = this.#parts.get(channel);
    if (!part) {
      part = { clients: new Map(), version: undefined, changes: [], announcements: [], announced: undefined };
      this.#parts.set(channel, part);
    }
    return part;
  }

  // Telling

  /**
   * What comes in one turn of the event loop goes together. Not later: who is told that it is subscribed, and tells
   * somebody at another gateway, is to be found there.
   */
  #sendSoon(channel: string): void {
    this.#unsent.add(channel);
    this.#turn ??= setImmediate(() => this.#sendAll());
  }

  #sendAll(): void {
    clearImmediate(this.#turn);
    this.#turn = undefined;
    for (const channel of this.#unsent) this.#send(channel);
  }

  /** Calls keep their order, so nothing here waits for an answer. */
  #send(channel: string): void {
    const part = this.#parts.get(channel);
    if (!part || !this.#unsent.delete(channel)) return;
    if (part.version === undefined) this.#sendWhole(channel, part);
    while (part.changes.length > 0) this.#sendChanges(channel, part);
    if (part.announcements.length > 0) {
      this.#call(part, this.#options.store.announce(channel, part.announcements.splice(0)));
    }
    this.#forgetIfOver(channel, part);
  }

  /** Begins the part in Redis anew, with all clients that there are. */
  #sendWhole(channel: string, part: Part): void {
    part.version = 0;
    part.changes = [...part.clients].map(([client, info]) => ({ client, info }));
    if (part.changes.length === 0) {
      // Nobody is shown: there is nothing to tell, and what Redis may have expires.
      part.version = undefined;
      return;
    }
    this.#update(part, {
      channel,
      base: undefined,
      version: 0,
      changes: part.changes.splice(0, MAX_CHANGES),
    });
  }

  #sendChanges(channel: string, part: Part): void {
    const base = part.version ?? 0;
    part.version = base + 1;
    const changes = part.changes.splice(0, MAX_CHANGES);
    this.#update(part, { channel, base, version: base + 1, changes });
  }

  #update(part: Part, update: PresenceUpdate): void {
    this.#call(part, this.#updateOrDoubt(part, update));
  }

  async #updateOrDoubt(part: Part, update: PresenceUpdate): Promise<void> {
    if (!(await this.#options.store.update(update))) this.#doubt(part);
  }

  #call(part: Part, call: Promise<void>): void {
    const answered = call
      .catch((error: unknown) => {
        this.#doubt(part);
        this.#options.failed(error);
      })
      .finally(() => this.#calls.delete(answered));
    this.#calls.add(answered);
  }

  /** What Redis has is not known: everything must be told. */
  #doubt(part: Part): void {
    part.version = undefined;
    part.changes = [];
  }

  /** An empty part is forgotten, but for its bucket, which must not be full anew. What Redis keeps of it expires. */
  #forgetIfOver(channel: string, part: Part): void {
    const { clients, announced } = part;
    if (clients.size > 0 || this.#unsent.has(channel) || this.#parts.get(channel) !== part) return;
    const full = !announced || this.#options.now() - announced.refilledAt >= refillTime(ANNOUNCED);
    if (full) this.#parts.delete(channel);
  }

  // Keeping

  async #keep(): Promise<void> {
    const channels = [...this.#parts.keys()];
    for (let i = 0; i < channels.length; i += KEEP_CHUNK) {
      await this.#keepSome(channels.slice(i, i + KEEP_CHUNK));
    }
  }

  async #keepSome(channels: string[]): Promise<void> {
    const asked: PresencePart[] = [];
    for (const channel of channels) {
      const part = this.#parts.get(channel);
      if (!part) continue;
      if (part.version === undefined && part.clients.size > 0) this.#unsent.add(channel);
      this.#send(channel);
      if (part.version !== undefined && part.clients.size > 0) asked.push({ channel, version: part.version });
      this.#forgetIfOver(channel, part);
    }
    if (asked.length === 0) return;
    try {
      for (const lost of await this.#options.store.keep(asked)) this.#repair(lost);
    } catch (error) {
      this.#options.failed(error);
    }
  }

  /** A part that has changed since it was asked about was found out by that change. */
  #repair({ channel, version }: PresencePart): void {
    const part = this.#parts.get(channel);
    if (!part || part.version !== version) return;
    this.#doubt(part);
    this.#options.repaired();
    this.#unsent.add(channel);
    this.#send(channel);
  }
}
