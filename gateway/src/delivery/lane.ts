import { BackendAwayError } from './away.ts';
import type { RecordHeaders } from './publication-log.ts';

/** A record for Kafka. */
export interface LaneRecord {
  key: string;
  value: string;
  headers: RecordHeaders | undefined;
}

/** Sends one batch; resolves when it is durable. */
export type SendBatch = (records: LaneRecord[]) => Promise<void>;

/** Bounds of a lane. */
export interface LaneOptions {
  maxBatchRecords: number;
  maxBatchBytes: number;
  /** A record that is not durable after this time is given up, milliseconds. */
  timeoutMs: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

interface Waiting extends LaneRecord {
  deadline: number;
  settled: boolean;
  resolve(): void;
  reject(error: Error): void;
}

/**
 * The records of one partition: one batch in flight at a time (overlapping idempotent sends of kafkajs break their
 * sequence, its issue 598), and what comes in the meantime is the next batch.
 */
export class Lane {
  readonly #send: SendBatch;
  readonly #options: LaneOptions;
  #queue: Waiting[] = [];
  #inFlight: Waiting[] = [];
  #sending = false;

  constructor(send: SendBatch, options: LaneOptions) {
    this.#send = send;
    this.#options = options;
  }

  /** Nothing waits and nothing is in flight. */
  get idle(): boolean {
    return !this.#sending && this.#queue.length === 0;
  }

  append(key: string, value: string, headers?: RecordHeaders): Promise<void> {
    return new Promise((resolve, reject) => {
      const deadline = this.#options.now() + this.#options.timeoutMs;
      this.#queue.push({ key, value, headers, deadline, settled: false, resolve, reject });
      if (this.#sending) return;
      this.#sending = true;
      // Not at once: what else comes in this turn of the event loop goes with it.
      setImmediate(() => void this.#drain());
    });
  }

  /** Gives up records whose time is over. To be called a few times a second. */
  expire(): void {
    const now = this.#options.now();
    for (const record of this.#inFlight) if (record.deadline <= now) giveUp(record);
    const kept = this.#queue.findIndex((record) => record.deadline > now);
    const expired = kept === -1 ? this.#queue.splice(0) : this.#queue.splice(0, kept);
    for (const record of expired) giveUp(record);
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      this.#inFlight = this.#nextBatch();
      try {
        await this.#send(this.#inFlight);
        for (const record of this.#inFlight) settle(record, () => record.resolve());
      } catch (error) {
        const away = new BackendAwayError('Kafka did not take the publication', { cause: error });
        for (const record of this.#inFlight) settle(record, () => record.reject(away));
      }
      this.#inFlight = [];
    }
    this.#sending = false;
  }

  #nextBatch(): Waiting[] {
    const { maxBatchRecords, maxBatchBytes } = this.#options;
    let count = 0;
    let bytes = 0;
    for (const { value } of this.#queue) {
      bytes += value.length;
      if (count > 0 && (count >= maxBatchRecords || bytes > maxBatchBytes)) break;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }
}

function giveUp(record: Waiting): void {
  settle(record, () => record.reject(new BackendAwayError('Kafka did not answer in time')));
}

function settle(record: Waiting, how: () => void): void {
  if (record.settled) return;
  record.settled = true;
  how();
}
