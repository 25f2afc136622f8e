import { randomUUID } from 'node:crypto';
import { TokenError } from '../auth/index.ts';
import type { Identity, Right } from '../auth/index.ts';
import type { Topic } from '../channels/index.ts';
import { BackendAwayError, encodeEnvelope, IDEMPOTENCY_HEADER } from '../delivery/index.ts';
import { DISCONNECT, ERROR, MalformedFrameError, Payload } from '../protocol/index.ts';
import type {
  ClientInfo,
  Codec,
  Command,
  ConnectRequest,
  Disconnect,
  HistoryRequest,
  PerCodec,
  ProtocolError,
  Results,
  RpcRequest,
} from '../protocol/index.ts';
import { awayIf } from './away.ts';
import { expiryOf } from './expiry.ts';
import { toldInterval } from './patience.ts';
import { historyOf } from './recovery.ts';
import { RefusedError } from './refused.ts';
import { PUBLISH_METHOD, publishCallOf } from './rpc.ts';
import type { KeyedPublishRequest } from './rpc.ts';
import type { SessionServices, Wire } from './services.ts';
import { replyOf, Subscriptions } from './subscriptions.ts';
import type { ServerSide, Subscriber } from './subscriptions.ts';

/** Commands of one connection that may be under way at once. */
const MAX_IN_FLIGHT = 256;
/** Most bytes of `data` in a publication. */
export const MAX_PUBLICATION_BYTES = 32 * 1024;
/** How long a connection outlives its token, for the client to refresh it, seconds. */
const EXPIRY_GRACE_S = 10;

/** Most bytes of a presence reply: it must fit into the output buffer of its connection. */
const MAX_PRESENCE_BYTES = 512 * 1024;

/** What {@link PUBLISH_METHOD} answers: as little as publish. */
const NOTHING = Payload.ofJson({});

const NO_SUBSCRIPTIONS: ReadonlyMap<string, ServerSide> = new Map();

/** Whoever has not proven who it is. */
const NOBODY: Identity = {
  user: '',
  tier: undefined,
  tenant: undefined,
  info: undefined,
  expiresAt: undefined,
  capabilities: undefined,
  subscriptions: undefined,
  sync: undefined,
};

type Phase = 'new' | 'connecting' | 'connected' | 'closed';

/** A command that can be carried out once the client is known. */
type Authenticated = Exclude<Command, { method: 'pong' | 'connect' }>;

/**
 * One client connection: its commands in, its replies and pushes out. Knows no socket: `wire` is one.
 * A reply follows its command in any order; what a client must see in order (a subscribe reply before the channel's
 * publications) is written in order.
 */
export class Session<F> implements Subscriber<F> {
  readonly #services: SessionServices<F>;
  readonly #wire: Wire<F>;
  readonly #codec: Codec;
  #phase: Phase = 'new';
  #identity = NOBODY;
  #info: ClientInfo = { user: '', client: '' };
  /** Commands that came before the connect command was answered. */
  #early: Authenticated[] | undefined;
  #subscriptions: Subscriptions<F> | undefined;
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
    const { expiresAt } = this.#identity;
    this.#subscriptions?.tick(unixNow);
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
    this.#subscriptions?.end();
    this.#subscriptions = undefined;
    this.#early = undefined;
  }

  // Subscriber

  get identity(): Identity {
    return this.#identity;
  }

  get info(): ClientInfo {
    return this.#info;
  }

  deliver(frame: PerCodec<F>): void {
    this.#wire.sendFrame(frame.for(this.#codec));
  }

  dropped(channel: string, why: Disconnect): void {
    this.#subscriptions?.dropped(channel, why);
  }

  reply<K extends keyof Results>(id: number, what: K, result: Results[K]): void {
    if (this.#phase !== 'closed') this.#wire.send(this.#codec.reply(id, what, result));
  }

  pushUnsubscribe(channel: string, why: Disconnect): void {
    if (this.#phase !== 'closed') this.#wire.send(this.#codec.push(channel, 'unsubscribe', why));
  }

  fail(id: number, error: ProtocolError): void {
    if (this.#phase === 'closed') return;
    this.#services.events.failed(error.code);
    this.reply(id, 'error', error);
  }

  // Commands

  #take(command: Command): void {
    if (command.method === 'pong' || this.#phase === 'closed') return;
    if (command.method === 'connect') {
      if (this.#phase !== 'new') return this.close(DISCONNECT.badRequest);
      this.#phase = 'connecting';
      void this.#connect(command.id, command.request);
      return;
    }
    if (this.#phase === 'connected') return this.#start(command);
    // SDKs send connect and their subscriptions in one frame.
    const early = (this.#early ??= []);
    if (this.#phase === 'connecting' && early.length < MAX_IN_FLIGHT) early.push(command);
    else this.close(DISCONNECT.badRequest);
  }

  async #connect(id: number, { token, subs }: ConnectRequest): Promise<void> {
    try {
      const identity = await this.#services.verifier.verify(token);
      if (this.#phase !== 'connecting') return;
      this.#identify(identity);
      const begun = identity.subscriptions
        ? await this.#subscribed().begin(identity.subscriptions, subs)
        : NO_SUBSCRIPTIONS;
      if (this.#phase !== 'connecting') return;
      this.#accept(id, begun);
    } catch (error) {
      if (this.#phase !== 'connecting') return;
      this.#refuse(id, error);
    }
  }

  #identify(identity: Identity): void {
    this.#remember(identity);
    this.#info = {
      user: identity.user,
      client: randomUUID(),
      ...(identity.info !== undefined && { conn_info: identity.info }),
    };
  }

  /** Keeps what is asked for later; subscriptions are only made when the client connects. */
  #remember(identity: Identity): void {
    this.#identity = identity.subscriptions ? { ...identity, subscriptions: undefined } : identity;
  }

  #accept(id: number, begun: ReadonlyMap<string, ServerSide>): void {
    const { heartbeat, version, now, unixNow } = this.#services;
    this.#phase = 'connected';
    this.#wire.known();
    // Spread over the interval, so that clients that came together are not pinged together.
    this.#nextPingAt = now() + heartbeat.intervalMs * (0.5 + Math.random() / 2);
    const subs = new Map([...begun].map(([channel, { recovery }]) => [channel, replyOf(recovery)]));
    this.reply(id, 'connect', {
      client: this.#info.client,
      version,
      ping: toldInterval(heartbeat),
      pong: true,
      ...expiryOf(this.#identity.expiresAt, unixNow()),
      ...(subs.size > 0 && { subs }),
    });
    for (const { activate } of begun.values()) activate();
    this.#services.events.connected();
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const command of early) this.#take(command);
  }

  #refuse(id: number, error: unknown): void {
    this.#subscriptions?.end();
    this.#subscriptions = undefined;
    if (error instanceof TokenError) {
      this.#services.events.refused(error.kind, error);
      if (error.kind === 'invalid') return this.close(DISCONNECT.invalidToken);
    }
    this.#phase = 'new';
    this.#early = undefined;
    this.#failFor(id, 'connect', error);
  }

  /** What the client is told of an error; what is none of its own is a fault of ours. */
  #failFor(id: number, method: string, error: unknown): void {
    if (error instanceof RefusedError) return this.fail(id, error.error);
    if (error instanceof BackendAwayError) return this.fail(id, ERROR.backendAway);
    if (error instanceof TokenError)
      return this.fail(id, error.kind === 'expired' ? ERROR.tokenExpired : ERROR.internal);
    this.#services.events.broken(method, error);
    this.fail(id, ERROR.internal);
  }

  /** Begins a command; its reply comes later. */
  #start(command: Authenticated): void {
    if (command.method === 'send') return this.close(DISCONNECT.notAvailable);
    if (this.#inFlight >= MAX_IN_FLIGHT) return this.fail(command.id, ERROR.tooManyRequests);
    this.#inFlight += 1;
    this.#run(command)
      .catch((error: unknown) => this.#failFor(command.id, command.method, error))
      .finally(() => (this.#inFlight -= 1));
  }

  #run(command: Exclude<Authenticated, { method: 'send' }>): Promise<void> {
    switch (command.method) {
      case 'subscribe':
        return this.#subscribed().subscribe(command.id, command.request);
      case 'unsubscribe':
        return this.#unsubscribe(command.id, command.request.channel);
      case 'publish':
        return this.#publish({ ...command.request, idempotencyKey: '' }, () =>
          this.reply(command.id, 'publish', {}),
        );
      case 'history':
        return this.#history(command.id, command.request);
      case 'presence':
        return this.#presence(command.id, command.request.channel);
      case 'presence_stats':
        return this.#presenceStats(command.id, command.request.channel);
      case 'sub_refresh':
        return this.#subscribed().refresh(command.id, command.request);
      case 'refresh':
        return this.#refresh(command.id, command.request.token);
      case 'ping':
        return this.#ping(command.id);
      case 'rpc':
        return this.#rpc(command.id, command.request);
      default:
        return this.#reject(command.id, ERROR.methodNotFound);
    }
  }

  async #unsubscribe(id: number, channel: string): Promise<void> {
    this.#subscriptions?.unsubscribe(channel);
    this.reply(id, 'unsubscribe', {});
  }

  async #publish(
    { channel, data, idempotencyKey }: KeyedPublishRequest,
    acknowledge: () => void,
  ): Promise<void> {
    const { log, events, now, unixNow } = this.#services;
    const { topic } = this.#allowed('pub', channel);
    if (data.size > MAX_PUBLICATION_BYTES) throw new RefusedError(ERROR.limitExceeded);
    this.#limit();
    const began = now();
    const info = this.#subscriptions?.infoIn(channel) ?? this.#info;
    const headers = idempotencyKey === '' ? undefined : { [IDEMPOTENCY_HEADER]: idempotencyKey };
    await log.append(topic, channel, encodeEnvelope(data, info, unixNow()), headers);
    events.published((now() - began) / 1000);
    acknowledge();
  }

  async #rpc(id: number, { method, data }: RpcRequest): Promise<void> {
    if (method === PUBLISH_METHOD)
      return this.#publish(publishCallOf(data), () => this.reply(id, 'rpc', { data: NOTHING }));
    const { methods } = this.#services;
    if (!methods.has(method)) throw new RefusedError(ERROR.methodNotFound);
    this.#limit();
    const { user, tenant } = this.#identity;
    const outcome = await methods.call(method, { data, user, tenant, client: this.#info.client });
    if (!outcome) throw new RefusedError(ERROR.methodNotFound);
    if ('error' in outcome) throw new RefusedError(outcome.error);
    this.reply(id, 'rpc', outcome);
  }

  async #history(id: number, request: HistoryRequest): Promise<void> {
    const { channel, limit, since, reverse } = request;
    const { size } = this.#allowed('hst', channel).channels.history;
    this.#limit();
    const snapshot = await this.#services.streams
      .read(channel, {
        limit: limit < 0 ? size : Math.min(limit, size),
        reverse,
        ...(since && { since: since.offset }),
      })
      .catch((error: unknown) => {
        throw awayIf(error);
      });
    const history = historyOf(snapshot, request);
    if (!history) throw new RefusedError(ERROR.unrecoverablePosition);
    this.reply(id, 'history', { ...history.result, publications: history.publications });
  }

  async #presence(id: number, channel: string): Promise<void> {
    this.#mayAskForPresence(channel);
    const found = await this.#services.presence.list(channel).catch((error: unknown) => {
      throw awayIf(error);
    });
    if (typeof found === 'number' || bytesOf(found) > MAX_PRESENCE_BYTES)
      throw new RefusedError(ERROR.limitExceeded);
    const clients = found.map((info) => JSON.parse(info) as ClientInfo);
    this.reply(id, 'presence', { presence: new Map(clients.map((info) => [info.client, info])) });
  }

  async #presenceStats(id: number, channel: string): Promise<void> {
    this.#mayAskForPresence(channel);
    const stats = await this.#services.presence.stats(channel).catch((error: unknown) => {
      throw awayIf(error);
    });
    if (!stats) throw new RefusedError(ERROR.limitExceeded);
    this.reply(id, 'presence_stats', { num_clients: stats.clients, num_users: stats.users });
  }

  #mayAskForPresence(channel: string): void {
    const { channels } = this.#allowed('prs', channel);
    if (!channels.presence) throw new RefusedError(ERROR.notAvailable);
    this.#limit();
  }

  async #refresh(id: number, token: string): Promise<void> {
    try {
      const identity = await this.#services.verifier.verify(token);
      if (identity.user !== this.#identity.user) throw new RefusedError(ERROR.permissionDenied);
      this.#remember(identity);
      this.reply(id, 'refresh', expiryOf(identity.expiresAt, this.#services.unixNow()));
      this.#subscriptions?.review();
    } catch (error) {
      if (!(error instanceof TokenError)) throw error;
      this.#services.events.refused(error.kind, error);
      if (error.kind === 'invalid') return this.close(DISCONNECT.invalidToken);
      throw error;
    }
  }

  async #ping(id: number): Promise<void> {
    this.reply(id, 'ping', {});
  }

  async #reject(id: number, error: ProtocolError): Promise<void> {
    this.fail(id, error);
  }

  /** Made when it is needed: a connection without subscriptions has none. */
  #subscribed(): Subscriptions<F> {
    this.#subscriptions ??= new Subscriptions(this.#services, this);
    return this.#subscriptions;
  }

  /** The topic of `channel`, if the client has this right in it. Throws {@link RefusedError}. */
  #allowed(right: Right, channel: string): Topic {
    const topic = this.#services.topics.of(channel);
    if (!topic) throw new RefusedError(ERROR.unknownChannel);
    if (!this.#subscribed().may(right, channel, topic)) throw new RefusedError(ERROR.permissionDenied);
    return topic;
  }

  /** Takes one from the buckets of the client's user and tenant. Throws {@link RefusedError} if there is none. */
  #limit(): void {
    const { limits, now } = this.#services;
    if (!limits.allow(this.#identity, now())) throw new RefusedError(ERROR.tooManyRequests);
  }
}

function bytesOf(texts: string[]): number {
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}
