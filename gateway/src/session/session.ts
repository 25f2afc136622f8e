import { randomUUID } from 'node:crypto';
import { TokenError } from '../auth/index.ts';
import type { Identity } from '../auth/index.ts';
import { namespaceOf } from '../channels/index.ts';
import type { Receiver } from '../channels/index.ts';
import { BackendAwayError, encodeEnvelope, HISTORY } from '../delivery/index.ts';
import { DISCONNECT, ERROR, MalformedFrameError } from '../protocol/index.ts';
import type {
  ClientInfo,
  Codec,
  Command,
  Disconnect,
  HistoryRequest,
  PerCodec,
  ProtocolError,
  PublishRequest,
  Results,
  SubscribeRequest,
} from '../protocol/index.ts';
import { recoveryOf, historyOf } from './recovery.ts';
import type { SessionServices, Wire } from './services.ts';

/** Channels that one connection may be subscribed to, as in Centrifugo. */
export const MAX_CHANNELS = 128;
/** Commands of one connection that may be under way at once. */
const MAX_IN_FLIGHT = 256;
/** Most bytes of `data` in a publication. */
export const MAX_PUBLICATION_BYTES = 32 * 1024;
/** How long a connection outlives its token, for the client to refresh it, seconds. */
const EXPIRY_GRACE_S = 10;

type Phase = 'new' | 'connecting' | 'connected' | 'closed';

/** A command that can be carried out once the client is known. */
type Authenticated = Exclude<Command, { method: 'pong' | 'connect' }>;

/**
 * One client connection: its commands in, its replies and pushes out. Knows no socket: `wire` is one.
 * A reply follows its command in any order; what a client must see in order (a subscribe reply before the channel's
 * publications) is written in order.
 */
export class Session<F> implements Receiver<PerCodec<F>> {
  readonly #services: SessionServices<F>;
  readonly #wire: Wire<F>;
  readonly #codec: Codec;
  #phase: Phase = 'new';
  #identity: Identity | undefined;
  #info: ClientInfo = { user: '', client: '' };
  /** Commands that came before the connect command was answered. */
  #early: Authenticated[] = [];
  #channels: Set<string> | undefined;
  #inFlight = 0;
  #nextPingAt = 0;
  #pongDueAt = 0;

  constructor(services: SessionServices<F>, wire: Wire<F>, codec: Codec) {
    this.#services = services;
    this.#wire = wire;
    this.#codec = codec;
  }

  /** The client has proven who it is, and the connection is not closed. */
  get connected(): boolean {
    return this.#phase === 'connected';
  }

  /** A frame from the client, and whether it is a binary one. */
  receive(frame: Buffer, isBinary: boolean): void {
    if (this.#phase === 'closed') return;
    this.#pongDueAt = 0;
    let commands: Command[];
    try {
      if (isBinary !== this.#codec.binary) throw new MalformedFrameError('a frame of the other form');
      commands = this.#codec.decode(frame);
    } catch (error) {
      if (!(error instanceof MalformedFrameError)) throw error;
      this.close(DISCONNECT.badRequest);
      return;
    }
    for (const command of commands) this.#take(command);
  }

  /** Pings, and closes a connection that doesn't answer or whose token is over. To be called a few times a second. */
  tick(now: number, unixNow: number): void {
    if (this.#phase !== 'connected') return;
    const { heartbeat, pingFrame } = this.#services;
    const expiresAt = this.#identity?.expiresAt;
    if (expiresAt !== undefined && unixNow / 1000 > expiresAt + EXPIRY_GRACE_S) {
      this.close(DISCONNECT.expired);
    } else if (this.#pongDueAt > 0 && now >= this.#pongDueAt) {
      this.close(DISCONNECT.noPong);
    } else if (now >= this.#nextPingAt) {
      this.#nextPingAt = now + heartbeat.intervalMs;
      this.#pongDueAt ||= now + heartbeat.timeoutMs;
      this.#wire.sendFrame(pingFrame.for(this.#codec));
    }
  }

  /** Sends the client away. */
  close(why: Disconnect): void {
    if (this.#phase === 'closed') return;
    this.#services.events.disconnected(why.code);
    this.ended();
    this.#wire.close(why);
  }

  /** The connection is over: nothing of it is left. */
  ended(): void {
    this.#phase = 'closed';
    for (const channel of this.#channels ?? []) this.#services.hub.unsubscribe(channel, this);
    this.#channels = undefined;
    this.#early = [];
  }

  // Receiver

  deliver(frame: PerCodec<F>): void {
    this.#wire.sendFrame(frame.for(this.#codec));
  }

  dropped(channel: string, why: Disconnect): void {
    this.#channels?.delete(channel);
    this.#wire.send(this.#codec.push(channel, 'unsubscribe', why));
  }

  // Commands

  #take(command: Command): void {
    if (command.method === 'pong' || this.#phase === 'closed') return;
    if (command.method === 'connect') {
      if (this.#phase !== 'new') return this.close(DISCONNECT.badRequest);
      this.#phase = 'connecting';
      void this.#connect(command.id, command.request.token);
      return;
    }
    if (this.#phase === 'connected') return this.#start(command);
    // SDKs send connect and their subscriptions in one frame.
    if (this.#phase === 'connecting' && this.#early.length < MAX_IN_FLIGHT) this.#early.push(command);
    else this.close(DISCONNECT.badRequest);
  }

  async #connect(id: number, token: string): Promise<void> {
    try {
      const identity = await this.#services.verifier.verify(token);
      if (this.#phase !== 'connecting') return;
      this.#accept(id, identity);
    } catch (error) {
      if (this.#phase !== 'connecting') return;
      this.#refuse(id, error);
    }
  }

  #accept(id: number, identity: Identity): void {
    const { heartbeat, version, now } = this.#services;
    this.#identity = identity;
    this.#info = {
      user: identity.user,
      client: randomUUID(),
      ...(identity.info !== undefined && { conn_info: identity.info }),
    };
    this.#phase = 'connected';
    // Spread over the interval, so that clients that came together are not pinged together.
    this.#nextPingAt = now() + heartbeat.intervalMs * (0.5 + Math.random() / 2);
    this.#reply(id, 'connect', {
      client: this.#info.client,
      version,
      ping: Math.ceil(heartbeat.intervalMs / 1000),
      pong: true,
      ...this.#expiry(identity),
    });
    this.#services.events.connected();
    const early = this.#early;
    this.#early = [];
    for (const command of early) this.#take(command);
  }

  #refuse(id: number, error: unknown): void {
    const kind = error instanceof TokenError ? error.kind : 'unavailable';
    this.#services.events.refused(kind, error);
    if (kind === 'invalid') return this.close(DISCONNECT.invalidToken);
    this.#phase = 'new';
    this.#early = [];
    this.#fail(id, kind === 'expired' ? ERROR.tokenExpired : ERROR.internal);
  }

  /** Begins a command; its reply comes later. */
  #start(command: Authenticated): void {
    if (command.method === 'send') return this.close(DISCONNECT.notAvailable);
    if (this.#inFlight >= MAX_IN_FLIGHT) return this.#fail(command.id, ERROR.tooManyRequests);
    this.#inFlight += 1;
    this.#run(command)
      .catch((error: unknown) => {
        if (error instanceof BackendAwayError) return this.#fail(command.id, ERROR.backendAway);
        this.#services.events.broken(command.method, error);
        return this.#fail(command.id, ERROR.internal);
      })
      .finally(() => (this.#inFlight -= 1));
  }

  #run(command: Exclude<Authenticated, { method: 'send' }>): Promise<void> {
    switch (command.method) {
      case 'subscribe':
        return this.#subscribe(command.id, command.request);
      case 'unsubscribe':
        return this.#unsubscribe(command.id, command.request.channel);
      case 'publish':
        return this.#publish(command.id, command.request);
      case 'history':
        return this.#history(command.id, command.request);
      case 'refresh':
        return this.#refresh(command.id, command.request.token);
      case 'ping':
        return this.#ping(command.id);
      case 'presence':
      case 'presence_stats':
      case 'sub_refresh':
        return this.#reject(command.id, ERROR.notAvailable);
      // Nobody has defined a method for rpc.
      default:
        return this.#reject(command.id, ERROR.methodNotFound);
    }
  }

  async #subscribe(id: number, { channel, recover }: SubscribeRequest): Promise<void> {
    if (this.#topicOf(channel) === undefined) return this.#fail(id, ERROR.unknownChannel);
    const channels = (this.#channels ??= new Set());
    if (channels.has(channel)) return this.#fail(id, ERROR.alreadySubscribed);
    if (channels.size >= MAX_CHANNELS) return this.#fail(id, ERROR.limitExceeded);
    channels.add(channel);
    const range = recover ? { since: recover.offset, limit: HISTORY.size } : { limit: 0 };
    try {
      const prepared = await this.#services.hub.subscribe(channel, this, range);
      if (!prepared) return this.#fail(id, ERROR.badRequest);
      const { result, missed } = recoveryOf(prepared.snapshot, recover);
      this.#reply(id, 'subscribe', { ...result, publications: missed });
      prepared.activate();
    } catch (error) {
      this.#channels?.delete(channel);
      throw awayIf(error);
    }
  }

  async #unsubscribe(id: number, channel: string): Promise<void> {
    if (this.#channels?.delete(channel)) this.#services.hub.unsubscribe(channel, this);
    this.#reply(id, 'unsubscribe', {});
  }

  async #publish(id: number, { channel, data }: PublishRequest): Promise<void> {
    const { log, events, now, unixNow } = this.#services;
    const topic = this.#topicOf(channel);
    if (topic === undefined) return this.#fail(id, ERROR.unknownChannel);
    if (data.size > MAX_PUBLICATION_BYTES) return this.#fail(id, ERROR.limitExceeded);
    if (!this.#mayGoOn()) return this.#fail(id, ERROR.tooManyRequests);
    const began = now();
    await log.append(topic, channel, encodeEnvelope(data, this.#info, unixNow()));
    events.published((now() - began) / 1000);
    this.#reply(id, 'publish', {});
  }

  async #history(id: number, request: HistoryRequest): Promise<void> {
    const { channel, limit, since, reverse } = request;
    if (this.#topicOf(channel) === undefined) return this.#fail(id, ERROR.unknownChannel);
    if (!this.#mayGoOn()) return this.#fail(id, ERROR.tooManyRequests);
    const snapshot = await this.#services.streams
      .read(channel, {
        limit: limit < 0 ? HISTORY.size : Math.min(limit, HISTORY.size),
        reverse,
        ...(since && { since: since.offset }),
      })
      .catch((error: unknown) => {
        throw awayIf(error);
      });
    const history = historyOf(snapshot, request);
    if (!history) return this.#fail(id, ERROR.unrecoverablePosition);
    this.#reply(id, 'history', { ...history.result, publications: history.publications });
  }

  async #refresh(id: number, token: string): Promise<void> {
    try {
      const identity = await this.#services.verifier.verify(token);
      if (identity.user !== this.#identity?.user) return this.#fail(id, ERROR.permissionDenied);
      this.#identity = identity;
      this.#reply(id, 'refresh', this.#expiry(identity));
    } catch (error) {
      if (!(error instanceof TokenError)) throw error;
      this.#services.events.refused(error.kind, error);
      if (error.kind === 'invalid') return this.close(DISCONNECT.invalidToken);
      this.#fail(id, error.kind === 'expired' ? ERROR.tokenExpired : ERROR.internal);
    }
  }

  async #ping(id: number): Promise<void> {
    this.#reply(id, 'ping', {});
  }

  async #reject(id: number, error: ProtocolError): Promise<void> {
    this.#fail(id, error);
  }

  #expiry({ expiresAt }: Identity): { expires?: true; ttl?: number } {
    if (expiresAt === undefined) return {};
    return { expires: true, ttl: Math.max(1, Math.floor(expiresAt - this.#services.unixNow() / 1000)) };
  }

  #topicOf(channel: string): string | undefined {
    const namespace = namespaceOf(channel);
    return namespace === undefined ? undefined : this.#services.topics.get(namespace);
  }

  #mayGoOn(): boolean {
    const { limits, now } = this.#services;
    return limits.allow(this.#info.user, this.#identity?.tier, now());
  }

  #reply<K extends keyof Results>(id: number, what: K, result: Results[K]): void {
    if (this.#phase !== 'closed') this.#wire.send(this.#codec.reply(id, what, result));
  }

  #fail(id: number, error: ProtocolError): void {
    if (this.#phase === 'closed') return;
    this.#services.events.failed(error.code);
    this.#reply(id, 'error', error);
  }
}

/** A failed call to Redis is a reason to try again; what fails in our own code is not. */
function awayIf(error: unknown): unknown {
  const ours = error instanceof TypeError || error instanceof RangeError || error instanceof BackendAwayError;
  return ours ? error : new BackendAwayError('Redis did not answer', { cause: error });
}
