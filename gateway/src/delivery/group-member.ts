import type { Admin, Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import { reason } from '../log/index.ts';
import type { Log } from '../log/index.ts';
import { GroupContact } from './group-contact.ts';
import type { ContactLimits } from './group-contact.ts';
import type { GroupSeen } from './group-need.ts';
import { TopicIds } from './kafkajs-topic-ids.ts';
import { OverdueError, within } from './within.ts';

/**
 * How often heartbeats are sent at most, and how long a fetch without records may take. When the group changes nobody carries
 * anything until its slowest member has joined again: after its next heartbeat, and the end of its fetches of then (kafkajs). With
 * 1 s for each that was 2 s whenever a gateway came or went.
 */
export const BEAT_MS = 300;
/** After this time a call of kafkajs counts as failed: longer than its own time-out. */
export const CALL_MS = 10_000;
/** Leaving the group may take this long; after that others learn of it by the session's time-out. */
export const LEAVE_MS = 3_000;
/** Who asks for topics' ids does without them after this time, milliseconds. */
const IDS_MS = 3_000;
/** How often it is asked whether there is still contact with the group. */
const CONTACT_MS = 1_000;

/** A batch that is behind us. */
export type Passed = Pick<EachBatchPayload['batch'], 'topic' | 'partition' | 'highWatermark'>;

/** What a {@link GroupMember} needs. Once it was told to leave it calls nothing of this but the log. */
export interface GroupMemberOptions {
  kafka: Kafka;
  group: string;
  /** Undefined: see GroupContact. */
  contact: ContactLimits | undefined;
  log: Log;
  /** These partitions of topics, and no others, are its own from now on. */
  assigned(partitions: Record<string, number[]>): void;
  /** A batch of its partitions, whose first offset is where it was fetched from. From `leave()` on it is not running. */
  carry(batch: EachBatchPayload): Promise<void>;
  /** A batch, fetched from offset `from` on, had only marks of transactions: kafkajs passes them by without a call. */
  passed(batch: Passed, from: string, lastOffset: string): void;
}

/** A consumer of kafkajs in the gateways' group, and what asks Kafka beside it, from their first connection to their end. */
export class GroupMember {
  readonly #options: GroupMemberOptions;
  readonly #admin: Admin;
  readonly #consumer: Consumer;
  readonly #ids: TopicIds;
  readonly #crashed = Promise.withResolvers<never>();
  /** What the consumer was told last; settles when it has done it. */
  #step: Promise<void> = Promise.resolve();
  #listening: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(options: GroupMemberOptions) {
    const { kafka, group } = options;
    this.#options = options;
    this.#admin = kafka.admin({ retry: { retries: 2, initialRetryTime: 100 } });
    this.#ids = new TopicIds(kafka);
    this.#consumer = kafka.consumer({
      groupId: group,
      sessionTimeout: 6_000,
      rebalanceTimeout: 10_000,
      heartbeatInterval: BEAT_MS,
      maxWaitTimeInMs: BEAT_MS,
      metadataMaxAge: 10_000,
      allowAutoTopicCreation: false,
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5, restartOnFailure: async () => false },
    });
    // It may be over while nobody waits for that.
    this.#crashed.promise.catch(() => undefined);
  }

  /** Rejects when it is over by itself, and is to be given up; never resolves. */
  get crashed(): Promise<never> {
    return this.#crashed.promise;
  }

  /** Connects what {@link ask} asks. Rejects when Kafka cannot be reached. */
  async connect(): Promise<void> {
    await within(CALL_MS, 'connect', this.#admin.connect());
  }

  /** Begins to join the group; that may take long, so it is not waited for. Rejects when Kafka cannot be reached. */
  async join(topics: string[]): Promise<void> {
    await this.#do('connect', this.#consumer.connect());
    await this.#do('subscribe', this.#consumer.subscribe({ topics, fromBeginning: true }));
    this.#listen();
    this.#step = this.#consumer.run({
      // Or it would commit after each batch, and fetch nothing meanwhile: a replicated write for each few records.
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: 8,
      eachBatch: async (batch) => this.#carry(batch),
    });
    this.#step.catch(this.#crashed.reject);
  }

  async #do(what: string, step: Promise<void>): Promise<void> {
    this.#step = step;
    await within(CALL_MS, what, step);
  }

  #listen(): void {
    const consumer = this.#consumer;
    const contact = new GroupContact(performance.now(), this.#options.contact);
    consumer.on('consumer.crash', ({ payload }) => this.#crashed.reject(payload.error));
    consumer.on('consumer.group_join', ({ payload }) => {
      contact.heard(performance.now());
      if (!this.#isOver) this.#options.assigned(payload.memberAssignment);
    });
    consumer.on('consumer.heartbeat', () => contact.heard(performance.now()));
    consumer.on('consumer.rebalancing', () => contact.rejoins(performance.now()));
    consumer.on('consumer.end_batch_process', ({ payload }) => {
      const { batchSize, firstOffset, lastOffset } = payload;
      if (batchSize === 0 && !this.#isOver) this.#options.passed(payload, firstOffset, lastOffset);
    });
    this.#listening = setInterval(() => {
      if (contact.isLost(performance.now())) this.#crashed.reject(new Error('no contact with the group'));
    }, CONTACT_MS);
  }

  /** What one that was given up still has is the next one's affair: it resolves nothing of it. */
  async #carry(batch: EachBatchPayload): Promise<void> {
    if (this.#isOver) return;
    await this.#options.carry({ ...batch, isRunning: () => !this.#isOver && batch.isRunning() });
  }

  /** A client that does not answer in time may never do so again: then it is over, and all clients are to be made anew. */
  async ask<T>(what: string, question: (admin: Admin) => Promise<T>): Promise<T> {
    try {
      return await within(CALL_MS, what, question(this.#admin));
    } catch (error) {
      if (error instanceof OverdueError) this.#crashed.reject(error);
      throw error;
    }
  }

  /** What its group is like now, also before it has joined; undefined: nobody can say. */
  async lookAtGroup(): Promise<GroupSeen | undefined> {
    try {
      const asked = this.ask('group', (admin) => admin.describeGroups([this.#options.group]));
      const [group] = (await asked).groups;
      return group && { state: group.state, members: group.members.length };
    } catch (error) {
      this.#options.log.debug('the group cannot be asked about', { reason: reason(error) });
      return undefined;
    }
  }

  /** The ids of topics, see TopicIds; none where Kafka does not tell them in time. */
  async topicIds(topics: readonly string[]): Promise<ReadonlyMap<string, string>> {
    try {
      return await within(IDS_MS, 'topic ids', this.#ids.of(topics));
    } catch (error) {
      this.#options.log.debug('topic ids not read', { reason: reason(error) });
      return new Map();
    }
  }

  /** Goes on there with a partition that it has. */
  seek(topic: string, partition: number, offset: number): void {
    this.#consumer.seek({ topic, partition, offset: String(offset) });
  }

  /** Tells the group how far it is. */
  async commit(offsets: Parameters<Consumer['commitOffsets']>[0], timeoutMs: number): Promise<void> {
    await within(timeoutMs, 'commit', this.#consumer.commitOffsets(offsets));
  }

  /**
   * Says nothing any more, and leaves, so that others take over at once. To be called once. Never rejects; resolves when it has
   * left, or after {@link LEAVE_MS}: then it leaves in the background, as soon as it can.
   *
   * Who disconnects while kafkajs 2.2.4 joins cannot stop that later either (its issue 1639): it would connect again, and stay in the
   * group with partitions that nobody carries. So it is stopped first, which ends its joining (kafkajs-joins.ts), and that end is
   * waited for.
   */
  async leave(): Promise<void> {
    this.#isOver = true;
    clearInterval(this.#listening);
    const notLeft = (error: unknown): void =>
      this.#options.log.debug('disconnecting', { reason: reason(error) });
    // Why a step failed is told where it was taken.
    const ended = Promise.allSettled([this.#step, this.#consumer.stop()]);
    const left = ended.then(() => this.#consumer.disconnect());
    const others = [this.#admin.disconnect(), this.#ids.close()].map((end) => end.catch(notLeft));
    const ends = Promise.all([left.catch(notLeft), ...others]);
    await within(LEAVE_MS, 'disconnect', ends).catch(notLeft);
  }
}
