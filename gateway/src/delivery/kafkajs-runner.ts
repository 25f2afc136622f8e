/** Lets consumers of kafkajs 2.2.4 end while they exchange their fetchers. */
import Runner from 'kafkajs/src/consumer/runner.js';

let mended = false;

/**
 * A consumer has a fetcher for each broker, and makes them anew when brokers come or go. One that is stopped while it waits for the
 * end of the old ones makes the new ones all the same. Nobody stops these, and all that they fetch is the empty answer that kafkajs gives
 * who does not run: at once, again and again, in one turn that never ends. The whole process stood still. Here who fetches for one
 * that does not run is stopped.
 */
export function mendKafkaRunners(): void {
  if (mended) return;
  mended = true;
  const { fetch } = Runner.prototype;
  Runner.prototype.fetch = async function whileItRuns(nodeId): Promise<unknown[]> {
    // Not waited for: it waits for the end of the fetcher that asks here.
    if (!this.running) void this.fetchManager.stop();
    return fetch.call(this, nodeId);
  };
}
