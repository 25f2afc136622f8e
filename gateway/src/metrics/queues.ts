import { Gauge } from 'prom-client';
import type { Registry } from 'prom-client';

/** What waits, read when metrics are asked for: nothing is counted for each message. */
export interface Queues {
  /** Bytes that wait in this process for clients to read them: of all clients, and of the one for whom most wait. */
  output: () => { readonly bytes: number; readonly largest: number };
  /** Records that are in Kafka and not yet in Redis, by topic, of the partitions that this gateway carries. */
  lag: () => Readonly<Record<string, number>>;
}

/** Adds to `registry` what waits for clients, and what waits in Kafka. */
export function showQueues(registry: Registry, { output, lag }: Queues): void {
  const registers = [registry];
  // Registered by their constructors.
  void new Gauge({
    name: 'causeway_gateway_output_bytes',
    help: 'Bytes that wait for clients to read them',
    registers,
    collect() {
      this.set(output().bytes);
    },
  });
  void new Gauge({
    name: 'causeway_gateway_output_largest_bytes',
    help: 'Bytes that wait for the client for whom most wait',
    registers,
    collect() {
      this.set(output().largest);
    },
  });
  void new Gauge({
    name: 'causeway_gateway_carry_lag_records',
    help: 'Records in Kafka that are to be carried to Redis by this gateway',
    labelNames: ['topic'],
    registers,
    collect() {
      // A topic may be another gateway's by now.
      this.reset();
      for (const [topic, records] of Object.entries(lag())) this.set({ topic }, records);
    },
  });
}
