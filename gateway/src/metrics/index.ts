/** gateway/src/metrics: what the gateway counts, in Prometheus' terms. Imports only prom-client. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { showProcess } from './process.ts';

export { countLookups, countSpans } from './outcomes.ts';
export { createLimitsMetrics } from './limits.ts';
export { createDrainMetrics } from './drain.ts';
export type { DrainSent } from './drain.ts';
export { showKept } from './kept.ts';
export { showQueues } from './queues.ts';
export { countEvictions, createZoneMetrics } from './zones.ts';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Values that are read when metrics are asked for. */
export interface GaugeSources {
  /** Of this gateway, or empty: it is a label of connections. */
  zone: string;
  /** WebSockets by transport: http/1.1, h2. */
  connections: () => Readonly<Record<string, number>>;
  /** TLS handshakes under way. */
  handshakes: () => Promise<number>;
  channels: () => number;
  presence: () => number;
  pendingPublications: () => number;
  syncStreams: () => number;
  /** Of the home that `/sync` follows. */
  syncEpoch: () => number;
  /** Whether redis-commands, redis-feed or kafka can be used. */
  backendUp: () => Record<string, boolean>;
}

/** Counted for each message to each client: a Counter, which looks its labels up at each count, costs too much there. */
export interface Traffic {
  in: number;
  out: number;
}

/** The gateway's metrics. */
export interface Metrics {
  registry: Registry;
  /** outcome: ok, failed, refused (too many connections), busy (too many handshakes) */
  handshakes: Counter<'outcome'>;
  /** Of those that were ok: such that went on from an earlier session. */
  resumptions: Counter;
  disconnects: Counter<'code'>;
  messages: Traffic;
  bytes: Traffic;
  publishAck: Histogram;
  publishToDeliver: Histogram;
  carried: Counter;
  /** Channels whose presence Redis had lost and was told again. */
  presenceRepairs: Counter;
  syncMessages: Counter;
  /** reason: client, or a reason of `sync/failure.ts` */
  syncEnds: Counter<'reason'>;
  /** reason: slow_reader, connect_timeout, not_upgraded, bad_record, http2_flood, http2_error, join_leave, doubled (by its key) */
  drops: Counter<'reason'>;
  /** kind: protocol_<code>, token_<kind>, kafka_<what>, redis_<what>, rpc_<trouble>, internal */
  errors: Counter<'kind'>;
}

/** Makes the metrics, on a registry of their own. */
export function createMetrics(sources: GaugeSources): Metrics {
  const registry = new Registry();
  showProcess(registry);
  const registers = [registry];
  const gauge = (name: string, help: string, value: () => number | Promise<number>): Gauge =>
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        this.set(await value());
      },
    });
  gauge('causeway_gateway_handshakes_in_flight', 'TLS handshakes under way', sources.handshakes);
  gauge('causeway_gateway_channels', 'Channels with subscribers here', sources.channels);
  gauge('causeway_gateway_presence_entries', 'Clients shown to others, by channel', sources.presence);
  gauge('causeway_gateway_publish_queue', 'Publications that wait for Kafka', sources.pendingPublications);
  gauge('causeway_gateway_sync_streams', 'Streams of etcd changes', sources.syncStreams);
  gauge(
    'causeway_gateway_sync_epoch',
    'Epoch of the home that /sync follows; 0 while it is without etcd',
    sources.syncEpoch,
  );
  // Registered by their constructors; their values are read when they are collected.
  void new Gauge({
    name: 'causeway_gateway_connections',
    help: 'WebSocket connections',
    labelNames: ['transport', 'zone'],
    registers,
    collect() {
      const { zone, connections } = sources;
      for (const [transport, count] of Object.entries(connections())) this.set({ transport, zone }, count);
    },
  });
  void new Gauge({
    name: 'causeway_gateway_backend_up',
    help: '1 while the backend can be used',
    labelNames: ['backend'],
    registers,
    collect() {
      for (const [backend, up] of Object.entries(sources.backendUp())) this.set({ backend }, up ? 1 : 0);
    },
  });
  const counter = <L extends string>(name: string, help: string, ...labelNames: L[]): Counter<L> =>
    new Counter({ name, help, labelNames, registers });
  const histogram = (name: string, help: string): Histogram =>
    new Histogram({ name, help, buckets: SECONDS, registers });
  return {
    registry,
    handshakes: counter('causeway_gateway_handshakes_total', 'TLS handshakes', 'outcome'),
    resumptions: counter(
      'causeway_gateway_handshakes_resumed_total',
      'TLS handshakes that resumed a session, of those that were ok',
    ),
    disconnects: counter('causeway_gateway_disconnects_total', 'Clients sent away, by close code', 'code'),
    messages: countTraffic(registry, 'causeway_gateway_messages_total', 'WebSocket messages'),
    bytes: countTraffic(registry, 'causeway_gateway_bytes_total', 'Bytes of WebSocket messages'),
    publishAck: histogram(
      'causeway_gateway_publish_ack_seconds',
      'From a publish command to its acknowledgement',
    ),
    publishToDeliver: histogram(
      'causeway_gateway_publish_to_deliver_seconds',
      'From a publication to its delivery by this gateway',
    ),
    carried: counter('causeway_gateway_carried_total', 'Records carried from Kafka to Redis'),
    presenceRepairs: counter(
      'causeway_gateway_presence_repairs_total',
      'Channels whose presence Redis had lost and was told again',
    ),
    syncMessages: counter('causeway_gateway_sync_messages_total', 'Messages of /sync to clients'),
    syncEnds: counter('causeway_gateway_sync_ends_total', 'Ends of streams of /sync', 'reason'),
    drops: counter('causeway_gateway_drops_total', 'What was dropped, and why', 'reason'),
    errors: counter('causeway_gateway_errors_total', 'Errors by kind', 'kind'),
  };
}

/** Sums that are added to by hand, and read when they are collected. */
function countTraffic(registry: Registry, name: string, help: string): Traffic {
  const sums: Traffic = { in: 0, out: 0 };
  // Registered by its constructor.
  void new Counter({
    name,
    help,
    labelNames: ['direction'],
    registers: [registry],
    collect() {
      this.reset();
      for (const direction of ['in', 'out'] as const) this.inc({ direction }, sums[direction]);
    },
  });
  return sums;
}
