import { randomBytes } from 'node:crypto';
import { TokenVerifier } from '../auth/index.ts';
import { Hub, Topics } from '../channels/index.ts';
import type { HubOptions, StreamEntry } from '../channels/index.ts';
import {
  Carrier,
  createKafka,
  KafkaLog,
  redisKeys,
  RedisFeed,
  RedisLink,
  RedisPresence,
  RedisStreams,
} from '../delivery/index.ts';
import type { Log } from '../log/index.ts';
import { reason } from '../log/index.ts';
import { createDrainMetrics, createMetrics, showKept, showQueues } from '../metrics/index.ts';
import type { DrainSent, Metrics } from '../metrics/index.ts';
import { Presence } from '../presence/index.ts';
import { HttpMethods } from '../rpc/index.ts';
import { PerCodec } from '../protocol/index.ts';
import type { ClientInfo } from '../protocol/index.ts';
import { Ahead, Session } from '../session/index.ts';
import type { SessionEvents, SessionServices } from '../session/index.ts';
import { Feed, SyncService } from '../sync/index.ts';
import { tracedHub, tracedLog } from '../tracing/index.ts';
import type { Tracing } from '../tracing/index.ts';
import { ClientServer, frameOf } from '../transport/index.ts';
import type { Certificates, ServerEvents } from '../transport/index.ts';
import type { DrainState, GatewayConfig, GatewayEtcdConfig } from '@causeway/crds';
import { Drain } from './drain.ts';
import { drainHost } from './drain-host.ts';
import type { Client } from './drain-host.ts';
import { LiveLimits } from './live-limits.ts';

const TICK_MS = 100;
const SWEEP_MS = 1_000;
/** How long a gateway's presence outlives it, and how often it is kept: two may fail. */
const PRESENCE_TTL_MS = 25_000;
const PRESENCE_KEEP_MS = 8_000;
/** How long load balancers get to notice that we end. Our endpoints are gone by then: the pod is being deleted. */
const LAST_NOTICE_MS = 1_000;
/** How long clients get to close their end after they were sent away. */
const CLOSE_MS = 3_000;
/**
 * TLS handshakes under way at once. Those that are ready are served in one go, at about 0.2 ms of CPU each, and clients
 * who are in wait for it: with 1,024 of them at most about 150 ms more in a flood of 3,000 newcomers a second, with
 * 4,096 half a second. With 256 the refused attempts of 10,000 clients who come back cost more than their handshakes
 * (docs/benchmarks.md). Clients that are refused try again.
 */
const MAX_HANDSHAKES = 1024;
/** Told to clients in the connect reply. */
const VERSION = 'causeway 0.1.0';

/** What a gateway is made of. */
export interface GatewayParts {
  config: GatewayConfig;
  certificates: Certificates;
  verifier: TokenVerifier;
  podName: string;
  /** Empty: not known. */
  zone: string;
  tracing: Tracing | undefined;
  log: Log;
}

/** All parts of the data plane, put together. Begins with {@link start}; ends with {@link stop}. */
export class Gateway {
  readonly metrics: Metrics;
  readonly limits: LiveLimits;
  readonly #parts: GatewayParts;
  readonly #topics: Topics;
  readonly #commands: RedisLink;
  readonly #feedLink: RedisLink;
  readonly #hub: Hub<PerCodec<Buffer>>;
  readonly #publications: KafkaLog;
  readonly #carrier: Carrier;
  readonly #presence: Presence;
  readonly #services: SessionServices<Buffer>;
  readonly #methods: HttpMethods;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #feed: Feed | undefined;
  readonly #sync: SyncService | undefined;
  #server: ClientServer | undefined;
  #redisSeen = { commands: false, feed: false };
  readonly #drain: Drain<Client>;
  readonly #drainSent: DrainSent;

  constructor(parts: GatewayParts) {
    const { config, log } = parts;
    this.#parts = parts;
    this.metrics = createMetrics({
      zone: parts.zone,
      connections: () => this.#server?.carried ?? {},
      handshakes: async () => (await this.#server?.handshakes()) ?? 0,
      channels: () => this.#hub.channels,
      presence: () => this.#presence.entries,
      pendingPublications: () => this.#publications.pending,
      syncStreams: () => this.#sync?.streams.size ?? 0,
      syncEpoch: () => this.#feed?.epoch ?? 0,
      backendUp: () => this.#backends(),
    });
    this.#topics = new Topics(config.kafka.topics);
    const keys = redisKeys(config.namespace, config.platform);
    this.#commands = new RedisLink({
      redis: config.redis,
      name: 'commands',
      log,
      prepare: async (client) => {
        await streams.prepare(client);
        await presence.prepare(client);
      },
      connected: () => {
        this.#redisSeen.commands = true;
        this.#feedLink.follow(this.#commands);
        this.#carrier.verify();
        void this.#presence.keep();
      },
      leaving: (to) => this.#feedLink.go(to),
      failed: () => this.#error('redis_commands'),
    });
    this.#feedLink = new RedisLink({
      redis: config.redis,
      name: 'feed',
      log,
      prepare: (client) => feed.prepare(client),
      connected: () => {
        this.#redisSeen.feed = true;
        this.#hub.resync();
      },
      failed: () => this.#error('redis_feed'),
    });
    const streams = new RedisStreams(this.#commands, keys, (channel) => this.#topics.historyOf(channel));
    const feed = new RedisFeed(this.#feedLink, keys, {
      message: (channel, message) => this.#hub.receive(channel, message),
      announcement: (channel, announcement) => this.#hub.announce(channel, announcement),
    });
    const presence = new RedisPresence({
      link: this.#commands,
      keys,
      gateway: `${parts.podName}-${randomBytes(4).toString('hex')}`,
      ttlMs: PRESENCE_TTL_MS,
    });
    this.#presence = this.#createPresence(presence);
    this.#hub = this.#createHub(streams, feed);
    this.#publications = this.#createPublications();
    this.#carrier = this.#createCarrier(streams);
    this.limits = this.#createLimits();
    this.#methods = this.#createMethods();
    this.#services = this.#createServices(streams);
    this.#feed = this.#createFeed();
    this.#sync = this.#feed && this.#createSync(this.#feed);
    this.#drain = this.#createDrain();
    this.#drainSent = createDrainMetrics(this.metrics.registry, () => this.#drain.reason !== undefined);
  }

  /** Another zone may be home now. */
  follow({ homeZone, epoch }: Pick<GatewayEtcdConfig, 'homeZone' | 'epoch'>): void {
    this.#feed?.setRole({ home: homeZone === this.#parts.zone, epoch });
  }

  /** What is missing for traffic; empty: nothing. Kafka is not asked: without it clients still have their history. */
  missing(): string[] {
    const missing: string[] = [];
    if (this.#drain.reason !== undefined) missing.push(this.#drain.reason);
    if (!this.#server) missing.push('no certificate that can be served yet');
    if (!this.#parts.verifier.ready) missing.push('no keys to check tokens with');
    if (!this.#redisSeen.commands || !this.#redisSeen.feed) missing.push('Redis was not reached yet');
    const { connections } = this.#parts.config.limits;
    if ((this.#server?.sessions.size ?? 0) >= connections)
      missing.push(`limit of ${connections} connections reached`);
    return missing;
  }

  /** Connects to Redis and Kafka, without waiting for them. */
  start(): void {
    showKept(this.metrics.registry, () => this.#kept());
    showQueues(this.metrics.registry, {
      output: () => this.#server?.output ?? { bytes: 0, largest: 0 },
      lag: () => this.#carrier.lag,
    });
    this.#commands.start();
    this.#feedLink.start();
    this.#publications.start();
    this.#carrier.start();
    this.#feed?.start();
    this.#timers.push(
      setInterval(() => this.#server?.tick(performance.now(), Date.now()), TICK_MS),
      setInterval(() => {
        this.#hub.sweep();
        this.limits.send.sweep(performance.now());
      }, SWEEP_MS),
      setInterval(() => void this.#presence.keep(), PRESENCE_KEEP_MS),
    );
  }

  /** Listens for clients with the certificate of now, or serves that one from now on. */
  async serveCertificate(): Promise<void> {
    const { config, certificates, log } = this.#parts;
    const certificate = certificates.served;
    if (!certificate || this.#drain.last) return;
    if (this.#server) {
      this.#server.serve(certificate);
      return;
    }
    this.#server = new ClientServer({
      sessionContext: `${config.namespace}/${config.platform}`,
      allowedOrigins: config.allowedOrigins,
      connectTimeoutMs: config.connectTimeoutMs,
      maxConnections: config.limits.connections,
      maxHandshakes: MAX_HANDSHAKES,
      certificate,
      events: this.#serverEvents(),
      newSession: (wire, codec) => new Session(this.#services, wire, codec),
      ...(this.#sync && { sync: this.#sync }),
      turnsAway: () => this.#drain.closed,
    });
    const port = await this.#server.listen(config.listen.port);
    log.info('listening', { port });
  }

  /** Somebody wants it to be empty, at so many clients per second; undefined: nobody does. */
  askToDrain(perSecond: number | undefined): void {
    this.#drain.ask(perSecond);
  }

  get drainState(): DrainState {
    return this.#drain.state;
  }

  /**
   * Stops being ready, then sends the clients away, a few at a time, so that they come back elsewhere. Others carry its records from the
   * first moment on: while Kafka's group changes nobody's come, and that is over before the clients go.
   */
  async leave(): Promise<void> {
    const { perSecond, timeoutMs } = this.#parts.config.drain;
    void this.#carrier.close();
    await this.#drain.leave({ perSecond, timeoutMs, noticeMs: Math.min(LAST_NOTICE_MS, timeoutMs) });
    await Promise.all([this.#server?.empty(CLOSE_MS), this.#sync?.empty(CLOSE_MS)]);
  }

  /** Ends everything: what was acknowledged is in Kafka, what is under way is waited for. */
  async stop(): Promise<void> {
    await Promise.all([
      this.#publications.close(),
      this.#carrier.close(),
      this.#presence.close(),
      this.#feed?.stop(),
    ]);
    for (const timer of this.#timers) clearInterval(timer);
    this.#server?.destroy();
    this.#methods.close();
    this.#hub.close();
    this.#commands.close();
    this.#feedLink.close();
  }

  #createMethods(): HttpMethods {
    return new HttpMethods(this.#parts.config.rpc ?? [], (trouble, method, error) => {
      this.#error(`rpc_${trouble}`);
      this.#parts.log.debug('rpc not answered', { method, trouble, reason: reason(error) });
    });
  }

  #createLimits(): LiveLimits {
    const { config, log } = this.#parts;
    const { registry } = this.metrics;
    return new LiveLimits({ limits: config.limits, log, registry, away: () => this.#feed?.away });
  }

  #createHub(reader: RedisStreams, feed: RedisFeed): Hub<PerCodec<Buffer>> {
    const options: HubOptions<PerCodec<Buffer>> = {
      reader,
      feed,
      historySize: (channel) => this.#topics.historyOf(channel).size,
      frame: (channel, entry, epoch) =>
        new PerCodec((codec) => frameOf(codec.push(channel, 'pub', { ...entry, epoch }))),
      join: (frames) => new PerCodec((codec) => Buffer.concat(frames.map((frame) => frame.for(codec)))),
      announcement: (channel, { what, info }) => {
        const push = { info: JSON.parse(info) as ClientInfo };
        return new PerCodec((codec) => frameOf(codec.push(channel, what, push)));
      },
      announced: (receivers) => (this.metrics.messages.out += receivers),
      delivered: (entry: StreamEntry, receivers) => {
        const seconds = Math.max(0, Date.now() - entry.publishedAt) / 1000;
        this.metrics.publishToDeliver.observe(seconds);
        this.metrics.messages.out += receivers;
      },
      syncFailed: (_, error) => {
        this.#error('redis_sync');
        this.#parts.log.debug('channel not brought up to date', { reason: reason(error) });
      },
      now: () => performance.now(),
      unixNow: () => Date.now(),
    };
    return new Hub(tracedHub(options, this.#parts.tracing));
  }

  #createPublications(): KafkaLog {
    const { config, log } = this.#parts;
    return new KafkaLog({
      kafka: this.#kafka('publish'),
      topics: config.kafka.topics.map(({ topic }) => topic),
      log,
      failed: (what) => this.#error(`kafka_${what}`),
    });
  }

  #createCarrier(streams: RedisStreams): Carrier {
    const { config, log, tracing } = this.#parts;
    return new Carrier({
      kafka: this.#kafka('carry'),
      group: config.kafka.group,
      // One in each zone is enough to carry on with.
      enough: config.peers.length,
      namespaces: new Map(config.kafka.topics.map(({ name, topic }) => [topic, name])),
      historySeconds: (topic) => historySecondsOf(config, topic),
      streams,
      tracer: tracing,
      log,
      carried: (records, doubled) => {
        this.metrics.carried.inc(records);
        this.metrics.drops.inc({ reason: 'doubled' }, doubled);
      },
      failed: (what) => {
        if (what === 'record') this.metrics.drops.inc({ reason: 'bad_record' });
        else this.#error(what === 'append' ? 'redis_append' : 'kafka_consume');
      },
    });
  }

  /** Makes a client for one purpose. */
  #kafka(role: 'publish' | 'carry'): (over?: AbortSignal) => ReturnType<typeof createKafka> {
    const { config, podName, log } = this.#parts;
    const options = { connection: config.kafka, clientId: kafkaClientId(podName, role), log };
    return (over) => createKafka({ ...options, ...(over && { over }) });
  }

  #createPresence(store: RedisPresence): Presence {
    const { drops, presenceRepairs } = this.metrics;
    return new Presence({
      store,
      failed: (error) => {
        this.#error('redis_presence');
        this.#parts.log.debug('presence not told', { reason: reason(error) });
      },
      dropped: () => drops.inc({ reason: 'join_leave' }),
      repaired: () => presenceRepairs.inc(),
      now: () => performance.now(),
    });
  }

  /** Undefined where nothing is replicated, or this zone has no etcd. */
  #createFeed(): Feed | undefined {
    const { config, zone, log } = this.#parts;
    const { etcd } = config;
    const endpoints = etcd?.zones.find((entry) => entry.zone === zone)?.endpoints;
    if (!etcd || !endpoints || etcd.prefixes.length === 0) return undefined;
    const { homeZone, epoch, prefixes, dir } = etcd;
    return new Feed({
      etcd: { endpoints, ...(dir !== undefined && { dir }) },
      prefixes,
      role: { home: homeZone === zone, epoch },
      follow: this.limits.followed,
      log,
      failed: () => this.#error('etcd_watch'),
    });
  }

  #createSync(feed: Feed): SyncService {
    const { config, verifier, log } = this.#parts;
    return new SyncService({
      feed,
      verifier,
      heartbeat: config.heartbeat,
      allowedOrigins: new Set(config.allowedOrigins.map((origin) => origin.toLowerCase())),
      log,
      textFrame: frameOf,
      events: {
        sent: (messages) => this.metrics.syncMessages.inc(messages),
        ended: (why) => this.metrics.syncEnds.inc({ reason: why }),
        turnedAway: () => this.#turnedAway(),
      },
      turnsAway: () => this.#drain.closed,
    });
  }

  #createDrain(): Drain<Client> {
    const { config, log } = this.#parts;
    return new Drain({
      host: drainHost({
        server: () => this.#server,
        sync: () => this.#sync,
        sent: (kind) => this.#drainSent.inc({ kind }),
      }),
      noticeMs: config.drain.noticeMs,
      log,
      now: () => performance.now(),
      unixNow: () => Date.now(),
      random: Math.random,
    });
  }

  #turnedAway(): void {
    this.#drainSent.inc({ kind: 'newcomer' });
    this.#drain.turnedAway();
  }

  #createServices(streams: RedisStreams): SessionServices<Buffer> {
    const { config, verifier } = this.#parts;
    return {
      verifier,
      hub: this.#hub,
      streams,
      ahead: new Ahead(),
      presence: this.#presence,
      log: tracedLog(this.#publications, this.#parts.tracing),
      limits: this.limits.send,
      topics: this.#topics,
      methods: this.#methods,
      heartbeat: config.heartbeat,
      pingFrame: new PerCodec((codec) => frameOf(codec.ping)),
      version: VERSION,
      events: this.#sessionEvents(),
      now: () => performance.now(),
      unixNow: () => Date.now(),
    };
  }

  #sessionEvents(): SessionEvents {
    const { log } = this.#parts;
    return {
      connected: () => undefined,
      disconnected: (code) => this.metrics.disconnects.inc({ code: String(code) }),
      refused: (kind, error) => {
        this.#error(`token_${kind}`);
        log.debug('token refused', { kind, reason: reason(error) });
      },
      failed: (code) => this.#error(`protocol_${code}`),
      published: (seconds) => this.metrics.publishAck.observe(seconds),
      broken: (method, error) => {
        this.#error('internal');
        log.error('command failed', { method, stack: error instanceof Error ? error.stack : String(error) });
      },
    };
  }

  #serverEvents(): ServerEvents {
    const { handshakes, resumptions, messages, bytes, drops } = this.metrics;
    const { certificates } = this.#parts;
    return {
      handshake: (outcome, isOurs) => {
        handshakes.inc({ outcome });
        if (outcome === 'ok') certificates.countHandshake('completed');
        else if (isOurs === true) certificates.countHandshake('failed');
      },
      resumed: () => resumptions.inc(),
      received: (count) => {
        messages.in += 1;
        bytes.in += count;
      },
      sent: (count) => void (bytes.out += count),
      slow: () => drops.inc({ reason: 'slow_reader' }),
      notUpgraded: () => drops.inc({ reason: 'not_upgraded' }),
      timedOut: () => drops.inc({ reason: 'connect_timeout' }),
      http2Broken: (why) => drops.inc({ reason: why }),
      turnedAway: () => this.#turnedAway(),
    };
  }

  #backends(): Record<string, boolean> {
    return {
      'redis-commands': this.#commands.ready,
      'redis-feed': this.#feedLink.ready,
      kafka: this.#publications.ready,
    };
  }

  #kept(): Record<string, number> {
    return {
      ...this.#server?.kept,
      subscriptions: this.#hub.subscriptions,
      presence_channels: this.#presence.channels,
      user_buckets: this.limits.send.size,
    };
  }

  #error(kind: string): void {
    this.metrics.errors.inc({ kind });
  }
}

/** What a gateway calls itself in Kafka, for each purpose. Ids of members of its group begin with it. */
export function kafkaClientId(podName: string, role: 'publish' | 'carry' | 'evict'): string {
  return `${podName}-${role}`;
}

/** How far back the history of a topic in Kafka reaches, seconds. */
function historySecondsOf({ kafka }: GatewayConfig, topic: string): number {
  return kafka.topics.find((one) => one.topic === topic)?.channels.history.seconds ?? 0;
}
