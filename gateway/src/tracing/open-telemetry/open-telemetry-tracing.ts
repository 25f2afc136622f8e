import { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import type { Attributes, Context, Span, SpanContext, SpanOptions, Tracer } from '@opentelemetry/api';
import { parseTraceParent } from '@opentelemetry/core';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { ParentBasedSampler, TraceIdRatioBasedSampler, TracerProvider } from '@opentelemetry/sdk-trace';
import { namespaceOf } from '../../channels/index.ts';
import type { StreamEntry } from '../../channels/index.ts';
import type { CarriedRecord, CarrySpan } from '../../delivery/index.ts';
import type { PublishSpan, SpanOutcome, TracedGateway, Tracing } from '../tracing.ts';
import type { SpanQueue } from './span-queue.ts';

/** Names are those of OpenTelemetry's semantic conventions, messaging, of this version. */
const SCHEMA_URL = 'https://opentelemetry.io/schemas/1.45.0';
/** Longer texts are cut off: others write keys and topics too. */
const MAX_TEXT = 256;

/** Most publications, usually. */
const NOT_SAMPLED: PublishSpan = { traceparent: undefined, end: () => undefined, fail: () => undefined };

/** What an {@link OpenTelemetryTracing} needs. */
export interface OpenTelemetryOptions {
  queue: SpanQueue;
  gateway: TracedGateway;
  ratePerMillion: number;
}

/** {@link Tracing} with OpenTelemetry's SDK. Registers nothing globally: nobody else in the process makes spans. */
export class OpenTelemetryTracing implements Tracing {
  readonly #queue: SpanQueue;
  readonly #group: string;
  readonly #tracer: Tracer;
  /** The delivery under way: from the first frame of an entry to its last subscriber nothing else runs. */
  #delivery: { channel: string; entry: StreamEntry; began: number } | undefined;

  constructor({ queue, gateway, ratePerMillion }: OpenTelemetryOptions) {
    this.#queue = queue;
    this.#group = gateway.group;
    const provider = new TracerProvider({
      resource: resourceFromAttributes(resourceOf(gateway)),
      sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratePerMillion / 1_000_000) }),
      spanLimits: { attributeValueLengthLimit: MAX_TEXT },
      spanProcessors: [queue],
    });
    this.#tracer = provider.getTracer('causeway', undefined, { schemaUrl: SCHEMA_URL });
  }

  get spans(): Readonly<Record<SpanOutcome, number>> {
    return this.#queue.counts;
  }

  publishing(topic: string, channel: string): PublishSpan {
    const attributes = {
      ...operation('publish', 'send'),
      'messaging.system.name': 'kafka',
      'messaging.destination.name': topic,
      'kafka.message.key': channel,
    };
    const span = this.#start(`publish ${topic}`, { kind: SpanKind.PRODUCER, attributes });
    if (!span.isRecording()) return NOT_SAMPLED;
    return {
      traceparent: traceparentOf(span),
      end: () => span.end(performance.now()),
      fail: (error) => {
        span.setAttribute('error.type', error instanceof Error ? error.name : typeof error);
        span.setStatus({ code: SpanStatusCode.ERROR });
        span.end(performance.now());
      },
    };
  }

  carrying({ topic, channel, partition, offset }: CarriedRecord, traceparent: string): CarrySpan | undefined {
    const parent = sampledParent(traceparent);
    if (!parent) return undefined;
    const attributes = {
      ...operation('carry', 'process'),
      'messaging.system.name': 'kafka',
      'messaging.destination.name': topic,
      'messaging.destination.partition.id': String(partition),
      'messaging.consumer.group.name': this.#group,
      'kafka.message.key': channel,
      'kafka.offset': offset,
    };
    const span = this.#start(`carry ${topic}`, { kind: SpanKind.CONSUMER, attributes }, parent);
    return { traceparent: traceparentOf(span), end: () => span.end(performance.now()) };
  }

  delivering(channel: string, entry: StreamEntry): void {
    if (this.#delivery?.entry !== entry) this.#delivery = { channel, entry, began: performance.now() };
  }

  delivered(entry: StreamEntry, subscribers: number): void {
    const delivery = this.#delivery;
    this.#delivery = undefined;
    const parent = sampledParent(entry.tags?.['traceparent'] ?? '');
    if (delivery?.entry !== entry || !parent) return;
    const { channel } = delivery;
    const template = `${namespaceOf(channel)}:*`;
    const attributes = {
      ...operation('deliver', 'process'),
      // The conventions know no Redis; where none of theirs fits, they take any name.
      'messaging.system.name': 'redis',
      'messaging.destination.name': channel,
      'messaging.destination.template': template,
      'causeway.subscribers': subscribers,
    };
    const options = { kind: SpanKind.CONSUMER, attributes, startTime: delivery.began };
    this.#start(`deliver ${template}`, options, parent).end(performance.now());
  }

  close(): Promise<void> {
    return this.#queue.shutdown();
  }

  /** All times are read from the monotonic clock: by itself, the SDK begins a span at a whole millisecond. */
  #start(name: string, options: SpanOptions, parent = ROOT_CONTEXT): Span {
    return this.#tracer.startSpan(name, { startTime: performance.now(), ...options }, parent);
  }
}

function resourceOf({ platform, namespace, podName, zone }: TracedGateway): Attributes {
  return {
    'service.name': 'causeway-gateway',
    'service.namespace': platform,
    'service.instance.id': podName,
    'k8s.namespace.name': namespace,
    'k8s.pod.name': podName,
    ...(zone !== '' && { 'cloud.availability_zone': zone }),
  };
}

function operation(name: string, type: 'send' | 'process'): Attributes {
  return { 'messaging.operation.name': name, 'messaging.operation.type': type };
}

/** `traceparent` of a span that is sampled. */
function traceparentOf(span: Span): string {
  const { traceId, spanId } = span.spanContext();
  return `00-${traceId}-${spanId}-01`;
}

/** Undefined where `traceparent` is none, or says that its trace is not sampled. */
function sampledParent(traceparent: string): Context | undefined {
  const parsed: SpanContext | null = parseTraceParent(traceparent);
  if (!parsed || (parsed.traceFlags & TraceFlags.SAMPLED) === 0) return undefined;
  return trace.setSpanContext(ROOT_CONTEXT, { ...parsed, isRemote: true });
}
