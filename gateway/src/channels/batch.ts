import type { StreamEntry } from './stream.ts';
import { isHad } from './subscription.ts';
import type { Subscription } from './subscription.ts';

/** What a batch cannot do itself. */
export interface BatchEffects<F> {
  /** The push of `entry`; with the stream's epoch, if it is given. */
  frame(channel: string, entry: StreamEntry, epoch: string | undefined): F;
  /** Frames as one, which is written in one piece. */
  join(frames: F[]): F;
  /** Called once for each entry that is delivered to at least one receiver. */
  delivered(entry: StreamEntry, receivers: number): void;
}

/** Entries that follow each other, on their way to all subscribers of a channel: each is framed once. */
export class Batch<F> {
  readonly #entries: readonly StreamEntry[];
  readonly #effects: BatchEffects<F>;
  readonly #channel: string;
  readonly #frames: F[] = [];
  readonly #receivers: number[];
  /** All of them as one. */
  #whole: F | undefined;
  #wholeReceivers = 0;
  readonly #isPlain: boolean;

  constructor(entries: readonly StreamEntry[], effects: BatchEffects<F>, channel: string) {
    this.#entries = entries;
    this.#effects = effects;
    this.#channel = channel;
    this.#receivers = entries.map(() => 0);
    this.#isPlain = entries.every(isPlainAfter);
  }

  /** The push of one entry. */
  frame(index: number): F {
    return (this.#frames[index] ??= this.#effects.frame(this.#channel, this.#entry(index), undefined));
  }

  /** One entry goes to one more receiver. */
  count(index: number): void {
    this.#receivers[index] = (this.#receivers[index] ?? 0) + 1;
  }

  /** Delivers all of it in one piece, if all of it is next for this receiver. False: it has to be looked at one by one. */
  deliverWhole(subscription: Subscription<F>): boolean {
    const [first] = this.#entries;
    const last = this.#entries.at(-1);
    if (!this.#isPlain || !first || !last || subscription.announce) return false;
    if (first.offset !== subscription.offset + 1 || isHad(subscription, first.kafka)) return false;
    subscription.offset = last.offset;
    subscription.had = last.kafka;
    this.#wholeReceivers += 1;
    this.#whole ??= this.#join();
    subscription.receiver.deliver(this.#whole);
    return true;
  }

  /** To be called in the end: tells for each entry how many got it. */
  delivered(): void {
    for (const [index, entry] of this.#entries.entries()) {
      const receivers = this.#wholeReceivers + (this.#receivers[index] ?? 0);
      if (receivers > 0) this.#effects.delivered(entry, receivers);
    }
  }

  #join(): F {
    const frames = this.#entries.map((_, index) => this.frame(index));
    const [only] = frames;
    return frames.length === 1 && only !== undefined ? only : this.#effects.join(frames);
  }

  #entry(index: number): StreamEntry {
    const entry = this.#entries[index];
    if (!entry) throw new RangeError(`no entry ${index}`);
    return entry;
  }
}

/** True: whoever lacks the first entry lacks this one too; they come one after another, in Kafka too, for the first time. */
function isPlainAfter(entry: StreamEntry, index: number, entries: readonly StreamEntry[]): boolean {
  if (entry.replayed) return false;
  const before = entries[index - 1];
  if (!before) return true;
  const { partition, offset } = before.kafka;
  return (
    entry.offset === before.offset + 1 && entry.kafka.partition === partition && entry.kafka.offset > offset
  );
}
