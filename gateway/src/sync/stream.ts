/** One client's stream: finds where to begin, and follows the feed at the client's own pace. */
import { CompactedError, isOwnKey, prefixRange, WatchCompactedError } from '../etcd/index.ts';
import { CatchUp } from './catch-up.ts';
import { SyncFailure } from './failure.ts';
import { readMark } from './feed.ts';
import type { Feed } from './feed.ts';
import type { Gate } from './gate.ts';
import type { History } from './history.ts';
import type { SyncEvent, WatchRequest, WatchResponse } from './message.ts';
import type { Position } from './position.ts';
import { findResume, isBehind } from './resume.ts';
import type { Kept } from './ring.ts';
import { isUnder } from './rights.ts';
import type { Transaction } from './transaction.ts';

/** Bytes of events in one message: a larger transaction takes several. */
const MESSAGE_BYTES = 256 * 1024;
/** Bytes that may wait for a client before it gets no more. */
export const HIGH_WATER = 256 * 1024;
/** How long a client may take nothing while something waits for it, milliseconds. */
const STALL_MS = 30_000;
/** How long one client may take to read the present state, or older changes, while others wait for their turn, milliseconds. */
const TURN_MS = 120_000;
/** How long a stream waits at its beginning for etcd, or for the zone to be whole and up to the client, milliseconds. */
const START_MS = 10_000;
/** How long etcd may be away before streams end, milliseconds. */
const AWAY_MS = 15_000;
/** A client that has heard nothing for this long is told that nothing is new, milliseconds. */
const PROGRESS_MS = 10_000;

/** Where a stream's messages go. */
export interface Outlet {
  /** Bytes that wait for the client. */
  readonly waiting: number;
  readonly closed: boolean;
  /** Resolves when fewer bytes wait, or it is closed. */
  drained(): Promise<void>;
  /** How messages are written for it, a name. */
  readonly form: string;
  /** A message as it is written. */
  encode(response: WatchResponse): Buffer;
  write(bytes: Buffer): void;
}

/** What streams share. */
export interface StreamServices {
  feed: Feed;
  /** Reads of the present state at once. */
  snapshots: Gate;
  /** Reads of older changes at once, and searches for a position. */
  catchUps: Gate;
  events: { sent(events: number): void };
  limits: { stallMs: number; startMs: number; awayMs: number; progressMs: number };
}

export const STREAM_LIMITS: StreamServices['limits'] = {
  stallMs: STALL_MS,
  startMs: START_MS,
  awayMs: AWAY_MS,
  progressMs: PROGRESS_MS,
};

/** What a stream is for. */
export interface StreamJob {
  request: WatchRequest;
  /** Normalized, and allowed. */
  prefixes: readonly string[];
  /** Unix milliseconds. */
  expiresAt: number | undefined;
  outlet: Outlet;
}

/** A stream that runs. It has no queue of its own: what it hasn't sent stays in the feed. */
export class SyncStream {
  readonly #services: StreamServices;
  readonly #job: StreamJob;
  readonly #filter: readonly Buffer[];
  readonly #formKey: string;
  #stopped: SyncFailure | undefined;
  #sentAt = performance.now();
  /** Monotonic milliseconds. */
  #hurryUntil = Number.POSITIVE_INFINITY;

  constructor(services: StreamServices, job: StreamJob) {
    this.#services = services;
    this.#job = job;
    this.#filter = job.prefixes.map((prefix) => Buffer.from(prefix));
    this.#formKey = JSON.stringify([job.outlet.form, ...job.prefixes]);
  }

  /** Ends it, soon. */
  stop(why: SyncFailure): void {
    this.#stopped ??= why;
  }

  /** Runs until the client is gone, and then returns; throws why it ends otherwise, {@link SyncFailure}. */
  async run(): Promise<void> {
    try {
      const history = await this.#ready();
      const { from } = this.#job.request;
      const cursor = from ? await this.#resume(history, from) : await this.#snapshot(history);
      await this.#follow(history, cursor);
    } catch (error) {
      if (this.#job.outlet.closed) return;
      throw this.#toFailure(error);
    }
  }

  #toFailure(error: unknown): SyncFailure {
    if (error instanceof SyncFailure) return error;
    if (error instanceof CompactedError || error instanceof WatchCompactedError)
      return this.#compacted(error);
    const history = this.#services.feed.history;
    if (history?.failure) return history.failure;
    return new SyncFailure(
      'etcd-away',
      "the zone's etcd does not answer: come back, with the same position",
      {
        cause: error,
      },
    );
  }

  #compacted(error: Error): SyncFailure {
    const { role } = this.#services.feed.history ?? {};
    const oldest =
      role?.home === true && error instanceof WatchCompactedError
        ? { epoch: role.epoch, revision: error.compactRevision }
        : undefined;
    const from = oldest ? `; the oldest that can be resumed from is ${oldest.revision}` : '';
    return new SyncFailure(
      'compacted',
      `etcd no longer has the changes after this revision${from}: start over without one, for the present state`,
      { ...(oldest && { oldest }), cause: error },
    );
  }

  /** Others wait for us: from now on the client has a bounded time. */
  #hurry(): void {
    this.#hurryUntil = performance.now() + TURN_MS;
  }

  /** Throws when the stream is to end. */
  #check(history?: History): void {
    const { outlet, expiresAt } = this.#job;
    if (outlet.closed) throw new SyncFailure('internal', 'the client is gone');
    if (this.#stopped) throw this.#stopped;
    if (history?.failure) throw history.failure;
    if (expiresAt !== undefined && Date.now() >= expiresAt) {
      throw new SyncFailure(
        'token-expired',
        'the token has expired: come back with another, and the same position',
      );
    }
  }

  /** Waits for what `look` gives, for a bounded time. */
  async #until<T>(look: () => T | undefined, otherwise: () => SyncFailure): Promise<T> {
    const { feed, limits } = this.#services;
    const deadline = performance.now() + limits.startMs;
    for (;;) {
      this.#check();
      const found = look();
      if (found !== undefined) return found;
      if (performance.now() >= deadline) throw otherwise();
      await feed.changed();
    }
  }

  /** The feed's history, once it is known to be of now. */
  async #ready(): Promise<History> {
    const { feed } = this.#services;
    return this.#until(
      () => (feed.client ? feed.history : undefined),
      () => new SyncFailure('etcd-away', "the zone's etcd does not answer"),
    );
  }

  /** The present state. Returns the zone's revision up to which the client has everything. */
  async #snapshot(history: History): Promise<bigint> {
    const { snapshots, feed } = this.#services;
    await this.#until(
      () => history.position,
      () => new SyncFailure('behind', 'this zone is being filled: come back later, or go to another one'),
    );
    return snapshots.run(async () => {
      this.#hurry();
      const { frontier: at, position: present } = history;
      const { client } = feed;
      if (present === undefined || client === undefined) {
        throw new SyncFailure('behind', 'this zone is being filled: come back later, or go to another one');
      }
      let events: SyncEvent[] = [];
      let bytes = 0;
      for (const prefix of this.#job.prefixes) {
        for await (const { key, value } of client.keys(prefixRange(prefix), at)) {
          if (isOwnKey(key)) continue;
          events.push({ key, value, modRevision: present.revision });
          bytes += key.length + value.length;
          if (bytes < MESSAGE_BYTES) continue;
          await this.#send({ kind: 'snapshot', events, position: undefined }, history);
          events = [];
          bytes = 0;
        }
      }
      await this.#send({ kind: 'snapshot', events, position: present }, history);
      return at;
    });
  }

  /** The zone's revision after which to go on. */
  async #resume(history: History, from: NonNullable<WatchRequest['from']>): Promise<bigint> {
    const { home, epoch } = history.role;
    const target: Position = { epoch: from.epoch ?? epoch, revision: from.revision };
    const own = home && target.epoch === epoch;
    await this.#until(
      () => (this.#isReached(history, target) ? true : undefined),
      () =>
        own
          ? unknownPosition('the home has not come to this revision: its etcd was restored')
          : new SyncFailure(
              'behind',
              'this zone has not come to this revision: come back later, or go to another one',
            ),
    );
    if (own) return target.revision;
    return this.#services.catchUps.run(() => this.#search(history, target));
  }

  #isReached(history: History, target: Position): boolean {
    const { home, epoch } = history.role;
    if (home && target.epoch === epoch) return target.revision <= history.frontier;
    if (home) return target.epoch < epoch;
    return history.mark !== undefined && !isBehind(history.mark, target);
  }

  async #search(history: History, target: Position): Promise<bigint> {
    const { client } = this.#services.feed;
    const { mark } = history;
    if (!client) throw new SyncFailure('etcd-away', "the zone's etcd does not answer");
    if (!mark) throw unknownPosition('it is of an earlier home');
    const found = await findResume(target, {
      newest: mark,
      recent: history.marks,
      at: async (revision) => {
        this.#check(history);
        try {
          return await readMark(client, revision);
        } catch (error) {
          if (error instanceof CompactedError) return 'compacted';
          throw error;
        }
      },
    });
    if (found === 'compacted') throw new CompactedError('the position is before what is compacted');
    if (found === 'unknown') throw unknownPosition('it is of an earlier home, or before a gap in this zone');
    // Since its last checkpoint a zone that is filled has not changed; of an idle one, that may be compacted.
    const idle = found.after === mark.at && !history.role.home && mark.at < history.base;
    return idle ? history.base : found.after;
  }

  async #follow(history: History, from: bigint): Promise<void> {
    const { feed, limits } = this.#services;
    let cursor = from;
    while (cursor < history.base) cursor = await this.#catchUp(history, cursor);
    this.#hurryUntil = Number.POSITIVE_INFINITY;
    for (;;) {
      this.#check(history);
      if (cursor < history.base) throw slowReader();
      const next = history.after(cursor);
      if (next) {
        cursor = next.transaction.at;
        await this.#tell(next, history);
        continue;
      }
      cursor = history.frontier > cursor ? history.frontier : cursor;
      if (feed.away > limits.awayMs) throw new SyncFailure('etcd-away', "the zone's etcd does not answer");
      await this.#progress(history, cursor);
      await feed.changed();
    }
  }

  /** Sends one of the feed's transactions, in the form that other streams with the same prefixes share. */
  async #tell(kept: Kept, history: History): Promise<void> {
    let form = kept.forms.get(this.#formKey);
    if (!form) {
      form = this.#messages(kept.transaction).map((message) => this.#job.outlet.encode(message));
      // Bounded, since each client may ask for other prefixes.
      if (kept.forms.size < MAX_FORMS) kept.forms.set(this.#formKey, form);
    }
    for (const bytes of form) await this.#write(bytes, history);
    this.#services.events.sent(form.length);
  }

  /** What a client sees of a transaction: nothing, when nothing in it is for it. */
  #messages({ changes, modRevision, position }: Transaction): WatchResponse[] {
    const messages: WatchResponse[] = [];
    let events: SyncEvent[] = [];
    let bytes = 0;
    for (const { key, value, previous } of changes) {
      if (!isUnder(key, this.#filter)) continue;
      const size = key.length + (value?.length ?? 0) + (previous?.length ?? 0);
      if (events.length > 0 && bytes + size > MESSAGE_BYTES) {
        messages.push({ kind: 'changes', events, position: undefined });
        events = [];
        bytes = 0;
      }
      events.push({ key, value, modRevision, ...(previous && { previous }) });
      bytes += size;
    }
    if (events.length > 0) messages.push({ kind: 'changes', events, position });
    return messages;
  }

  /** Reads what the feed no longer has by a watch of its own, until the feed has what follows. */
  async #catchUp(history: History, from: bigint): Promise<bigint> {
    const { feed, catchUps } = this.#services;
    return catchUps.run(async () => {
      this.#check(history);
      this.#hurry();
      const { client } = feed;
      if (!client) throw new SyncFailure('etcd-away', "the zone's etcd does not answer");
      const catchUp = new CatchUp(client, history, feed.prefixes, from);
      try {
        return await catchUp.run(async (transaction) => {
          for (const message of this.#messages(transaction)) await this.#send(message, history);
        });
      } finally {
        catchUp.close();
      }
    });
  }

  async #progress(history: History, cursor: bigint): Promise<void> {
    const { feed, limits } = this.#services;
    if (performance.now() - this.#sentAt < limits.progressMs || feed.away > 0) return;
    const { position } = history;
    if (position === undefined || cursor !== history.frontier) return;
    await this.#send({ kind: 'progress', events: [], position }, history);
  }

  async #send(message: WatchResponse, history: History): Promise<void> {
    await this.#write(this.#job.outlet.encode(message), history);
    this.#services.events.sent(1);
  }

  async #write(bytes: Buffer, history: History): Promise<void> {
    const { outlet } = this.#job;
    const { feed, limits } = this.#services;
    let least = outlet.waiting;
    let since = performance.now();
    while (outlet.waiting > HIGH_WATER) {
      this.#check(history);
      if (outlet.waiting < least) {
        least = outlet.waiting;
        since = performance.now();
      }
      const now = performance.now();
      if (now - since > limits.stallMs || now > this.#hurryUntil) throw slowReader();
      await Promise.race([outlet.drained(), feed.changed()]);
    }
    this.#check(history);
    outlet.write(bytes);
    this.#sentAt = performance.now();
  }
}

/** Forms of one transaction that are kept: two transports, and a few sets of prefixes. */
const MAX_FORMS = 4;

function slowReader(): SyncFailure {
  return new SyncFailure(
    'slow-reader',
    'the client reads slower than changes come: come back, with the last position',
  );
}

function unknownPosition(why: string): SyncFailure {
  return new SyncFailure(
    'unknown-position',
    `this position cannot be resumed from (${why}): start over without one, for the present state`,
  );
}
