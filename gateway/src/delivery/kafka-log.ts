import { Partitioners } from 'kafkajs';
import type { Admin, Kafka, Message, PartitionMetadata, Producer } from 'kafkajs';
import { reason } from '../log/index.ts';
import type { Log } from '../log/index.ts';
import { BackendAwayError } from './away.ts';
import { Lane } from './lane.ts';
import type { LaneRecord } from './lane.ts';
import type { PublicationLog, RecordHeaders } from './publication-log.ts';
import { within } from './within.ts';

/** All records that wait, of all lanes. */
const MAX_PENDING_RECORDS = 10_000;
const MAX_PENDING_BYTES = 32 * 1024 * 1024;
/** Under the 5 s after which SDKs give up themselves. */
const TIMEOUT_MS = 4_000;
const EXPIRE_EVERY_MS = 200;
/** How soon new partitions are used, and how often an unreachable Kafka is asked. */
const METADATA_EVERY_MS = 10_000;
const METADATA_RETRY_MS = 500;
/** After this time a call of kafkajs counts as failed: longer than all its own time-outs of one attempt. */
const CALL_MS = 8_000;

const choosePartition = Partitioners.DefaultPartitioner();

/** A producer, kept until its last send is over. */
interface Generation {
  connected: Promise<Producer>;
  /** Ends all that it still does. */
  over: AbortController;
  users: number;
  retired: boolean;
}

/** To kafkajs: a send was given up, and is not to be tried again. */
class GivenUpError extends Error {
  readonly retriable = false;

  constructor() {
    super('the send was given up');
    this.name = 'GivenUpError';
  }
}

/** What a {@link KafkaLog} needs. */
export interface KafkaLogOptions {
  /** Called for each new producer, so that it may read rotated credentials. Where `over` is given, nothing of it is left then. */
  kafka(over?: AbortSignal): Kafka;
  topics: string[];
  log: Log;
  /** A send failed, or metadata could not be read. */
  failed(what: 'produce' | 'metadata'): void;
}

/**
 * {@link PublicationLog} on kafkajs. Each send has the records of one partition only: a send for several loses those
 * whose leader moves to a broker that has already answered. After a failed send the producer is replaced, since its
 * next batch could have the sequence numbers of the failed one, and be taken for a repetition.
 *
 * kafkajs goes on with a send that we have given up, also when its producer was told to disconnect, and would write it after later records
 * that are acknowledged. So it gets nothing to write any more ({@link messagesOf}), and no connection. What remains is a request that it
 * has handed to a connection already.
 */
export class KafkaLog implements PublicationLog {
  readonly #options: KafkaLogOptions;
  readonly #partitions = new Map<string, PartitionMetadata[]>();
  readonly #lanes = new Map<string, Lane>();
  #generation: Generation | undefined;
  #pending = 0;
  #pendingBytes = 0;
  #metadataTimer: NodeJS.Timeout | undefined;
  #expireTimer: NodeJS.Timeout | undefined;
  #admin: Admin | undefined;
  #closed = false;
  /** Kafka did what it was last asked for: to take a batch, or to tell of its topics. */
  #answers = true;

  constructor(options: KafkaLogOptions) {
    this.#options = options;
  }

  get pending(): number {
    return this.#pending;
  }

  /** Whether every topic can be published to, as far as is known: Kafka has them, and answered when it was last asked. */
  get ready(): boolean {
    return this.#answers && this.#options.topics.every((topic) => this.#partitions.has(topic));
  }

  /** Begins to connect; does not wait. */
  start(): void {
    this.#expireTimer = setInterval(() => {
      for (const lane of this.#lanes.values()) lane.expire();
    }, EXPIRE_EVERY_MS);
    void this.#refreshMetadata();
    this.#current();
  }

  async append(topic: string, key: string, value: string, headers?: RecordHeaders): Promise<void> {
    const partitionMetadata = this.#partitions.get(topic);
    if (!partitionMetadata) throw new BackendAwayError(`Kafka's topic ${topic} is not known yet`);
    if (this.#pending >= MAX_PENDING_RECORDS || this.#pendingBytes + value.length > MAX_PENDING_BYTES) {
      throw new BackendAwayError('too many publications wait for Kafka');
    }
    const partition = choosePartition({ topic, partitionMetadata, message: { key, value } });
    this.#pending += 1;
    this.#pendingBytes += value.length;
    try {
      await this.#lane(topic, partition).append(key, value, headers);
    } finally {
      this.#pending -= 1;
      this.#pendingBytes -= value.length;
    }
  }

  /** Waits for what is under way, at most as long as a record may take, and disconnects. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#metadataTimer);
    const deadline = performance.now() + TIMEOUT_MS;
    while (this.#pending > 0 && performance.now() < deadline)
      await new Promise((done) => setTimeout(done, 10));
    clearInterval(this.#expireTimer);
    const generation = this.#generation;
    this.#generation = undefined;
    const producer = await generation?.connected.catch(() => undefined);
    await Promise.allSettled([producer?.disconnect(), this.#admin?.disconnect()]);
    generation?.over.abort();
  }

  #lane(topic: string, partition: number): Lane {
    const name = `${topic}/${partition}`;
    let lane = this.#lanes.get(name);
    if (!lane) {
      lane = new Lane((records) => this.#send(topic, partition, records), {
        maxBatchRecords: 500,
        maxBatchBytes: 512 * 1024,
        timeoutMs: TIMEOUT_MS,
        now: () => performance.now(),
      });
      this.#lanes.set(name, lane);
    }
    return lane;
  }

  async #send(topic: string, partition: number, records: LaneRecord[]): Promise<void> {
    const generation = this.#current();
    generation.users += 1;
    const givenUp = new AbortController();
    try {
      const producer = await generation.connected;
      const messages = messagesOf(records, partition, givenUp.signal);
      const sent = producer.send({ topic, acks: -1, timeout: 5_000, messages });
      const answers = await within(CALL_MS, 'send', sent);
      if (!answers.some((answer) => answer.partition === partition && answer.errorCode === 0)) {
        throw new Error(`no answer for ${topic}/${partition}`);
      }
      this.#answers = true;
    } catch (error) {
      givenUp.abort();
      this.#answers = false;
      this.#options.failed('produce');
      this.#options.log.warn('publications not taken by Kafka', { topic, partition, reason: reason(error) });
      this.#retire(generation);
      throw error;
    } finally {
      generation.users -= 1;
      this.#release(generation);
    }
  }

  #current(): Generation {
    if (this.#generation) return this.#generation;
    const over = new AbortController();
    const generation = { connected: this.#connect(over.signal), over, users: 0, retired: false };
    this.#generation = generation;
    // The next send tries to connect again.
    generation.connected.catch(() => {
      this.#retire(generation);
      this.#release(generation);
    });
    return generation;
  }

  async #connect(over: AbortSignal): Promise<Producer> {
    const kafka = this.#options.kafka(over);
    const producer = kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      metadataMaxAge: METADATA_EVERY_MS,
      createPartitioner: Partitioners.DefaultPartitioner,
      // About as long as a record may wait: a server that is gone costs no time.
      retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 10 },
    });
    // Who listens for it is there before the client's own connections are.
    over.addEventListener('abort', () => this.#leave(producer), { once: true });
    await within(CALL_MS, 'connect', producer.connect());
    return producer;
  }

  /** Does not wait: what it leaves is of no more use. */
  #leave(producer: Producer): void {
    producer
      .disconnect()
      .catch((error: unknown) => this.#options.log.debug('old producer', { reason: reason(error) }));
  }

  #retire(generation: Generation): void {
    generation.retired = true;
    if (this.#generation === generation) this.#generation = undefined;
  }

  #release(generation: Generation): void {
    if (generation.retired && generation.users === 0) generation.over.abort();
  }

  async #refreshMetadata(): Promise<void> {
    let next = METADATA_EVERY_MS;
    try {
      const admin = await this.#connectedAdmin();
      for (const topic of this.#options.topics) {
        if (!(await this.#refreshTopic(admin, topic))) next = METADATA_RETRY_MS;
      }
      this.#answers = true;
    } catch (error) {
      this.#answers = false;
      this.#options.failed('metadata');
      this.#options.log.warn('Kafka metadata not read', { reason: reason(error) });
      this.#admin?.disconnect().catch(() => undefined);
      this.#admin = undefined;
      next = METADATA_RETRY_MS;
    }
    if (!this.#closed) this.#metadataTimer = setTimeout(() => void this.#refreshMetadata(), next);
  }

  async #connectedAdmin(): Promise<Admin> {
    if (this.#admin) return this.#admin;
    const kafka = this.#options.kafka();
    const admin = kafka.admin({ retry: { retries: 1, initialRetryTime: 100 } });
    await within(CALL_MS, 'connect', admin.connect());
    this.#admin = admin;
    return admin;
  }

  /** One topic at a time: one that is missing must not hide the others. */
  async #refreshTopic(admin: Admin, name: string): Promise<boolean> {
    try {
      const read = admin.fetchTopicMetadata({ topics: [name] });
      const { topics } = await within(CALL_MS, 'metadata', read);
      const partitions = topics[0]?.partitions ?? [];
      if (partitions.length > 0) this.#partitions.set(name, partitions);
      return partitions.length > 0;
    } catch (error) {
      if ((error as { type?: string }).type !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error;
      this.#partitions.delete(name);
      this.#options.log.warn('topic not found; it can be published to as soon as it is there', {
        topic: name,
      });
      return false;
    }
  }
}

/**
 * What kafkajs sends of records. It encodes a batch anew for each attempt, when there is a connection and before it is written: one that was
 * given up cannot be encoded any more.
 */
function messagesOf(records: readonly LaneRecord[], partition: number, givenUp: AbortSignal): Message[] {
  return records.map(({ key, value, headers }) => ({
    ...(headers && { headers }),
    key,
    partition,
    get value() {
      if (givenUp.aborted) throw new GivenUpError();
      return value;
    },
  }));
}
