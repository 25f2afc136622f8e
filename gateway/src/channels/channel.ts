import { UNSUBSCRIBE } from '../protocol/index.ts';
import type { Disconnect, StreamPosition } from '../protocol/index.ts';
import type { Announcement, KafkaPosition, StreamEntry, StreamMessage, StreamSnapshot } from './stream.ts';

/** Clocks of two gateways may differ by this much, milliseconds. */
const CLOCK_SKEW_MS = 2_000;

/** Most entries that wait for a subscription to be answered, or for a gap to be filled. */
const MAX_WAITING = 2_000;

/** One subscriber's end of a channel. `F` is a frame that is ready to be written. */
export interface Receiver<F> {
  deliver(frame: F): void;
  /** The subscription ended, and why. */
  dropped(channel: string, why: Disconnect): void;
}

/** A receiver's place in a channel. */
export interface Subscription<F> {
  readonly receiver: Receiver<F>;
  /** When it was added, Unix milliseconds. */
  readonly since: number;
  epoch: string;
  /** Last entry of the stream that passed: delivered, or not for this receiver. */
  offset: number;
  /** The last publication that the receiver has, in Kafka's terms: true also when the stream is another one. */
  had: KafkaPosition | undefined;
  /** The receiver still knows an earlier epoch; its next publication says the new one. */
  announce: boolean;
  /** Set until the receiver knows that it is subscribed: what came meanwhile. */
  waiting: StreamEntry[] | undefined;
}

/** What a channel cannot do itself. */
export interface ChannelEffects<F> {
  /** The push of `entry`; with the stream's epoch, if it is given. */
  frame(channel: string, entry: StreamEntry, epoch: string | undefined): F;
  /** The push of `announcement`. */
  announcement(channel: string, announcement: Announcement): F;
  /** Called once for each announcement that is delivered to at least one receiver. */
  announced(receivers: number): void;
  /** Called once for each entry that is delivered to at least one receiver. */
  delivered(entry: StreamEntry, receivers: number): void;
  /** Asks for what came after `position`, or for the whole stream if that is another one; ends in {@link Channel.synchronize}. */
  sync(channel: Channel<F>, position: StreamPosition): void;
  /** Unix milliseconds. */
  unixNow(): number;
}

/**
 * One channel with subscribers on this gateway: follows its stream without a gap or a repetition, also when Redis
 * loses the stream and it is rebuilt from Kafka under a new epoch (docs/adr, "Delivery").
 *
 * Each entry passes `#process` once and in order. An entry that doesn't follow the last one starts a sync; what comes
 * during a sync waits.
 */
export class Channel<F> {
  readonly name: string;
  readonly subscriptions = new Set<Subscription<F>>();
  /** Resolved when the feed listens; left out from then on. */
  listening: Promise<void> | undefined;
  /** Since when nobody is subscribed, milliseconds of the hub's clock. */
  idleSince: number | undefined;
  readonly #effects: ChannelEffects<F>;
  #epoch: string | undefined;
  #offset = 0;
  /** Set while a sync is under way, and before the first position is known. */
  #waiting: StreamMessage[] | undefined = [];
  #syncAgain = false;
  /** Those who want announcements; most channels have none. */
  #listeners: Set<Subscription<F>> | undefined;

  constructor(name: string, effects: ChannelEffects<F>) {
    this.name = name;
    this.#effects = effects;
  }

  /** Adds a receiver, which gets nothing before {@link activate}. */
  add(receiver: Receiver<F>): Subscription<F> {
    const subscription: Subscription<F> = {
      receiver,
      since: this.#effects.unixNow(),
      epoch: '',
      offset: 0,
      had: undefined,
      announce: false,
      waiting: [],
    };
    this.subscriptions.add(subscription);
    this.idleSince = undefined;
    return subscription;
  }

  /**
   * The receiver knows the position in `snapshot` (read after {@link add}) and has everything up to it: from now on
   * it gets what comes after.
   */
  activate(subscription: Subscription<F>, snapshot: StreamSnapshot): void {
    const waiting = subscription.waiting ?? [];
    subscription.waiting = undefined;
    subscription.epoch = snapshot.epoch;
    subscription.offset = snapshot.offset;
    subscription.had = snapshot.kafka;
    if (this.#epoch === undefined) this.#adopt(snapshot);
    if (subscription.epoch !== this.#epoch) {
      this.resync();
      return;
    }
    for (const entry of waiting)
      if (entry.offset === subscription.offset + 1) this.#pass(subscription, entry);
    if (subscription.offset < this.#offset) this.#drop(subscription);
  }

  /** From now on `subscription`, which is active, gets announcements. */
  listen(subscription: Subscription<F>): void {
    (this.#listeners ??= new Set()).add(subscription);
  }

  /** Ends a subscription. */
  remove(subscription: Subscription<F>): void {
    this.subscriptions.delete(subscription);
    this.#listeners?.delete(subscription);
    if (this.#listeners?.size === 0) this.#listeners = undefined;
  }

  /** An announcement of the feed. */
  announce(announcement: Announcement): void {
    const listeners = this.#listeners;
    if (!listeners) return;
    const frame = this.#effects.announcement(this.name, announcement);
    this.#effects.announced(listeners.size);
    for (const { receiver } of listeners) receiver.deliver(frame);
  }

  /** A message of the feed. */
  receive(message: StreamMessage): void {
    if (this.#waiting) {
      if (this.#waiting.length < MAX_WAITING) this.#waiting.push(message);
      else this.#syncAgain = true;
      return;
    }
    if (message.epoch === this.#epoch && message.offset <= this.#offset + 1) this.#process(message);
    else this.resync();
  }

  /** The feed may have missed messages. */
  resync(): void {
    // Before the first position there is nothing to miss: who subscribes reads after the feed listens.
    if (this.#epoch === undefined) return;
    if (this.#waiting) {
      this.#syncAgain = true;
      return;
    }
    this.#waiting = [];
    this.#effects.sync(this, { epoch: this.#epoch, offset: this.#offset });
  }

  /** The end of a sync. */
  synchronize(snapshot: StreamSnapshot): void {
    if (snapshot.epoch !== this.#epoch) this.#enter(snapshot.epoch);
    for (const subscription of this.subscriptions) {
      if (!subscription.waiting && this.#misses(subscription, snapshot)) this.#drop(subscription);
    }
    for (const entry of snapshot.entries) this.#process(entry);
    if (snapshot.entries.length === 0) this.#offset = Math.max(this.#offset, snapshot.offset);
    const again = this.#syncAgain || this.#offset < snapshot.offset;
    this.#syncAgain = false;
    this.#release();
    if (again) this.resync();
  }

  /** Begins with the position of the first subscriber. */
  #adopt(snapshot: StreamSnapshot): void {
    this.#epoch = snapshot.epoch;
    this.#offset = snapshot.offset;
    this.#release();
  }

  #release(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const message of waiting) this.receive(message);
  }

  /** The stream is another one, from its first entry on. */
  #enter(epoch: string): void {
    const left = this.#epoch;
    this.#epoch = epoch;
    this.#offset = 0;
    for (const subscription of this.subscriptions) {
      if (subscription.waiting) {
        subscription.waiting = [];
      } else if (subscription.epoch === left || (subscription.epoch !== epoch && !this.#syncAgain)) {
        subscription.epoch = epoch;
        subscription.offset = 0;
        subscription.announce = true;
      }
    }
  }

  /** Whether something that this receiver should have got is no longer in the stream. */
  #misses(subscription: Subscription<F>, { entries: [first], offset, kafka }: StreamSnapshot): boolean {
    // It subscribed in a stream that was gone before this channel saw it.
    if (subscription.epoch !== this.#epoch) return !this.#syncAgain;
    if (first) return first.offset > subscription.offset + 1 && isFor(subscription, first);
    return offset > subscription.offset && !(kafka && isHad(subscription, kafka));
  }

  #process(entry: StreamEntry): void {
    this.#offset = Math.max(this.#offset, entry.offset);
    let frame: F | undefined;
    let receivers = 0;
    for (const subscription of this.subscriptions) {
      if (subscription.waiting) {
        this.#wait(subscription, entry);
      } else if (subscription.epoch === this.#epoch && entry.offset > subscription.offset) {
        const before = subscription.had;
        frame = this.#pass(subscription, entry, frame);
        if (subscription.had !== before) receivers += 1;
      }
    }
    if (receivers > 0) this.#effects.delivered(entry, receivers);
  }

  /** Delivers the next entry, if it is for this receiver. Returns the frame for the receivers after it. */
  #pass(subscription: Subscription<F>, entry: StreamEntry, shared?: F): F | undefined {
    subscription.offset = entry.offset;
    if (!isFor(subscription, entry)) return shared;
    subscription.had = entry.kafka;
    if (subscription.announce) {
      subscription.announce = false;
      subscription.receiver.deliver(this.#effects.frame(this.name, entry, this.#epoch));
      return shared;
    }
    const frame = shared ?? this.#effects.frame(this.name, entry, undefined);
    subscription.receiver.deliver(frame);
    return frame;
  }

  #wait(subscription: Subscription<F>, entry: StreamEntry): void {
    if (subscription.waiting && subscription.waiting.length < MAX_WAITING) subscription.waiting.push(entry);
    else this.#drop(subscription);
  }

  /** Entries are gone that it did not get: it must know, and subscribes again. */
  #drop(subscription: Subscription<F>): void {
    this.remove(subscription);
    subscription.receiver.dropped(this.name, UNSUBSCRIBE.insufficientState);
  }
}

/** Not what it had already, and not what was published before it came and is here again only since the stream is rebuilt. */
function isFor<F>(subscription: Subscription<F>, entry: StreamEntry): boolean {
  if (isHad(subscription, entry.kafka)) return false;
  return !entry.replayed || entry.publishedAt >= subscription.since - CLOCK_SKEW_MS;
}

/** A channel's publications are in one partition, as long as the topic doesn't grow. */
function isHad<F>({ had }: Subscription<F>, kafka: KafkaPosition): boolean {
  return had !== undefined && had.partition === kafka.partition && kafka.offset <= had.offset;
}
