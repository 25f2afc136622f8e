import type { StreamEntry } from '../channels/index.ts';
import type { RecordTracer } from '../delivery/index.ts';
import type { Log } from '../log/index.ts';

/** Whose spans they are. */
export interface TracedGateway {
  platform: string;
  namespace: string;
  podName: string;
  /** Empty: not known. */
  zone: string;
  /** Consumer group of the gateways. */
  group: string;
  log: Log;
}

/** A publication that is on its way into Kafka. One of {@link end} and {@link fail} is to be called. */
export interface PublishSpan {
  /** To go with the record (W3C Trace Context, `traceparent`); undefined: this one is not sampled. */
  readonly traceparent: string | undefined;
  /** It is durable. */
  end(): void;
  /** It is not known to be. */
  fail(error: unknown): void;
}

/** What became of spans: a key of `causeway_gateway_spans_total`. */
export type SpanOutcome = 'exported' | 'refused' | 'dropped';

/**
 * Told of each publication where it is published, carried and delivered. Never given what is in one. Its calls take
 * microseconds, and none of them throws or waits.
 */
export interface Tracing extends RecordTracer {
  /** Spans by what became of them, since the start. */
  readonly spans: Readonly<Record<SpanOutcome, number>>;
  /** A client publishes; a trace begins here, or not. */
  publishing(topic: string, channel: string): PublishSpan;
  /** The first frame of `entry`, which has a trace context, is made: its subscribers get it now, before anything else. */
  delivering(channel: string, entry: StreamEntry): void;
  /** `entry` was given to so many subscribers. */
  delivered(entry: StreamEntry, subscribers: number): void;
  /** Sends what waits, in bounded time. */
  close(): Promise<void>;
}
