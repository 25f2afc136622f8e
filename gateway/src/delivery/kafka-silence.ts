import type { Socket } from 'node:net';

/** How long a connection to Kafka may owe an answer, milliseconds. */
export interface SilenceLimits {
  /** To most requests. Kafka answers at once, but for those that wait: Produce 5 s at most (our setting). */
  answerMs: number;
  /**
   * To those that a broker answers from what it knows: who leads, and who coordinates. Who asks waits with all else, and may have asked a broker
   * that is gone: kafkajs takes each for alive whose connection has not failed.
   */
  knownMs: number;
  /** To Fetch, which waits for 0.3 s at most (our setting). A member that is to join again waits for the end of all its fetches. */
  fetchMs: number;
  /**
   * To those that wait for other members of a group. Longer than kafkajs waits for them itself: for JoinGroup the time-out of a rebalance and
   * 5 s more, 15 s, and for SyncGroup 8 s (kafka-client.ts).
   */
  groupMs: number;
  /** To heartbeats, of which several go into one session (6 s): so a member finds its next coordinator before it is over. */
  beatMs: number;
}

export const SILENCE: SilenceLimits = {
  answerMs: 6_000,
  knownMs: 1_500,
  fetchMs: 3_000,
  groupMs: 16_000,
  beatMs: 3_000,
};

/** API keys (Kafka protocol guide) of requests that wait for other members of a group. */
const JOIN_GROUP = 11;
const SYNC_GROUP = 14;
/** From this version of JoinGroup on who has no id is given one at once (KIP-394). */
const WITH_IDS = 4;
/** API keys of Metadata and FindCoordinator. */
const KNOWN_REQUESTS: ReadonlySet<number> = new Set([3, 10]);
/** API keys of Fetch and Heartbeat. */
const FETCH = 1;
const HEARTBEAT = 12;

/**
 * Makes an error of what kafkajs 2.2.4 does not notice:
 *
 * - An answer is overdue: the other side is gone, and the network says nothing of it. kafkajs gives up the request but
 *   keeps the connection, and sends each repetition into the same void. Publishing was away for more than a minute,
 *   until its retries were used up.
 * - A request was written in the turn in which the other side closed the connection, or later. kafkajs has rejected
 *   what was under way by then and stopped its timer, and waits for the answer for ever.
 *
 * To be called before anything is written. Counts on kafkajs' writing each request with one call.
 */
export function breakWhenSilent(socket: Socket, limits: SilenceLimits = SILENCE): void {
  /** What is owed, by how long each may take; the oldest is first, and answered first (Kafka keeps the order of a connection). */
  let owed: number[] = [];
  let timer: NodeJS.Timeout | undefined;
  const answers = new Answers();
  const watchOldest = (): void => {
    clearTimeout(timer);
    const [limit] = owed;
    if (limit === undefined) return;
    timer = setTimeout(() => socket.destroy(new Error(`Kafka has not answered for ${limit} ms`)), limit);
  };
  const settled = (): void => {
    owed = [];
    watchOldest();
  };
  const closed = (): boolean => socket.emit('error', new Error('closed before Kafka answered'));
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  const watched = (...args: unknown[]): boolean => {
    if (socket.destroyed) {
      process.nextTick(closed);
      return false;
    }
    owed.push(limitOf(args[0], limits));
    if (owed.length === 1) watchOldest();
    return write(...args);
  };
  socket.write = watched;
  socket.on('data', (data: Buffer) => {
    owed.splice(0, answers.count(data));
    // A part of an answer is a sign of life too.
    watchOldest();
  });
  // With these kafkajs rejects all that is under way.
  for (const event of ['end', 'error']) socket.on(event, settled);
  // Node puts a function of its own there when the other side has closed.
  socket.on('end', () => (socket.write = watched));
  socket.on('close', () => {
    const isOwed = owed.length > 0;
    settled();
    if (isOwed) closed();
  });
}

/** Answers of one connection. Each begins with its size, four bytes. */
class Answers {
  /** Bytes of the size that have come. */
  #known = 0;
  /** Bytes of the answer that are still to come, as far as its size is known. */
  #missing = 0;

  /** How many of them end in what has come. */
  count(data: Buffer): number {
    let ended = 0;
    for (let at = 0; at < data.length;) {
      if (this.#known < 4) {
        this.#missing = this.#missing * 256 + (data[at] ?? 0);
        this.#known += 1;
        at += 1;
      } else {
        const part = Math.min(this.#missing, data.length - at);
        this.#missing -= part;
        at += part;
      }
      if (this.#known < 4 || this.#missing > 0) continue;
      this.#known = 0;
      ended += 1;
    }
    return ended;
  }
}

/** A request begins with its size, four bytes, and its API key, two. */
function limitOf(request: unknown, limits: SilenceLimits): number {
  if (!Buffer.isBuffer(request) || request.length < 6) return limits.answerMs;
  const apiKey = request.readInt16BE(4);
  if (apiKey === HEARTBEAT) return limits.beatMs;
  if (apiKey === FETCH) return limits.fetchMs;
  if (KNOWN_REQUESTS.has(apiKey)) return limits.knownMs;
  const isWaiting = apiKey === SYNC_GROUP || (apiKey === JOIN_GROUP && !asksForId(request));
  return isWaiting ? limits.groupMs : limits.answerMs;
}

/**
 * Whether a JoinGroup is answered with an id, and has none yet. After the API key: the version, INT16, correlation_id, INT32, client_id, STRING; and
 * group_id, STRING, session_timeout and rebalance_timeout, INT32 each, member_id, STRING. A STRING is its length, INT16, -1 for none, and its bytes.
 */
function asksForId(request: Buffer): boolean {
  const afterString = (at: number): number => at + 2 + Math.max(0, request.readInt16BE(at));
  try {
    if (request.readInt16BE(6) < WITH_IDS) return false;
    const memberId = afterString(afterString(12)) + 8;
    return request.readInt16BE(memberId) === 0;
  } catch (error) {
    // It is shorter than that.
    if (error instanceof RangeError) return false;
    throw error;
  }
}
