import { setTimeout as delay } from 'node:timers/promises';
import type { EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import { namespaceOf } from '../channels/index.ts';
import { reason } from '../log/index.ts';
import type { Log } from '../log/index.ts';
import { decodeEnvelope, encodeEntry } from './entry.ts';
import type { Envelope } from './entry.ts';
import type { ContactLimits } from './group-contact.ts';
import { isNeeded, JOIN_PATIENCE_MS, NEED_EVERY_MS } from './group-need.ts';
import type { GroupSeen } from './group-need.ts';
import { BEAT_MS, CALL_MS, GroupMember, LEAVE_MS } from './group-member.ts';
import type { Passed } from './group-member.ts';
import { lagOf } from './lag.ts';
import { heed, LogJudge } from './log-identity.ts';
import type { KeptLogs } from './log-identity.ts';
import { IDEMPOTENCY_HEADER, IDEMPOTENCY_WINDOW_MS, onceOf } from './once.ts';
import { endSpans, traceparentIn } from './record-tracer.ts';
import type { CarrySpan, RecordTracer } from './record-tracer.ts';
import type { Append, AppendOutcome, Note } from './redis-streams.ts';
import { BeatFailedError, whileBeating } from './while-beating.ts';

/** Records in one pipeline to Redis. */
const CHUNK = 500;
/**
 * Pause before what failed is tried again; while Redis is away, at most. 500 records that a fence refuses cost us 7 ms of CPU
 * and Redis 4, for each partition.
 */
const RETRY_MS = 200;
/** After so long it is told that records are not appended, milliseconds. */
const REFUSED_MS = 5_000;
const RESTART_MS = 1_000;
/** How often offsets are committed. */
const COMMIT_MS = 1_000;
/**
 * How long no offsets are committed after one commit failed. Kafka keeps a commit for five seconds while a replica is missing
 * that it still counts on, and on that connection heartbeats wait behind it.
 */
const COMMIT_PAUSE_MS = 10_000;
/** At each so many commits it is asked whether Redis still has what was put there, and whether missing topics have come. */
const VERIFY_EVERY = 3;
/** How much further back than its history a topic is read for idempotency keys. Clocks of writers may differ by a minute. */
const KEYS_BEFORE_MS = IDEMPOTENCY_WINDOW_MS + 60_000;

/** The part of Redis that the carrier uses; see RedisStreams. */
export interface Streams extends KeptLogs {
  /** Resolves when Redis is connected, at once if it is; rejects when it has not come for a while. */
  connection(): Promise<void>;
  readonly connected: boolean;
  append(records: Append[]): Promise<AppendOutcome[]>;
  note(notes: Note[]): Promise<void>;
  positions(sources: string[]): Promise<(number | undefined)[]>;
  logs(sources: string[]): Promise<(string | undefined)[]>;
}

/** What a {@link Carrier} needs. */
export interface CarrierOptions {
  /** Called for each new consumer, so that it may read rotated credentials. */
  kafka(): Kafka;
  group: string;
  /** Topic in Kafka → namespace of its channels. */
  namespaces: ReadonlyMap<string, string>;
  /** How far back a topic's history reaches, seconds. */
  historySeconds(topic: string): number;
  streams: Streams;
  /** Undefined: nothing is traced. */
  tracer: RecordTracer | undefined;
  log: Log;
  /** Records were delivered; others were not, since their idempotency key was delivered before. */
  carried(records: number, doubled: number): void;
  failed(what: 'consume' | 'append' | 'record'): void;
  /** Default: {@link CONTACT}. */
  contact?: ContactLimits;
  /** Of a group with so many members it becomes one when it is needed, see {@link isNeeded}. Default 0: at once. */
  enough?: number;
}

/** A partition that this gateway has been given. */
interface Source {
  topic: string;
  partition: number;
  /** Last offset that is in Redis, as far as we know; -1: none. */
  last: number;
  /** Last offset that the group was told of. */
  committed: number;
  /** The next offset to carry: after `last`, or further on where Kafka has no more records for us. See lag.ts. */
  next: number | undefined;
  /** Where Kafka's log ended when we last heard of it. */
  end: number | undefined;
  /** Records below this offset were in Kafka already when the stream was begun to be rebuilt. */
  replayBelow: number;
  /** Records below this offset are older than the history: only their idempotency keys count. */
  appendFrom: number;
  judge: LogJudge;
}

/** What Redis has of sources, in their order. */
interface Kept {
  positions: (number | undefined)[];
  logs: (string | undefined)[];
}

/**
 * Carries records from Kafka into the channels' streams in Redis, as a member of the gateways' consumer group.
 *
 * Where a partition goes on is kept in Redis, changed by the script that appends: so a crash, a rebalance and two
 * members that carry the same partition for a moment make no duplicate and no gap, and an emptied or outdated Redis
 * is filled from Kafka again. The offsets that are committed to Kafka only serve those who watch lag.
 */
export class Carrier {
  readonly #options: CarrierOptions;
  readonly #stop = new AbortController();
  readonly #sources = new Map<string, Source>();
  #assignment = 0;
  #placed: Promise<void> = Promise.resolve();
  /** When offsets may be committed again, monotonic milliseconds. */
  #commitAfter = 0;
  /** The one of now. Others may still be leaving. */
  #member: GroupMember | undefined;
  #main: Promise<void> = Promise.resolve();

  constructor(options: CarrierOptions) {
    this.#options = options;
  }

  /** How many records of each topic are in Kafka and not yet in Redis, of the partitions that this gateway carries. */
  get lag(): Readonly<Record<string, number>> {
    return lagOf(this.#sources.values());
  }

  /** Begins to consume; does not wait. */
  start(): void {
    this.#main = this.#run();
  }

  /** Leaves the group, so that others take over at once. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#main;
  }

  /** Redis may have lost or forgotten something: looks now, not at the next interval. */
  verify(): void {
    if (this.#member) void this.#verify(false);
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.#consumeUntilItEnds();
      } catch (error) {
        this.#options.failed('consume');
        this.#options.log.warn('consumer ended, starting again', { reason: reason(error) });
      }
      // Not waited for on top of that: when the coordinator is gone, leaving takes as long as it may.
      const left = this.#giveUp();
      await delay(RESTART_MS, undefined, { signal: this.#stop.signal }).catch(() => undefined);
      if (this.#stop.signal.aborted) await left;
    }
  }

  async #consumeUntilItEnds(): Promise<void> {
    const member = new GroupMember({
      kafka: this.#options.kafka(),
      group: this.#options.group,
      contact: this.#options.contact,
      log: this.#options.log,
      assigned: (partitions) => this.#assigned(partitions),
      carry: (batch) => this.#carry(batch),
      passed: (batch, from, lastOffset) => void this.#passed(batch, Number(from), lastOffset),
    });
    this.#member = member;
    await member.connect();
    const topics = await this.#existingTopics(member);
    if (topics.length === 0) throw new Error('none of the topics is there yet');
    await this.#untilNeeded(member);
    if (this.#stop.signal.aborted) return;
    await member.join(topics);
    const over = new AbortController();
    try {
      await Promise.race([member.crashed, this.#watch(member, topics.length, over.signal)]);
    } finally {
      over.abort();
    }
  }

  /** One that cannot ask about the group joins it at once, and finds there what is wrong. */
  async #untilNeeded(member: GroupMember): Promise<void> {
    const { enough = 0, log } = this.#options;
    if (enough === 0) return;
    const deadline = performance.now() + JOIN_PATIENCE_MS;
    let first: GroupSeen | undefined;
    while (performance.now() < deadline && !this.#stop.signal.aborted) {
      const seen = await member.lookAtGroup();
      if (seen === undefined || isNeeded(first ?? seen, seen, enough)) return;
      if (first === undefined) log.info('enough gateways carry: joining when one is missed', { ...seen });
      first ??= seen;
      await delay(NEED_EVERY_MS, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  /** Ends when the carrier is stopped, when the consumer is over, or when a topic that was missing has come. */
  async #watch(member: GroupMember, subscribed: number, over: AbortSignal): Promise<void> {
    const ended = AbortSignal.any([this.#stop.signal, over]);
    for (let look = 1; ; look += 1) {
      await delay(COMMIT_MS, undefined, { signal: ended }).catch(() => undefined);
      // The last one too: who looks at lag then sees none.
      const isDue = ended.aborted || performance.now() >= this.#commitAfter;
      if (!over.aborted && isDue) await this.#commit(member, ended.aborted ? LEAVE_MS : CALL_MS);
      if (ended.aborted) return;
      if (look % VERIFY_EVERY !== 0) continue;
      await this.#verify(true);
      if (
        subscribed < this.#options.namespaces.size &&
        (await this.#existingTopics(member)).length > subscribed
      )
        return;
    }
  }

  /** Tells the group how far it is. One that fails is made up for by the next: nothing goes on from what is committed. */
  async #commit(member: GroupMember, timeoutMs: number): Promise<void> {
    const ahead = [...this.#sources.values()].filter(({ last, committed }) => last > committed);
    if (ahead.length === 0) return;
    const offsets = ahead.map(({ topic, partition, last }) => ({
      topic,
      partition,
      offset: String(last + 1),
    }));
    try {
      await member.commit(offsets, timeoutMs);
      // It may have gone back meanwhile.
      for (const [index, source] of ahead.entries())
        source.committed = Math.min(Number(offsets[index]?.offset) - 1, source.last);
    } catch (error) {
      this.#commitAfter = performance.now() + COMMIT_PAUSE_MS;
      this.#options.log.debug('offsets not committed', { reason: reason(error) });
    }
  }

  async #existingTopics(member: GroupMember): Promise<string[]> {
    const existing = new Set(await member.ask('topics', (admin) => admin.listTopics()));
    return [...this.#options.namespaces.keys()].filter((topic) => existing.has(topic));
  }

  async #giveUp(): Promise<void> {
    const member = this.#member;
    this.#member = undefined;
    this.#assignment += 1;
    this.#sources.clear();
    await member?.leave();
  }

  // Where to go on

  #assigned(assignment: Record<string, number[]>): void {
    this.#assignment += 1;
    this.#sources.clear();
    for (const [topic, partitions] of Object.entries(assignment)) {
      for (const partition of partitions) {
        const source = {
          topic,
          partition,
          last: -1,
          committed: -1,
          next: undefined,
          end: undefined,
          replayBelow: 0,
          appendFrom: 0,
          judge: new LogJudge(),
        };
        this.#sources.set(sourceName(topic, partition), source);
      }
    }
    this.#options.log.info('partitions assigned', { partitions: [...this.#sources.keys()] });
    this.#placed = this.#place([...this.#sources.values()], this.#assignment);
  }

  /** Makes each partition go on after what is in Redis; tries until it works or the assignment is another one. */
  async #place(sources: Source[], assignment: number): Promise<void> {
    while (assignment === this.#assignment && !this.#stop.signal.aborted) {
      try {
        const positions = await this.#options.streams.positions(sources.map(nameOf));
        const ids = positions.includes(undefined) ? await this.#topicIds(sources) : undefined;
        for (const [index, source] of sources.entries()) {
          const position = positions[index];
          if (position === undefined) await this.#rebuild(source, ids?.get(source.topic), assignment);
          else this.#seek(source, position, position + 1, assignment);
        }
        return;
      } catch (error) {
        this.#options.failed('append');
        this.#options.log.debug('positions not read', { reason: reason(error) });
        await this.#pause();
      }
    }
  }

  /**
   * Redis has nothing of a partition: as much of it as history reaches back is carried again. Reading begins a window
   * earlier, for the keys there: what was not delivered because of one of them must not be delivered now. `id`: of the log
   * in Kafka, if known; noted before there is a position in it.
   */
  async #rebuild(source: Source, id: string | undefined, assignment: number): Promise<void> {
    const { topic, partition } = source;
    const member = this.#member;
    if (!member || assignment !== this.#assignment) return;
    const since = Date.now() - this.#options.historySeconds(topic) * 1_000;
    const offsetsSince = (time: number) =>
      member.ask('offsets', (admin) => admin.fetchTopicOffsetsByTimestamp(topic, time));
    const starts = await offsetsSince(since);
    const keyStarts = await offsetsSince(since - KEYS_BEFORE_MS);
    const ends = await member.ask('offsets', (admin) => admin.fetchTopicOffsets(topic));
    const start = Number(starts.find((entry) => entry.partition === partition)?.offset);
    const keyStart = Number(keyStarts.find((entry) => entry.partition === partition)?.offset);
    const end = Number(ends.find((entry) => entry.partition === partition)?.high);
    if (![start, keyStart, end].every(Number.isSafeInteger)) {
      // It has no leader. What others have is not to wait for that; it is tried again with the next look, or when there is a batch.
      this.#options.log.debug('no offsets of a partition', { source: nameOf(source) });
      return;
    }
    if (id !== undefined) await this.#options.streams.noteLog(nameOf(source), id);
    if (assignment !== this.#assignment) return;
    source.replayBelow = end;
    source.end = end;
    // Kafka answers -1 where nothing is as young as that.
    source.appendFrom = start < 0 ? end : start;
    const from = keyStart < 0 ? end : keyStart;
    if (end > 0)
      this.#options.log.info('Redis has nothing of a partition, rebuilding', {
        source: nameOf(source),
        from,
      });
    this.#seek(source, -1, from, assignment);
  }

  #seek(source: Source, last: number, next: number, assignment: number): void {
    if (assignment !== this.#assignment) return;
    source.last = last;
    source.next = next;
    // Or nobody who watches lag would see that it has gone back.
    source.committed = Math.min(source.committed, last);
    this.#member?.seek(source.topic, source.partition, next);
  }

  async #topicIds(sources: readonly Source[]): Promise<ReadonlyMap<string, string>> {
    const topics = new Set(sources.map(({ topic }) => topic));
    return (await this.#member?.topicIds([...topics])) ?? new Map();
  }

  /** Finds what no record has told yet: Redis was emptied or went back while nothing was published. */
  async #verify(andLogs: boolean): Promise<void> {
    const assignment = this.#assignment;
    await this.#placed;
    const sources = [...this.#sources.values()];
    try {
      const before = sources.map((source) => source.last);
      const kept = await this.#kept(sources);
      if (assignment !== this.#assignment) return;
      const changed = sources.filter(
        ({ next }, index) =>
          kept && (next === undefined || (kept.positions[index] ?? -1) < (before[index] ?? -1)),
      );
      if (changed.length > 0) this.#placed = this.#place(changed, assignment);
      // At their interval only: what they show counts when it shows often.
      if (andLogs) await this.#lookAtLogs(sources, kept);
    } catch (error) {
      this.#notVerified(error);
    }
  }

  /** Undefined while Redis is away: how far Kafka is meanwhile can be looked at all the same. */
  async #kept(sources: Source[]): Promise<Kept | undefined> {
    const { streams } = this.#options;
    const names = sources.map(nameOf);
    try {
      const [positions, logs] = await Promise.all([streams.positions(names), streams.logs(names)]);
      return { positions, logs };
    } catch (error) {
      this.#notVerified(error);
      return undefined;
    }
  }

  #notVerified(error: unknown): void {
    this.#options.log.debug('not verified', { reason: reason(error) });
  }

  /** Sees where Kafka's logs end, and whether they are still those that what Redis has is of. */
  async #lookAtLogs(sources: Source[], kept: Kept | undefined): Promise<void> {
    const [member, assignment] = [this.#member, this.#assignment];
    if (!member || sources.length === 0) return;
    const asked = kept ? this.#topicIds(sources) : undefined;
    for (const topic of new Set(sources.map((source) => source.topic))) {
      const ends = await endsOf(topic, member);
      const id = (await asked)?.get(topic);
      if (assignment !== this.#assignment) return;
      for (const [index, source] of sources.entries()) {
        if (source.topic !== topic) continue;
        const end = ends.get(source.partition);
        source.end = end ?? source.end ?? 0;
        if (!kept) continue;
        const [position, noted] = [kept.positions[index], kept.logs[index]];
        const look = { source: nameOf(source), position, noted, id, end };
        const verdict = source.judge.judge(look);
        const isForgotten = await heed(verdict, look, this.#options.streams, this.#options.log);
        // Who has it by now finds that out there.
        if (assignment !== this.#assignment) return;
        if (isForgotten) this.#placed = this.#place([source], assignment);
      }
    }
  }

  // Carrying

  async #carry(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    await this.#untilPlaced(payload);
    const source = this.#sources.get(sourceName(batch.topic, batch.partition));
    if (!source || !isCurrent(payload)) return;
    if (source.next === undefined) {
      this.#placed = this.#place([source], this.#assignment);
      return;
    }
    source.end = Number(batch.highWatermark);
    let from = Number(batch.firstOffset());
    for (let i = 0; i < batch.messages.length; i += CHUNK) {
      if (!isCurrent(payload) || !(await beating(this.#follows(source, from), payload))) return;
      const chunk = batch.messages.slice(i, i + CHUNK);
      if (!(await this.#carryChunk(source, chunk, payload))) return;
      from = Number(chunk.at(-1)?.offset) + 1;
      source.next = from;
      payload.resolveOffset(chunk.at(-1)?.offset ?? '');
      await payload.heartbeat();
    }
    if (payload.isRunning()) await this.#passed(batch, from, batch.lastOffset());
  }

  /** All of a batch from offset `from` on is behind us, with what it has beside records; unless we have gone back since. */
  async #passed(batch: Passed, from: number, lastOffset: string): Promise<void> {
    const source = this.#sources.get(sourceName(batch.topic, batch.partition));
    if (!source || !(await this.#follows(source, from))) return;
    source.next = Math.max(source.next ?? 0, Number(lastOffset) + 1);
    source.end = Number(batch.highWatermark);
  }

  /**
   * Whether what was fetched from offset `from` on follows what has been carried. A batch may be older than our last seek, and kafkajs
   * does not say so when the leader has moved since: the fetcher of the next one has taken the seek. What lies between would be in no
   * stream, and Redis takes the batch, since we say ourselves what it comes after. So it is fetched again from where we are,
   * unless Kafka has nothing of that any more (retention), upon which kafkajs goes on with what there is. Never rejects.
   */
  async #follows(source: Source, from: number): Promise<boolean> {
    const [{ next }, assignment] = [source, this.#assignment];
    if (next === undefined || this.#sources.get(nameOf(source)) !== source) return false;
    if (from <= next) return true;
    const start = await this.#startOf(source);
    if (source.next !== next || assignment !== this.#assignment) return false;
    const gap = { source: nameOf(source), next, from };
    if (start !== undefined && start >= from) {
      this.#options.log.warn('Kafka has deleted records before they were carried', gap);
      source.next = from;
      return true;
    }
    this.#options.log.info('fetched from further on than is carried, fetching again', gap);
    this.#seek(source, source.last, next, assignment);
    return false;
  }

  /** Where Kafka's log begins; undefined: Kafka did not say. */
  async #startOf({ topic, partition }: Source): Promise<number | undefined> {
    try {
      const offsets = await this.#member?.ask('offsets', (admin) => admin.fetchTopicOffsets(topic));
      const low = Number(offsets?.find((entry) => entry.partition === partition)?.low);
      return Number.isSafeInteger(low) ? low : undefined;
    } catch (error) {
      this.#options.log.debug('the begin of a log was not read', { reason: reason(error) });
      return undefined;
    }
  }

  /** Redis may be away for long: stays in the group meanwhile. */
  async #untilPlaced(payload: EachBatchPayload): Promise<void> {
    let waitedFor: Promise<void> | undefined;
    while (payload.isRunning() && waitedFor !== this.#placed) {
      const placed = this.#placed;
      const done = await Promise.race([placed.then(() => true), delay(RETRY_MS, false)]);
      if (done) waitedFor = placed;
      await payload.heartbeat();
    }
  }

  /** False: the partition goes on elsewhere. */
  async #carryChunk(source: Source, chunk: KafkaMessage[], payload: EachBatchPayload): Promise<boolean> {
    const { records, notes } = this.#read(source, chunk);
    const { streams, log } = this.#options;
    const began = performance.now();
    let isTold = false;
    while (isCurrent(payload)) {
      try {
        // A Redis that says nothing is given up only when a session would be over.
        const put = streams.note(notes).then(() => streams.append(records));
        const outcomes = await whileBeating(put, () => payload.heartbeat(), BEAT_MS);
        const trouble = outcomes.find((outcome) => outcome === 'lost' || outcome === 'elsewhere');
        if (trouble === undefined) {
          source.last = records.at(-1)?.kafka.offset ?? source.last;
          const count = (what: AppendOutcome): number =>
            outcomes.filter((outcome) => outcome === what).length;
          this.#options.carried(count('ok'), count('doubled'));
          if (this.#options.tracer) endSpans(records, outcomes);
          if (isTold) log.info('records are appended again', { source: nameOf(source) });
          return true;
        }
        if (!payload.isRunning()) return false;
        log.warn('Redis is not where it was', { source: nameOf(source), found: trouble });
        this.#placed = this.#place([source], this.#assignment);
        return false;
      } catch (error) {
        if (error instanceof BeatFailedError) throw error.cause;
        this.#options.failed('append');
        const refused = { source: nameOf(source), reason: reason(error) };
        // Moves of the home end sooner. Longer refuses an old home, or one that no other zone follows.
        const isLong = performance.now() - began >= REFUSED_MS;
        if (isLong && !isTold) log.warn('records are not appended, trying on', refused);
        else log.debug('records not appended', refused);
        isTold = isLong;
        await this.#pause();
        await payload.heartbeat();
      }
    }
    return false;
  }

  /** Until it is worth another try: a Redis that is back, perhaps another one, may take at once what the last one refused. */
  async #pause(): Promise<void> {
    const { streams } = this.#options;
    const pause = delay(RETRY_MS);
    // That it has not come for a while is no news: the pause is over then.
    const back = streams.connected ? pause : streams.connection().catch(() => pause);
    await Promise.race([back, pause]);
  }

  /** What of a chunk goes into streams, and the keys of what is too old for that. */
  #read(source: Source, chunk: KafkaMessage[]): { records: Append[]; notes: Note[] } {
    const { topic, partition, replayBelow, appendFrom } = source;
    const records: Append[] = [];
    const notes: Note[] = [];
    let previous = source.last;
    for (const message of chunk) {
      const offset = Number(message.offset);
      if (offset < appendFrom) {
        const note = this.#note(topic, message);
        if (note) notes.push(note);
        continue;
      }
      const kafka = { partition, offset };
      const replayed = offset < replayBelow;
      // What is carried again makes no spans: they would be hours later than their traces.
      const span = replayed ? undefined : this.#span(topic, partition, message);
      const found = this.#decode(topic, message);
      if (!found) this.#options.failed('record');
      const publication = found && {
        channel: found.channel,
        entry: encodeEntry(found.envelope, kafka, replayed, span?.traceparent),
        once: onceOf(message, found.envelope),
      };
      records.push({ source: nameOf(source), kafka, previous, publication, span });
      previous = offset;
    }
    return { records, notes };
  }

  #span(topic: string, partition: number, message: KafkaMessage): CarrySpan | undefined {
    const { tracer } = this.#options;
    const traceparent = tracer && traceparentIn(message);
    if (traceparent === undefined) return undefined;
    const channel = message.key?.toString() ?? '';
    return tracer?.carrying({ topic, channel, partition, offset: Number(message.offset) }, traceparent);
  }

  #note(topic: string, message: KafkaMessage): Note | undefined {
    // Most have no header, and need not be decoded.
    if (message.headers?.[IDEMPOTENCY_HEADER] === undefined) return undefined;
    const found = this.#decode(topic, message);
    const once = found && onceOf(message, found.envelope);
    return once && { channel: found.channel, once };
  }

  /** Undefined where somebody wrote something else into the topic. */
  #decode(topic: string, message: KafkaMessage): { channel: string; envelope: Envelope } | undefined {
    const channel = message.key?.toString() ?? '';
    const envelope = decodeEnvelope(message.value);
    const isOurs = envelope && namespaceOf(channel) === this.#options.namespaces.get(topic);
    return isOurs ? { channel, envelope } : undefined;
  }
}

/** Where a topic's logs end, by partition. */
async function endsOf(topic: string, member: GroupMember): Promise<ReadonlyMap<number, number>> {
  const ends = await member.ask('offsets', (admin) => admin.fetchTopicOffsets(topic));
  return new Map(ends.map(({ partition, high }) => [partition, Number(high)]));
}

/** Stays in the group meanwhile. */
async function beating<T>(work: Promise<T>, payload: EachBatchPayload): Promise<T> {
  try {
    return await whileBeating(work, () => payload.heartbeat(), BEAT_MS);
  } catch (error) {
    throw error instanceof BeatFailedError ? error.cause : error;
  }
}

function isCurrent(payload: EachBatchPayload): boolean {
  return payload.isRunning() && !payload.isStale();
}

function sourceName(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}

function nameOf({ topic, partition }: Source): string {
  return sourceName(topic, partition);
}
