import type { Identity, Right, ServerSubscription, SubscriptionGrant } from '../auth/index.ts';
import { allowedIn, TokenError } from '../auth/index.ts';
import type { PreparedSubscription, Receiver, Topic } from '../channels/index.ts';
import { DISCONNECT, ERROR, Payload, UNSUBSCRIBE } from '../protocol/index.ts';
import type {
  ClientInfo,
  Disconnect,
  PerCodec,
  ProtocolError,
  Requests,
  Results,
  StreamPosition,
  SubscribeRequest,
  SubscribeResult,
} from '../protocol/index.ts';
import { awayIf } from './away.ts';
import { expiryOf } from './expiry.ts';
import { fitIntoReply, positionOf, recoveryOf } from './recovery.ts';
import type { Recovery } from './recovery.ts';
import { RefusedError } from './refused.ts';
import { may } from './rights.ts';
import type { SessionServices } from './services.ts';

/** Channels that one connection may be subscribed to, as in Centrifugo. */
export const MAX_CHANNELS = 128;
/** How long a subscription outlives its token, for the client to refresh it, seconds. */
const EXPIRY_GRACE_S = 10;

/** The connection that the subscriptions are of. */
export interface Subscriber<F> extends Receiver<PerCodec<F>> {
  readonly identity: Identity;
  readonly info: ClientInfo;
  reply<K extends keyof Results>(id: number, what: K, result: Results[K]): void;
  pushUnsubscribe(channel: string, why: Disconnect): void;
  fail(id: number, error: ProtocolError): void;
  close(why: Disconnect): void;
}

/** What a connection has in one channel. */
interface Held {
  phase: 'pending' | 'active';
  /** open: by the topic's options or a capability. token: by a subscription token. server: by the connection token. */
  by: 'open' | 'token' | 'server';
  /** Unix seconds. */
  expiresAt: number | undefined;
  /** What a subscription token allows besides. */
  allow: ReadonlySet<Right> | undefined;
  /** What others see of the client in this channel, besides what they see anywhere. */
  chanInfo: unknown;
}

/** Most subscriptions are like this; they share it. */
const OPEN: Held = {
  phase: 'active',
  by: 'open',
  expiresAt: undefined,
  allow: undefined,
  chanInfo: undefined,
};

/** A server-side subscription that is ready to be told to the client. */
export interface ServerSide {
  recovery: Recovery;
  /** To be called when that is written. */
  readonly activate: () => void;
}

/** One connection's subscriptions: what it may, until when, and what others see of it. */
export class Subscriptions<F> {
  readonly #services: SessionServices<F>;
  readonly #client: Subscriber<F>;
  readonly #held = new Map<string, Held>();
  /** When the first of them expires, Unix seconds. */
  #nextExpiry: number | undefined;

  constructor(services: SessionServices<F>, client: Subscriber<F>) {
    this.#services = services;
    this.#client = client;
  }

  /** Carries out a subscribe command. Throws {@link RefusedError}, and BackendAwayError when Redis is away. */
  async subscribe(id: number, { channel, token, recover, joinLeave }: SubscribeRequest): Promise<void> {
    const topic = this.#services.topics.of(channel);
    if (!topic) throw new RefusedError(ERROR.unknownChannel);
    if (this.#held.has(channel)) throw new RefusedError(ERROR.alreadySubscribed);
    if (this.#held.size >= MAX_CHANNELS) throw new RefusedError(ERROR.limitExceeded);
    const pending: Held = { ...OPEN, phase: 'pending' };
    this.#held.set(channel, pending);
    try {
      const held = token === '' ? this.#open(channel, topic) : await this.#byToken(channel, token);
      // It may have been taken back while the token was checked.
      if (this.#held.get(channel) !== pending) throw new RefusedError(ERROR.badRequest);
      const { prepared, recovery } = await this.#prepare(channel, topic, recover);
      // The hub may have ended it in the turn in which it was prepared.
      if (this.#held.get(channel) !== pending) throw new RefusedError(ERROR.backendAway);
      Object.assign(recovery.result, this.#expiry(held.expiresAt));
      this.#client.reply(id, 'subscribe', replyOf(recovery));
      this.#activate(channel, { topic, held, prepared, recovery, joinLeave });
    } catch (error) {
      if (this.#held.get(channel) === pending) this.#held.delete(channel);
      throw awayIf(error);
    }
  }

  /**
   * Prepares the subscriptions that the connection token makes; `recover` says what the client has of them. Throws
   * {@link RefusedError}, and BackendAwayError when Redis is away; then the connection is to be ended.
   */
  async begin(
    wished: ReadonlyMap<string, ServerSubscription>,
    recover: ReadonlyMap<string, StreamPosition | undefined>,
  ): Promise<Map<string, ServerSide>> {
    const begun = [...wished].map(async ([channel, wish]): Promise<[string, ServerSide]> => {
      const topic = this.#services.topics.of(channel);
      if (!topic) throw new RefusedError(ERROR.unknownChannel);
      const held: Held = { ...OPEN, by: 'server', chanInfo: wish.info };
      this.#held.set(channel, { ...held, phase: 'pending' });
      const { prepared, recovery } = await this.#prepare(channel, topic, recover.get(channel));
      if (wish.data !== undefined) recovery.result.data = Payload.ofJson(wish.data);
      const activate = (): void =>
        this.#activate(channel, { topic, held, prepared, recovery, joinLeave: wish.joinLeave });
      return [channel, { recovery, activate }];
    });
    try {
      const ready = await Promise.all(begun);
      fitIntoReply(ready.map(([, { recovery }]) => recovery));
      return new Map(ready);
    } catch (error) {
      throw awayIf(error);
    }
  }

  /** Carries out a sub_refresh command. Throws {@link RefusedError}. */
  async refresh(id: number, { channel, token }: Requests['sub_refresh']): Promise<void> {
    const before = this.#held.get(channel);
    if (before?.by !== 'token' || before.phase !== 'active') throw new RefusedError(ERROR.badRequest);
    const held = await this.#byToken(channel, token);
    if (this.#held.get(channel) !== before) throw new RefusedError(ERROR.badRequest);
    this.#held.set(channel, held);
    this.#noteExpiry(held);
    this.#client.reply(id, 'sub_refresh', this.#expiry(held.expiresAt));
  }

  /** Ends a subscription, if there is one. */
  unsubscribe(channel: string): void {
    if (!this.#held.has(channel)) return;
    this.#services.hub.unsubscribe(channel, this.#client);
    this.#end(channel);
  }

  /** The hub ended a subscription. */
  dropped(channel: string, why: Disconnect): void {
    const { by, phase } = this.#held.get(channel) ?? OPEN;
    this.#end(channel);
    // SDKs don't subscribe to these again: only a new connection brings them back, and tells that they missed something.
    if (by === 'server') this.#client.close(DISCONNECT.insufficientState);
    // One that is not answered yet has nothing to be told but its answer.
    else if (phase === 'active') this.#client.pushUnsubscribe(channel, why);
  }

  /** Whether the client may do what `right` names in a channel of `topic`. */
  may(right: Right, channel: string, topic: Topic): boolean {
    const held = this.#held.get(channel);
    return may(right, {
      options: topic.channels,
      subscribed: held?.phase === 'active',
      granted: (one) =>
        held?.allow?.has(one) === true || allowedIn(channel, this.#client.identity.capabilities).has(one),
    });
  }

  /** What others see of the client in a channel. */
  infoIn(channel: string): ClientInfo {
    const chanInfo = this.#held.get(channel)?.chanInfo;
    return chanInfo === undefined ? this.#client.info : { ...this.#client.info, chan_info: chanInfo };
  }

  /** Ends what has expired. Costs nothing before the first one does. */
  tick(unixNow: number): void {
    const now = unixNow / 1000 - EXPIRY_GRACE_S;
    if (this.#nextExpiry === undefined || now <= this.#nextExpiry) return;
    this.#nextExpiry = undefined;
    for (const [channel, held] of this.#held) {
      if (held.expiresAt !== undefined && now > held.expiresAt) this.#take(channel, UNSUBSCRIBE.expired);
      else this.#noteExpiry(held);
    }
  }

  /** Ends what the client may no longer have, after its connection token is another one. */
  review(): void {
    for (const [channel, { by, phase }] of this.#held) {
      const topic = this.#services.topics.of(channel);
      if (by !== 'open' || phase !== 'active' || !topic) continue;
      if (!this.may('sub', channel, topic)) this.#take(channel, UNSUBSCRIBE.server);
    }
  }

  /** Ends all of them; the client is gone. */
  end(): void {
    for (const channel of this.#held.keys()) this.unsubscribe(channel);
  }

  // How a subscription comes about

  #open(channel: string, topic: Topic): Held {
    if (!this.may('sub', channel, topic)) throw new RefusedError(ERROR.permissionDenied);
    return OPEN;
  }

  async #byToken(channel: string, token: string): Promise<Held> {
    const grant = await this.#verify(token);
    const isOurs = grant.user === this.#client.identity.user && grant.channel === channel;
    if (!isOurs) throw new RefusedError(ERROR.permissionDenied);
    const { expiresAt, allow, info } = grant;
    const isOver = expiresAt !== undefined && expiresAt < this.#services.unixNow() / 1000;
    if (isOver) throw new RefusedError(ERROR.tokenExpired);
    return { phase: 'active', by: 'token', expiresAt, allow, chanInfo: info };
  }

  async #verify(token: string): Promise<SubscriptionGrant> {
    try {
      return await this.#services.verifier.verifySubscription(token);
    } catch (error) {
      if (!(error instanceof TokenError)) throw error;
      this.#services.events.refused(error.kind, error);
      throw new RefusedError(TOKEN_ERRORS[error.kind]);
    }
  }

  async #prepare(
    channel: string,
    { channels }: Topic,
    position: StreamPosition | undefined,
  ): Promise<{ prepared: PreparedSubscription; recovery: Recovery }> {
    const recover = channels.recovery ? position : undefined;
    const range = recover ? { since: recover.offset, limit: channels.history.size } : { limit: 0 };
    const prepared = await this.#services.hub.subscribe(channel, this.#client, range);
    // Ended meanwhile: by the client, which does not mind the answer, or by the hub, when more came than could wait for
    // Redis to answer. An error that is not temporary would make SDKs give the subscription up.
    if (!prepared) throw new RefusedError(ERROR.backendAway);
    const { snapshot } = prepared;
    this.#mustHaveCome(channel, recover, snapshot);
    return { prepared, recovery: channels.recovery ? recoveryOf(snapshot, recover) : positionOf(snapshot) };
  }

  /** Throws {@link RefusedError} where the stream is still of a time that the client is past. */
  #mustHaveCome(channel: string, from: StreamPosition | undefined, stream: StreamPosition): void {
    const { ahead, hub, now } = this.#services;
    const claim = from && { user: this.#client.identity.user, channel, from };
    if (!claim || !ahead.mustWait(claim, stream, now())) return;
    hub.unsubscribe(channel, this.#client);
    throw new RefusedError(ERROR.backendAway);
  }

  #activate(
    channel: string,
    how: {
      topic: Topic;
      held: Held;
      prepared: PreparedSubscription;
      recovery: Recovery;
      joinLeave: boolean;
    },
  ): void {
    if (!this.#held.has(channel)) return;
    const { topic, held, prepared, recovery, joinLeave } = how;
    this.#held.set(channel, held);
    this.#noteExpiry(held);
    // First, since activating may end it at once.
    this.#show('join', channel, topic);
    prepared.activate({
      listens: joinLeave && topic.channels.joinLeave,
      recovered: recovery.result.recovered === true,
    });
  }

  // How it ends

  #take(channel: string, why: Disconnect): void {
    this.unsubscribe(channel);
    this.#client.pushUnsubscribe(channel, why);
  }

  #end(channel: string): void {
    const topic = this.#services.topics.of(channel);
    if (topic && this.#held.get(channel)?.phase === 'active') this.#show('leave', channel, topic);
    this.#held.delete(channel);
  }

  #show(what: 'join' | 'leave', channel: string, { channels }: Topic): void {
    if (!channels.presence && !channels.joinLeave) return;
    const info = JSON.stringify(this.infoIn(channel));
    this.#services.presence[what](channel, this.#client.info.client, info, channels);
  }

  #noteExpiry({ expiresAt }: Held): void {
    if (expiresAt !== undefined) this.#nextExpiry = Math.min(this.#nextExpiry ?? expiresAt, expiresAt);
  }

  #expiry(expiresAt: number | undefined): { expires?: true; ttl?: number } {
    return expiryOf(expiresAt, this.#services.unixNow());
  }
}

const TOKEN_ERRORS = {
  invalid: ERROR.permissionDenied,
  expired: ERROR.tokenExpired,
  unavailable: ERROR.internal,
} as const satisfies Record<TokenError['kind'], ProtocolError>;

/** A recovery as it is written. */
export function replyOf({ result, missed }: Recovery): SubscribeResult {
  return missed.length === 0 ? result : { ...result, publications: missed };
}
