import type { StreamPosition } from '../protocol/index.ts';
import { Channel } from './channel.ts';
import type { ChannelEffects } from './channel.ts';
import type {
  Announcement,
  StreamEntry,
  StreamFeed,
  StreamMessage,
  StreamRange,
  StreamReader,
  StreamSnapshot,
} from './stream.ts';
import type { Receiver, Subscription } from './subscription.ts';

/** A channel that nobody is subscribed to is forgotten after this time: reconnecting clients often come back to it. */
const IDLE_MS = 5_000;

/** From so many subscribers on, deliveries to a channel are paced: they take long enough to be worth sharing. */
const MANY = 100;

/** How long to wait before Redis is asked again. */
const RETRY_MS = 500;

/** What the hub needs. */
export interface HubOptions<F> {
  reader: StreamReader;
  feed: StreamFeed;
  /** Entries that a sync of a channel asks for at once. */
  historySize: (channel: string) => number;
  frame: (channel: string, entry: StreamEntry, epoch: string | undefined) => F;
  /** Frames as one, which is written in one piece. */
  join: (frames: F[]) => F;
  announcement: (channel: string, announcement: Announcement) => F;
  /** An announcement was delivered to `receivers` receivers. */
  announced: (receivers: number) => void;
  /** An entry was delivered to `receivers` receivers. */
  delivered: (entry: StreamEntry, receivers: number) => void;
  /** A read for a sync failed; it is tried again. */
  syncFailed: (channel: string, error: unknown) => void;
  /** From so many subscribers on, deliveries to a channel are paced. */
  many?: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Unix milliseconds. */
  readonly unixNow: () => number;
}

/** What the answer to a subscription said. Default: neither. */
export interface Activation {
  /** It gets announcements. */
  listens?: boolean;
  /** It was told that it has recovered. */
  recovered?: boolean;
}

/** A subscription that is ready but not yet answered. */
export interface PreparedSubscription {
  snapshot: StreamSnapshot;
  /** To be called when the answer has been written; delivers from then on. */
  activate(how?: Activation): void;
}

/** The routing table: the channels that somebody on this gateway is subscribed to, and who. */
export class Hub<F> {
  readonly #options: HubOptions<F>;
  /** Shared by all channels. */
  readonly #effects: ChannelEffects<F>;
  readonly #channels = new Map<string, Channel<F>>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #closed = false;

  constructor(options: HubOptions<F>) {
    this.#options = options;
    const { many = MANY, frame, join, announcement, delivered, announced, now, unixNow } = options;
    const sync = (channel: Channel<F>, position: StreamPosition): void => void this.#sync(channel, position);
    this.#effects = {
      many,
      frame,
      join,
      announcement,
      delivered,
      announced,
      sync,
      now,
      unixNow,
      later: this.#later,
    };
  }

  /** Channels that are listened to. */
  get channels(): number {
    return this.#channels.size;
  }

  /** Subscriptions to all of them. */
  get subscriptions(): number {
    let count = 0;
    for (const { subscriptions } of this.#channels.values()) count += subscriptions.size;
    return count;
  }

  /**
   * Subscribes `receiver`, and reads the part of the stream that it asks for. Rejects when Redis cannot be reached;
   * then nothing is left. Undefined if {@link unsubscribe} was called meanwhile.
   */
  async subscribe(
    channel: string,
    receiver: Receiver<F>,
    range: StreamRange,
  ): Promise<PreparedSubscription | undefined> {
    const state = this.#channels.get(channel) ?? this.#open(channel);
    const subscription = state.add(receiver);
    try {
      await state.listening;
      const snapshot = await this.#options.reader.read(channel, range);
      if (!state.subscriptions.has(subscription)) return undefined;
      return { snapshot, activate: (how) => this.#activate(state, subscription, snapshot, how) };
    } catch (error) {
      this.#remove(state, subscription);
      throw error;
    }
  }

  /** Ends the subscription of `receiver`, also one that is not answered yet. */
  unsubscribe(channel: string, receiver: Receiver<F>): void {
    const state = this.#channels.get(channel);
    for (const subscription of state?.subscriptions ?? []) {
      if (state && subscription.receiver === receiver) this.#remove(state, subscription);
    }
  }

  /** A message of the feed. */
  receive(channel: string, message: StreamMessage): void {
    this.#channels.get(channel)?.receive(message);
  }

  /** An announcement of the feed. */
  announce(channel: string, announcement: Announcement): void {
    this.#channels.get(channel)?.announce(announcement);
  }

  /** The feed was interrupted: every channel looks for what it missed. */
  resync(): void {
    for (const state of this.#channels.values()) state.resync();
  }

  /** Forgets channels without subscribers. To be called every second or so. */
  sweep(): void {
    const now = this.#options.now();
    for (const state of this.#channels.values()) {
      this.#noteIdle(state);
      if (state.idleSince !== undefined && now - state.idleSince >= IDLE_MS) this.#close(state);
    }
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #activate(
    state: Channel<F>,
    subscription: Subscription<F>,
    snapshot: StreamSnapshot,
    { listens, recovered }: Activation = {},
  ): void {
    if (state.subscriptions.has(subscription)) state.activate(subscription, snapshot, recovered);
    if (listens && state.subscriptions.has(subscription)) state.listen(subscription);
    this.#noteIdle(state);
  }

  #open(name: string): Channel<F> {
    const state = new Channel<F>(name, this.#effects);
    this.#channels.set(name, state);
    state.listening = this.#options.feed.listen(name);
    // Those who subscribe at the same time share this failure; who comes later tries anew.
    state.listening.then(
      () => (state.listening = undefined),
      () => this.#close(state),
    );
    return state;
  }

  #close(state: Channel<F>): void {
    if (this.#channels.get(state.name) !== state) return;
    this.#channels.delete(state.name);
    this.#options.feed.unlisten(state.name);
  }

  #remove(state: Channel<F>, subscription: Subscription<F>): void {
    state.remove(subscription);
    this.#noteIdle(state);
  }

  #noteIdle(state: Channel<F>): void {
    if (state.subscriptions.size === 0) state.idleSince ??= this.#options.now();
  }

  async #sync(state: Channel<F>, position: StreamPosition): Promise<void> {
    const { reader, historySize, syncFailed } = this.#options;
    const limit = historySize(state.name);
    try {
      let snapshot = await reader.read(state.name, { since: position.offset, limit });
      if (snapshot.epoch !== position.epoch) snapshot = await reader.read(state.name, { limit });
      state.synchronize(snapshot);
      this.#noteIdle(state);
    } catch (error) {
      if (this.#closed || this.#channels.get(state.name) !== state) return;
      syncFailed(state.name, error);
      this.#later(() => void this.#sync(state, position), RETRY_MS);
    }
  }

  readonly #later = (run: () => void, afterMs: number): void => {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, afterMs);
    this.#timers.add(timer);
  };
}
