import { UNSUBSCRIBE } from '../protocol/index.ts';
import type { StreamPosition } from '../protocol/index.ts';
import { Batch } from './batch.ts';
import type { BatchEffects } from './batch.ts';
import { Pace } from './pace.ts';
import { isFor, isHad } from './subscription.ts';
import type { Receiver, Subscription } from './subscription.ts';
import type { Announcement, StreamEntry, StreamMessage, StreamSnapshot } from './stream.ts';

/** Most entries that wait for a subscription to be answered, or for a gap to be filled. */
const MAX_WAITING = 2_000;

/** What a channel cannot do itself. */
export interface ChannelEffects<F> extends BatchEffects<F> {
  /** The push of `announcement`. */
  announcement(channel: string, announcement: Announcement): F;
  /** Called once for each announcement that is delivered to at least one receiver. */
  announced(receivers: number): void;
  /** Asks for what came after `position`, or for the whole stream if that is another one; ends in {@link Channel.synchronize}. */
  sync(channel: Channel<F>, position: StreamPosition): void;
  /** From so many receivers on, deliveries are paced. */
  readonly many: number;
  /** Monotonic milliseconds. */
  now(): number;
  /** Unix milliseconds. */
  unixNow(): number;
  /** Calls `run` after so many milliseconds. */
  later(run: () => void, afterMs: number): void;
}

/**
 * One channel with subscribers on this gateway: follows its stream without a gap or a repetition, also when Redis
 * loses the stream and it is rebuilt from Kafka under a new epoch (docs/adr, "Delivery").
 *
 * Each entry passes `#process` once and in order. An entry that doesn't follow the last one starts a sync; what comes
 * during a sync waits. What comes soon after a delivery to many is held for a moment, see {@link Pace}.
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
  /** Made when many are subscribed. */
  #pace: Pace<StreamMessage> | undefined;

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
   * it gets what comes after. One that has recovered gets that however old it is: what was published while it was
   * away, or before, may only now be carried, in a stream that is rebuilt.
   */
  activate(subscription: Subscription<F>, snapshot: StreamSnapshot, recovered = false): void {
    if (recovered) subscription.since = -Infinity;
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
    this.#catchUp();
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
    const last = this.#pace?.last?.offset ?? this.#offset;
    if (message.epoch !== this.#epoch || message.offset > last + 1) this.resync();
    else if (this.#pace?.arrives(this.#effects.now())) this.#hold(this.#pace, message);
    else this.#process([message]);
  }

  /** The feed may have missed messages. */
  resync(): void {
    // Before the first position there is nothing to miss: who subscribes reads after the feed listens.
    if (this.#epoch === undefined) return;
    if (this.#waiting) {
      this.#syncAgain = true;
      return;
    }
    this.#catchUp();
    this.#waiting = [];
    this.#effects.sync(this, { epoch: this.#epoch, offset: this.#offset });
  }

  /** The end of a sync. */
  synchronize(snapshot: StreamSnapshot): void {
    if (snapshot.epoch !== this.#epoch) this.#enter(snapshot.epoch);
    for (const subscription of this.subscriptions) {
      if (!subscription.waiting && this.#misses(subscription, snapshot)) this.#drop(subscription);
    }
    if (snapshot.entries.length > 0) this.#process(snapshot.entries);
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

  /** Delivers entries that follow each other, and those before them. */
  #process(entries: readonly StreamEntry[]): void {
    this.#offset = Math.max(this.#offset, entries.at(-1)?.offset ?? 0);
    const batch = new Batch(entries, this.#effects, this.name);
    for (const subscription of this.subscriptions) {
      if (subscription.waiting) this.#wait(subscription, entries);
      else if (subscription.epoch !== this.#epoch) continue;
      else if (!batch.deliverWhole(subscription))
        for (const [index, entry] of entries.entries())
          if (entry.offset > subscription.offset) this.#pass(subscription, entry, batch, index);
    }
    batch.delivered();
    if (this.subscriptions.size >= this.#effects.many) {
      this.#pace ??= new Pace();
      this.#pace.delivered(this.subscriptions.size, this.#effects.now());
    }
  }

  #hold(pace: Pace<StreamMessage>, message: StreamMessage): void {
    const waitMs = pace.hold(message, this.#effects.now());
    if (waitMs !== undefined) this.#effects.later(() => this.#catchUp(), waitMs);
    if (pace.isFull) this.#catchUp();
  }

  /** Delivers what is held. */
  #catchUp(): void {
    const held = this.#pace?.take() ?? [];
    if (held.length > 0) this.#process(held);
  }

  /** Delivers the next entry, if it is for this receiver. */
  #pass(subscription: Subscription<F>, entry: StreamEntry, batch?: Batch<F>, index = 0): void {
    subscription.offset = entry.offset;
    if (!isFor(subscription, entry)) return;
    subscription.had = entry.kafka;
    const epoch = subscription.announce ? this.#epoch : undefined;
    subscription.announce = false;
    const isShared = batch !== undefined && epoch === undefined;
    const frame = isShared ? batch.frame(index) : this.#effects.frame(this.name, entry, epoch);
    batch?.count(index);
    subscription.receiver.deliver(frame);
  }

  #wait(subscription: Subscription<F>, entries: readonly StreamEntry[]): void {
    const { waiting } = subscription;
    if (waiting && waiting.length + entries.length <= MAX_WAITING) waiting.push(...entries);
    else this.#drop(subscription);
  }

  /** Entries are gone that it did not get: it must know, and subscribes again. */
  #drop(subscription: Subscription<F>): void {
    this.remove(subscription);
    subscription.receiver.dropped(this.name, UNSUBSCRIBE.insufficientState);
  }
}
