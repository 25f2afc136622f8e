import type { Disconnect } from '../protocol/index.ts';
import type { KafkaPosition, StreamEntry } from './stream.ts';

/** Clocks of two gateways may differ by this much, milliseconds. */
const CLOCK_SKEW_MS = 2_000;

/** One subscriber's end of a channel. `F` is a frame that is ready to be written. */
export interface Receiver<F> {
  deliver(frame: F): void;
  /** The subscription ended, and why. */
  dropped(channel: string, why: Disconnect): void;
}

/** A receiver's place in a channel. */
export interface Subscription<F> {
  readonly receiver: Receiver<F>;
  /** When it was added, Unix milliseconds; -Infinity: it came back, and is owed all that it had not. */
  since: number;
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

/** Not what it had already, and not what was published before it came and is here again only since the stream is rebuilt. */
export function isFor<F>(subscription: Subscription<F>, entry: StreamEntry): boolean {
  if (isHad(subscription, entry.kafka)) return false;
  return !entry.replayed || entry.publishedAt >= subscription.since - CLOCK_SKEW_MS;
}

/** A channel's publications are in one partition, as long as the topic doesn't grow. */
export function isHad<F>({ had }: Subscription<F>, kafka: KafkaPosition): boolean {
  return had !== undefined && had.partition === kafka.partition && kafka.offset <= had.offset;
}
