/** Publishes at a set rate from every zone and sees what arrives in every zone. */
import { setTimeout as delay } from 'node:timers/promises';
import { waitFor } from '../../tools/index.ts';
import { percentile } from '../replication/report.ts';
import { Client, type Access } from './client.ts';
import { Tally, type Message } from './tally.ts';

/** One zone's gateway. */
export interface Door {
  zone: string;
  access: Access;
}

/** How much, and for how long. */
export interface Load {
  /** Publications a second, over all zones; each arrives in every zone. */
  perSecond: number;
  seconds: number;
  /** Seconds of the same load before it, which don't count. */
  warmUpSeconds: number;
}

/** Milliseconds. */
export interface Latency {
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

/** What came of it. */
export interface LoadResult {
  perSecond: number;
  seconds: number;
  /** As it was really sent. */
  sentPerSecond: number;
  sent: number;
  acknowledged: number;
  failed: number;
  /** The first failure, if any. */
  failure?: string;
  received: number;
  lost: number;
  duplicated: number;
  outOfOrder: number;
  /** From publish to acknowledgement. */
  acknowledgement: Latency;
  /** From publish to receipt, over all pairs of zones. */
  receipt: Latency;
  pairs: (Latency & { from: string; to: string })[];
}

/** One load against one contestant. */
export interface MessagesRun extends LoadResult {
  contestant: string;
  where: 'loopback' | 'lab';
  warmUpSeconds: number;
  /** Of the gateways alone, while the load ran and on loopback only. */
  gatewayCpuSeconds?: number;
  gatewayRssMiB?: number;
}

/** Channels that the messages are spread over, so that several partitions of the topic have a part. */
const CHANNELS = Array.from({ length: 12 }, (_, index) => `chat:bench-${index}`);
/** What a chat message carries besides our own numbers. */
const TEXT = 'x'.repeat(100);
/** How long what is still under way may take when the load has ended. */
const TAIL_MS = 10_000;

/** Runs one load against gateways of all zones, with a publisher and a subscriber in each. */
export async function runLoad(doors: readonly Door[], load: Load): Promise<LoadResult> {
  const clients: Client[] = [];
  const tally = new Tally(doors.map(({ zone }) => zone));
  try {
    const publishers: { zone: string; client: Client }[] = [];
    for (const { zone, access } of doors) {
      const reader = await Client.connect(access, (_, data) =>
        tally.received(zone, data as Message, performance.now()),
      );
      clients.push(reader);
      for (const channel of CHANNELS) await reader.subscribe(channel);
      const client = await Client.connect(access, () => undefined);
      clients.push(client);
      publishers.push({ zone, client });
    }
    await publish(publishers, tally, { ...load, seconds: load.warmUpSeconds });
    await arrived(tally);
    tally.restart();
    const seconds = await publish(publishers, tally, load);
    await arrived(tally);
    return summary(tally, load, seconds);
  } finally {
    for (const client of clients) client.close();
  }
}

/** Sends evenly; the time of sending does not depend on answers. Returns the seconds that it took. */
async function publish(
  publishers: readonly { zone: string; client: Client }[],
  tally: Tally,
  { perSecond, seconds }: Load,
): Promise<number> {
  const began = performance.now();
  const total = perSecond * seconds;
  for (let next = 0; next < total;) {
    const due = Math.min(total, Math.floor(((performance.now() - began) / 1000) * perSecond) + 1);
    for (; next < due; next += 1) {
      const publisher = publishers[next % publishers.length];
      if (publisher === undefined) throw new Error('there is no publisher');
      // Publishers and channels advance apart, so that each zone uses each channel.
      const channel = CHANNELS[Math.floor(next / publishers.length) % CHANNELS.length] ?? '';
      send(publisher, channel, tally);
    }
    await delay(1);
  }
  return (performance.now() - began) / 1000;
}

function send({ zone, client }: { zone: string; client: Client }, channel: string, tally: Tally): void {
  const message = tally.sent(zone, channel, performance.now());
  client.publish(channel, { ...message, text: TEXT }).then(
    () => tally.acknowledged(message, performance.now()),
    (error: unknown) => tally.failed(message, error),
  );
}

/** Waits for what is under way. What does not come is counted as lost, not thrown. */
async function arrived(tally: Tally): Promise<void> {
  const began = performance.now();
  await waitFor('the rest', () => tally.complete || performance.now() - began > TAIL_MS, {
    timeoutMs: TAIL_MS + 5_000,
    intervalMs: 10,
  });
}

function latency(values: readonly number[]): Latency {
  return {
    p50: percentile(values, 50),
    p95: percentile(values, 95),
    p99: percentile(values, 99),
    max: values.reduce((most, value) => Math.max(most, value), 0),
  };
}

function summary(tally: Tally, load: Load, seconds: number): LoadResult {
  const counts = tally.counts();
  const pairs = tally.pairs();
  return {
    perSecond: load.perSecond,
    seconds: load.seconds,
    sentPerSecond: counts.sent / seconds,
    ...counts,
    acknowledgement: latency(tally.acknowledgements),
    receipt: latency(pairs.flatMap(({ values }) => values)),
    pairs: pairs.map(({ from, to, values }) => ({ from, to, ...latency(values) })),
  };
}
