import { UNSUBSCRIBE } from '../protocol/index.ts';
import type { Disconnect, StreamPosition } from '../protocol/index.ts';
import type { KafkaPosition, StreamEntry, StreamMessage, StreamSnapshot } from './stream.ts';

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
  epoch: string;
  /** Last publication that the receiver has. */
  offset: number;
  /** The receiver still knows an earlier epoch; its next publication says the new one. */
  announce: boolean;
  /** Set until the receiver knows that it is subscribed: what came meanwhile. */
  waiting: Judged[] | undefined;
}

/** An entry, and whether it is for receivers or was delivered before. */
interface Judged {
  entry: StreamEntry;
  fresh: boolean;
}

/** What a channel cannot do itself. */
export interface ChannelEffects<F> {
  /** The push of `entry`; with the stream's epoch, if it is given. */
  frame(channel: string, entry: StreamEntry, epoch: string | undefined): F;
  /** Called once for each entry that is delivered to at least one receiver. */
  delivered(entry: StreamEntry, receivers: number): void;
  /** Asks for what came after `position`, or for the whole stream if that is another one; ends in {@link Channel.synchronize}. */
  sync(channel: Channel<F>, position: StreamPosition): void;
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
  /** Resolved when the feed listens. */
  listening: Promise<void> = Promise.resolve();
  /** Since when nobody is subscribed, milliseconds of the hub's clock. */
  idleSince: number | undefined;
  readonly #effects: ChannelEffects<F>;
  readonly #createdAt: number;
  #epoch: string | undefined;
  #previousEpoch: string | undefined;
  #offset = 0;
  /** Last entry of each Kafka partition; nearly always one. */
  readonly #kafka = new Map<number, number>();
  /** Set while a sync is under way, and before the first position is known. */
  #waiting: StreamMessage[] | undefined = [];
  #syncAgain = false;

  constructor(name: string, effects: ChannelEffects<F>, unixNow: number) {
    this.name = name;
    this.#effects = effects;
    this.#createdAt = unixNow;
  }

  /** Adds a receiver, which gets nothing before {@link activate}. */
  add(receiver: Receiver<F>): Subscription<F> {
    const subscription: Subscription<F> = { receiver, epoch: '', offset: 0, announce: false, waiting: [] };
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
    if (this.#epoch === undefined) this.#adopt(snapshot);
    if (subscription.epoch === this.#previousEpoch) this.#rebase(subscription);
    if (subscription.epoch !== this.#epoch) {
      this.resync();
      return;
    }
    for (const { entry, fresh } of waiting) {
      if (entry.offset !== subscription.offset + 1) continue;
      if (fresh) this.#deliver(subscription, entry);
      else subscription.offset = entry.offset;
    }
    if (subscription.offset < this.#offset) this.#drop(subscription);
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
    if (this.#isCutOff(snapshot)) {
      this.#dropAll();
      if (snapshot.entries.length === 0) this.#skipTo(snapshot);
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
    this.#skipTo(snapshot);
    this.#release();
  }

  #skipTo(snapshot: StreamSnapshot): void {
    this.#offset = snapshot.offset;
    if (snapshot.kafka) this.#kafka.set(snapshot.kafka.partition, snapshot.kafka.offset);
  }

  #release(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const message of waiting) this.receive(message);
  }

  /** The stream is another one, from its first entry on. */
  #enter(epoch: string): void {
    this.#previousEpoch = this.#epoch;
    this.#epoch = epoch;
    this.#offset = 0;
    for (const subscription of this.subscriptions) {
      if (!subscription.waiting && subscription.epoch === this.#previousEpoch) this.#rebase(subscription);
    }
  }

  #rebase(subscription: Subscription<F>): void {
    subscription.epoch = this.#epoch ?? '';
    subscription.offset = 0;
    subscription.announce = true;
  }

  /** Whether entries that nobody here got are no longer in the stream. */
  #isCutOff({ entries: [first], offset, kafka }: StreamSnapshot): boolean {
    if (first) return first.offset > this.#offset + 1 && this.#isFresh(first);
    return offset > this.#offset && !(kafka && this.#isDelivered(kafka));
  }

  #isFresh(entry: StreamEntry): boolean {
    if (this.#isDelivered(entry.kafka)) return false;
    return !entry.replayed || entry.publishedAt >= this.#createdAt - CLOCK_SKEW_MS;
  }

  #isDelivered(kafka: KafkaPosition): boolean {
    const last = this.#kafka.get(kafka.partition);
    return last !== undefined && kafka.offset <= last;
  }

  #process(entry: StreamEntry): void {
    const fresh = this.#isFresh(entry);
    this.#offset = Math.max(this.#offset, entry.offset);
    if (fresh) this.#kafka.set(entry.kafka.partition, entry.kafka.offset);
    let frame: F | undefined;
    let receivers = 0;
    for (const subscription of this.subscriptions) {
      if (subscription.waiting) {
        this.#wait(subscription, { entry, fresh });
      } else if (fresh && subscription.epoch === this.#epoch && entry.offset > subscription.offset) {
        frame = this.#deliver(subscription, entry, frame);
        receivers += 1;
      }
    }
    if (receivers > 0) this.#effects.delivered(entry, receivers);
  }

  /** Returns the frame for the receivers after this one. */
  #deliver(subscription: Subscription<F>, entry: StreamEntry, shared?: F): F | undefined {
    subscription.offset = entry.offset;
    if (subscription.announce) {
      subscription.announce = false;
      subscription.receiver.deliver(this.#effects.frame(this.name, entry, this.#epoch));
      return shared;
    }
    const frame = shared ?? this.#effects.frame(this.name, entry, undefined);
    subscription.receiver.deliver(frame);
    return frame;
  }

  #wait(subscription: Subscription<F>, judged: Judged): void {
    if (subscription.waiting && subscription.waiting.length < MAX_WAITING) subscription.waiting.push(judged);
    else this.#drop(subscription);
  }

  /** Entries are gone that nobody got: who is subscribed must know. */
  #dropAll(): void {
    for (const subscription of this.subscriptions) if (!subscription.waiting) this.#drop(subscription);
  }

  #drop(subscription: Subscription<F>): void {
    this.subscriptions.delete(subscription);
    subscription.receiver.dropped(this.name, UNSUBSCRIBE.insufficientState);
  }
}
