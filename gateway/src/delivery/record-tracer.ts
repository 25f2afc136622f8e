import type { KafkaMessage } from 'kafkajs';

/** A record on its way from Kafka into Redis. */
export interface CarriedRecord {
  topic: string;
  channel: string;
  partition: number;
  offset: number;
}

/** The carrying of a record that is traced. */
export interface CarrySpan {
  /** To go on with the entry (W3C Trace Context, `traceparent`). */
  readonly traceparent: string;
  /** It is in Redis. Not to be called if somebody else put it there: then this span never was. */
  end(): void;
}

/** Told of records that have a trace context. */
export interface RecordTracer {
  /** Undefined where `traceparent`, which anyone may have written, is none, or of a trace that is not sampled. */
  carrying(record: CarriedRecord, traceparent: string): CarrySpan | undefined;
}

/** Name of the header that a record's trace context is in. */
export const TRACEPARENT = 'traceparent';

/** A record's trace context as it stands there; undefined: it has none. Of several headers the first one counts. */
export function traceparentIn({ headers }: Pick<KafkaMessage, 'headers'>): string | undefined {
  const header = headers?.[TRACEPARENT];
  return (Array.isArray(header) ? header[0] : header)?.toString();
}

/** Ends the spans of those records that were put into Redis now, by their outcomes; what is no publication has none. */
export function endSpans(
  records: readonly { publication: object | undefined; span?: CarrySpan | undefined }[],
  outcomes: readonly string[],
): void {
  for (const [index, { publication, span }] of records.entries()) {
    if (span && publication && outcomes[index] === 'ok') span.end();
  }
}
