/** Lets consumers of kafkajs 2.2.4 follow their group's coordinator when that is lost. */
import { setTimeout as delay } from 'node:timers/promises';
import ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js';
import { createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import { isOf, OF_COORDINATOR, OF_SEARCH } from './kafkajs-errors.ts';
import { tellLeaders } from './kafkajs-leaders.ts';
import { hasAnswered } from './kafkajs-seek.ts';
import { OverdueError, within } from './within.ts';

/** For how long one that is gone may be looked for, milliseconds: Kafka itself takes up to nine seconds to call a broker gone. */
const FIND_MS = 17_000;
const FIND_EVERY_MS = 250;
/**
 * For how long a member that has joined looks for its next coordinator without joining anew. With the time for which the last one may
 * owe an answer (kafka-silence.ts) that is a session, 6 s: for as long nobody has taken it for gone, and its partitions are its own.
 */
export const MOVED_MS = 3_000;
/** NOT_COORDINATOR in Kafka's protocol guide. kafkajs joins anew upon it. */
const NOT_COORDINATOR = 16;

const { heartbeat, commitOffsets, leave, joinAndSync } = ConsumerGroup.prototype;
let mended = false;

/**
 * kafkajs asks for the coordinator only when it joins. When that is another broker by now, it joins anew, and with it the whole group,
 * which carries nothing meanwhile, though the next coordinator has read from Kafka who is a member (its issue 1069). When that broker is
 * gone it sends heartbeats into the void until its retries are used up, and then gives the consumer up, whose place in the group stays
 * taken until the session is over: the one that is made anew joins as somebody else, and waits for its own ghost. Here what fails with
 * its coordinator is sent again to the next one, by the same member. Who does not find that in time ({@link MOVED_MS}), or is no
 * member there, joins anew, as the same member; and whoever joins goes on looking while there is none.
 */
export function mendKafkaCoordinators(): void {
  if (mended) return;
  mended = true;
  ConsumerGroup.prototype.heartbeat = beat;
  ConsumerGroup.prototype.commitOffsets = function commitThere(offsets): Promise<void> {
    return whereItIs(this, () => commitOffsets.call(this, offsets));
  };
  ConsumerGroup.prototype.leave = async function leaveThere(): Promise<void> {
    // It leaves where it is a member by now. And what follows ends all connections: nothing may make a new one after that.
    await searches.get(this)?.ended;
    await leave.call(this);
  };
  ConsumerGroup.prototype.joinAndSync = joinWhereItIs;
}

/** Of each member, the search that is under way, or that has failed, which the next heartbeat tells. */
const searches = new WeakMap<ConsumerGroup, Search>();

/** A member's search for the coordinator that its group has by now. */
class Search {
  /** Resolves when the member was answered there as one. Rejects as that answer; with NOT_COORDINATOR when there was none in time. */
  readonly outcome: Promise<void>;
  /** Resolves when it asks nothing any more. */
  readonly ended: Promise<void>;
  isUnderWay = true;
  readonly #group: ConsumerGroup;
  #told: Promise<void> | undefined;

  constructor(group: ConsumerGroup) {
    this.#group = group;
    const found = this.#find();
    const ignored = (): void => undefined;
    this.ended = found.catch(ignored).then(() => this.#told);
    this.outcome = this.#inTime(found);
    // There may be nobody who waits for it.
    this.outcome.catch(ignored);
  }

  /** It is of no more use. */
  end(): void {
    this.isUnderWay = false;
  }

  async #inTime(found: Promise<void>): Promise<void> {
    try {
      await within(MOVED_MS, 'coordinator', found);
      if (searches.get(this.#group) === this) searches.delete(this.#group);
    } catch (error) {
      throw error instanceof OverdueError ? createErrorFromCode(NOT_COORDINATOR) : error;
    } finally {
      this.end();
    }
  }

  async #find(): Promise<void> {
    const group = this.#group;
    const { groupId, cluster } = group;
    while (this.isUnderWay) {
      try {
        const coordinator = await cluster.findGroupCoordinator({ groupId });
        if (!this.isUnderWay) return;
        group.coordinator = coordinator;
        if (group.offsetManager) group.offsetManager.coordinator = coordinator;
        await heartbeat.call(group, { interval: 0 });
        // A broker that ends led partitions of the member's as well.
        this.#told = askCoordinator(group);
        return;
      } catch (error) {
        if (!isOf(error, OF_SEARCH)) throw error;
      }
      await delay(FIND_EVERY_MS);
    }
  }
}

function lookFor(group: ConsumerGroup): void {
  if (!searches.has(group)) searches.set(group, new Search(group));
}

/**
 * A search is not waited for, since fetches wait for heartbeats: until it is over the member is one, as it is between two heartbeats. Who has
 * answered one is asked who leads, too: any other that kafkajs is connected to may be gone.
 */
async function beat(this: ConsumerGroup, options: { interval: number }): Promise<void> {
  const begun = searches.get(this);
  if (begun?.isUnderWay) return;
  searches.delete(this);
  await begun?.outcome;
  const { lastRequest } = this;
  try {
    await heartbeat.call(this, options);
  } catch (error) {
    if (!isOf(error, OF_COORDINATOR)) throw error;
    lookFor(this);
    return;
  }
  // Most are not due yet, and ask nothing.
  if (this.coordinator && this.lastRequest !== lastRequest) hasAnswered(this.cluster, this.coordinator);
}

/** Asks the coordinator, and the next one where that has changed. */
async function whereItIs(group: ConsumerGroup, ask: () => Promise<void>): Promise<void> {
  let deadline: number | undefined;
  for (;;) {
    await searches.get(group)?.outcome;
    try {
      await ask();
      return;
    } catch (error) {
      if (!isOf(error, OF_COORDINATOR)) throw error;
      deadline ??= performance.now() + MOVED_MS;
      if (performance.now() > deadline) throw error;
    }
    lookFor(group);
    // One that still reads how far its groups are answers heartbeats already.
    await delay(FIND_EVERY_MS);
  }
}

/** Of each member, the join that is under way: kafkajs has several who may ask for one, and two would make each other invalid. */
const joins = new WeakMap<ConsumerGroup, Promise<void>>();

function joinWhereItIs(this: ConsumerGroup): Promise<void> {
  const begun = joins.get(this) ?? joinThere(this).finally(() => joins.delete(this));
  joins.set(this, begun);
  return begun;
}

async function joinThere(group: ConsumerGroup): Promise<void> {
  const deadline = performance.now() + FIND_MS;
  for (;;) {
    // What it finds out about the member of before is no news for the one that joins.
    endSearch(group);
    try {
      await joinAndSync.call(group);
      endSearch(group);
      // Only the group's leader asks kafkajs for the leaders of partitions: others would ask the one that is gone.
      await askCoordinator(group);
      return;
    } catch (error) {
      if (!isOf(error, OF_SEARCH) || performance.now() > deadline) throw error;
      await delay(FIND_EVERY_MS);
    }
  }
}

function endSearch(group: ConsumerGroup): void {
  searches.get(group)?.end();
  searches.delete(group);
}

/** Who leads partitions by now. The one that has just answered is asked, and not any that may be gone. */
async function askCoordinator(group: ConsumerGroup): Promise<void> {
  if (group.coordinator) hasAnswered(group.cluster, group.coordinator);
  await tellLeaders(group);
}
