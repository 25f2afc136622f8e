import { setTimeout as delay } from 'node:timers/promises';
import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer';
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace';
import { reason } from '../../log/index.ts';
import type { Log } from '../../log/index.ts';
import type { SpanOutcome } from '../tracing.ts';
import { RefusedSpansError } from './collector.ts';

/** Spans that wait, those in flight among them: about 2 KB each. */
const MAX_WAITING = 2_048;
/** More in one request would hold up delivery: these are about 2 ms of work. */
const MAX_BATCH = 128;
const SEND_EVERY_MS = 2_000;
/** How soon is sent again after a failure: twice as long each time, up to this. */
const MAX_RETRY_MS = 30_000;
/** How long the end of the process waits for a last batch. */
const CLOSE_MS = 2_000;

/** What a {@link SpanQueue} needs. */
export interface SpanQueueOptions {
  /**
   * Sends an OTLP request. Resolves to how many spans of it the collector refused. Rejects with RefusedSpansError if
   * all, with anything else if it is worth another try.
   */
  send(body: Uint8Array): Promise<number>;
  log: Log;
}

/**
 * Spans on their way to the collector, at most {@link MAX_WAITING}: what comes when they are so many is dropped. One
 * batch in flight at a time; what a collector that is away did not take is sent again.
 */
export class SpanQueue implements SpanProcessor {
  readonly counts: Record<SpanOutcome, number> = { exported: 0, refused: 0, dropped: 0 };
  readonly #options: SpanQueueOptions;
  readonly #waiting: ReadableSpan[] = [];
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #failures = 0;
  #trouble = false;
  #closed = false;

  constructor(options: SpanQueueOptions) {
    this.#options = options;
  }

  onStart(): void {
    // A span is nothing to send before it has ended.
  }

  onEnd(span: ReadableSpan): void {
    if (this.#waiting.length >= MAX_WAITING || this.#closed) {
      this.counts.dropped += 1;
      return;
    }
    this.#waiting.push(span);
    const isFull = this.#waiting.length === MAX_BATCH && this.#failures === 0;
    if (isFull) this.#unschedule();
    this.#schedule(isFull ? 0 : SEND_EVERY_MS);
  }

  /** Sends what waits, once. */
  forceFlush(): Promise<void> {
    this.#unschedule();
    this.#sending ??= this.#send().finally(() => {
      this.#sending = undefined;
      if (this.#waiting.length > 0 && !this.#closed) this.#schedule(this.#retryMs());
    });
    return this.#sending;
  }

  async shutdown(): Promise<void> {
    this.#closed = true;
    await Promise.race([this.forceFlush(), delay(CLOSE_MS, undefined, { ref: false })]);
  }

  #unschedule(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(afterMs: number): void {
    if (this.#timer || this.#sending) return;
    this.#timer = setTimeout(() => void this.forceFlush(), afterMs);
    this.#timer.unref();
  }

  async #send(): Promise<void> {
    while (this.#waiting.length > 0) {
      if (!(await this.#sendBatch(this.#waiting.slice(0, MAX_BATCH)))) break;
    }
  }

  /** Gateways whose collector went away don't come back to it together. */
  #retryMs(): number {
    const wait = Math.min(MAX_RETRY_MS, SEND_EVERY_MS * 2 ** Math.max(0, this.#failures - 1));
    return wait * (0.8 + 0.4 * Math.random());
  }

  /** False: later again. */
  async #sendBatch(batch: ReadableSpan[]): Promise<boolean> {
    try {
      const body = JsonTraceSerializer.serializeRequest(batch) ?? new Uint8Array();
      const refused = Math.min(batch.length, await this.#options.send(body));
      this.#settle(batch.length, refused);
      if (refused > 0) this.#say('it refused spans');
      else this.#isWell();
      return true;
    } catch (error) {
      this.#say(reason(error));
      if (error instanceof RefusedSpansError) {
        this.#settle(batch.length, batch.length);
        return true;
      }
      this.#failures += 1;
      return false;
    }
  }

  #settle(sent: number, refused: number): void {
    this.#failures = 0;
    this.#waiting.splice(0, sent);
    this.counts.exported += sent - refused;
    this.counts.refused += refused;
  }

  /** Says it once, until all is well again. */
  #say(why: string): void {
    if (!this.#trouble) this.#options.log.warn('spans not taken by the collector', { reason: why });
    this.#trouble = true;
  }

  #isWell(): void {
    if (this.#trouble) this.#options.log.info('the collector takes spans again');
    this.#trouble = false;
  }
}
