/** Lets consumers of kafkajs 2.2.4 end, and join again, without waiting for what they fetch. */
import Runner from 'kafkajs/src/consumer/runner.js';
import type { Batch } from 'kafkajs/src/consumer/runner.js';

/** Of each consumer, what ends the fetches that are under way. */
const underWay = new WeakMap<Runner, Set<() => void>>();
let mended = false;

/**
 * A consumer has a fetcher for each broker. When the group is to be joined again, when a fetch fails, and when brokers come or go, all of
 * them are stopped, and made anew afterwards. kafkajs waits for what they fetch, and throws it away. From a broker that is gone that takes
 * until its connection fails, seconds, and the whole group waits for the member. Here such fetches are not waited for.
 *
 * And one that is stopped while it waits for the end of the old ones makes the new ones all the same. Nobody stops these, and all that they
 * fetch is the empty answer that kafkajs gives who does not run: at once, again and again, in one turn that never ends. The whole
 * process stood still. Here who fetches for one that does not run is stopped.
 *
 * And it tells of a batch which offset its first record has, if it has any; not from where it was fetched, which is less where Kafka has
 * compacted a log. Who has to know whether a batch follows the last one needs the latter. Here that is its first offset.
 */
export function mendKafkaRunners(): void {
  if (mended) return;
  mended = true;
  const { fetch, handleBatch, stop } = Runner.prototype;
  Runner.prototype.fetch = async function whileItRuns(nodeId): Promise<unknown[]> {
    // Not waited for: it waits for the end of the fetcher that asks here.
    if (!this.running) void this.fetchManager.stop();
    const brokers = this.consumerGroup.getNodeIds();
    const batches = await endingOthers(this, untilEnded(this, fetch.call(this, nodeId)));
    // The next one makes the fetchers anew, and so do the others as soon as they are asked again.
    if (!isSame(brokers, this.consumerGroup.getNodeIds())) endFetches(this);
    return batches;
  };
  Runner.prototype.handleBatch = function handleOrEnd(batch: Batch): Promise<void> {
    batch.firstOffset = () => batch.fetchedOffset;
    return endingOthers(this, handleBatch.call(this, batch));
  };
  Runner.prototype.stop = async function stopFetches(): Promise<void> {
    const stopped = stop.call(this);
    endFetches(this);
    await stopped;
  };
}

/** What fails ends fetches of all. */
async function endingOthers<T>(runner: Runner, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    // Later: who ends before kafkajs has stopped it fetches again.
    setImmediate(() => endFetches(runner));
    throw error;
  }
}

/** Nothing, when it is ended before it has come. */
async function untilEnded(runner: Runner, fetched: Promise<unknown[]>): Promise<unknown[]> {
  const ends = underWay.get(runner) ?? new Set();
  underWay.set(runner, ends);
  const ended = Promise.withResolvers<unknown[]>();
  const end = (): void => ended.resolve([]);
  ends.add(end);
  try {
    return await Promise.race([fetched, ended.promise]);
  } finally {
    ends.delete(end);
  }
}

function endFetches(runner: Runner): void {
  for (const end of underWay.get(runner) ?? []) end();
}

function isSame(before: readonly string[], now: readonly string[]): boolean {
  return before.length === now.length && before.every((nodeId) => now.includes(nodeId));
}
