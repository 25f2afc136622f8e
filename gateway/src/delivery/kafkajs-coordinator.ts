/** Lets consumers of kafkajs 2.2.4 follow their group's coordinator when that is lost. */
import { setTimeout as delay } from 'node:timers/promises';
import ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js';
import { createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import { within } from './within.ts';

/** For how long one that is gone may be looked for, milliseconds: Kafka itself takes up to nine seconds to call a broker gone. */
const FIND_MS = 17_000;
const FIND_EVERY_MS = 250;
/**
 * How long the leaders of partitions are waited for after a join. Nothing is fetched meanwhile, so no heartbeat is sent: a good deal
 * less than the session, 6 s, since a broker that says nothing is given up after as long.
 */
export const LEADERS_MS = 2_000;
/** NOT_COORDINATOR in Kafka's protocol guide. kafkajs joins anew upon it. */
const NOT_COORDINATOR = 16;

/** kafkajs's names of errors of a connection. */
const OF_CONNECTION: ReadonlySet<string> = new Set([
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSRequestTimeoutError',
]);
/** Errors of one who looks for a coordinator while there is none, by kafkajs's names or types. */
const OF_SEARCH: ReadonlySet<string> = new Set([
  ...OF_CONNECTION,
  'KafkaJSBrokerNotFound',
  'KafkaJSLockTimeout',
  'KafkaJSGroupCoordinatorNotFound',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'GROUP_LOAD_IN_PROGRESS',
  'NOT_COORDINATOR_FOR_GROUP',
  'LEADER_NOT_AVAILABLE',
  'REQUEST_TIMED_OUT',
]);

let mended = false;

/**
 * kafkajs asks for the coordinator only when it joins. When that broker is gone it sends heartbeats into the void until its
 * retries are used up, and then gives the consumer up, whose place in the group stays taken until the session is over: the one
 * that is made anew joins as somebody else, and waits for its own ghost. Here a heartbeat that fails with its connection means that
 * the coordinator is another one, so the same member joins there; and whoever joins goes on looking while there is none.
 */
export function mendKafkaCoordinators(): void {
  if (mended) return;
  mended = true;
  const { heartbeat, joinAndSync } = ConsumerGroup.prototype;
  ConsumerGroup.prototype.heartbeat = async function heartbeatThere(options): Promise<void> {
    try {
      await heartbeat.call(this, options);
    } catch (error) {
      throw isOf(error, OF_CONNECTION) ? createErrorFromCode(NOT_COORDINATOR) : error;
    }
  };
  ConsumerGroup.prototype.joinAndSync = async function joinWhereItIs(): Promise<void> {
    const deadline = performance.now() + FIND_MS;
    for (;;) {
      try {
        await joinAndSync.call(this);
        // Only the group's leader asks kafkajs for the leaders of partitions: others would ask the one that is gone. One that is
        // not told here, or not in time, asks when that fails.
        await within(LEADERS_MS, 'leaders', this.cluster.refreshMetadata()).catch(() => undefined);
        return;
      } catch (error) {
        if (!isOf(error, OF_SEARCH) || performance.now() > deadline) throw error;
        await delay(FIND_EVERY_MS);
      }
    }
  };
}

/** Whether it, or what it is about, has one of these names or types. */
function isOf(error: unknown, kinds: ReadonlySet<string>): boolean {
  if (!(error instanceof Error)) return false;
  const { name, type = '', cause } = error as Error & { type?: string };
  return kinds.has(name) || kinds.has(type) || isOf(cause, kinds);
}
