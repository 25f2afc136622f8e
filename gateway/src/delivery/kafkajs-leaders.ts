/** Lets consumers of kafkajs 2.2.4 go on while leaders of partitions are lost, or move. */
import { setTimeout as delay } from 'node:timers/promises';
import ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js';
import { isOf, OF_CONNECTION } from './kafkajs-errors.ts';
import { within } from './within.ts';

/**
 * How long it is waited for who leads partitions. After a join nothing is fetched meanwhile, so no heartbeat is sent: a good deal
 * less than the session, 6 s, since a broker that says nothing is given up after as long.
 */
export const LEADERS_MS = 2_000;
/** How soon a broker is asked again that could not be asked, or leads no more, milliseconds. */
export const AGAIN_MS = 100;

/** What brokers say that do not lead, or not in this epoch. By the names of Kafka's protocol guide. */
const OF_LEADERS: ReadonlySet<string> = new Set([
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
]);

const { recoverFromFetch } = ConsumerGroup.prototype;
let mended = false;

/**
 * When a fetch tells kafkajs that another broker leads, it joins the group anew, beside the fetches to other brokers, of which each may
 * do so as well. The group's leader makes the whole group join by that. And when one broker cannot be reached, it ends the fetches to all others,
 * begins again, and gives the consumer up after five such rounds. Here the member asks who leads by now, and goes on with the brokers
 * that are there; what it is in the group does not depend on that.
 */
export function mendKafkaLeaders(): void {
  if (mended) return;
  mended = true;
  ConsumerGroup.prototype.recoverFromFetch = async function askAnother(error): Promise<void> {
    if (!isOf(error, OF_LEADERS) && !isOf(error, OF_CONNECTION)) return recoverFromFetch.call(this, error);
    await delay(AGAIN_MS);
    await tellLeaders(this);
  };
}

/** Asks who leads partitions by now. A member that is not told here, or not in time, asks when its fetches fail. */
export async function tellLeaders({ cluster }: ConsumerGroup): Promise<void> {
  await within(LEADERS_MS, 'leaders', cluster.refreshMetadata()).catch(() => undefined);
}
