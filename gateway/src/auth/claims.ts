import type { JWTPayload } from 'jose';
import type { Capability, Right } from './capabilities.ts';
import { syncClaim } from './sync-claim.ts';
import { TokenError } from './token-error.ts';

/** Channels that a token may subscribe a connection to, and channel names in all its capabilities together. */
const MAX_SUBSCRIPTIONS = 128;
const MAX_CAPABILITY_CHANNELS = 256;

const RIGHTS: ReadonlySet<unknown> = new Set<Right>(['sub', 'pub', 'prs', 'hst']);

/** Who a connection token says that a client is, and what it may do. */
export interface Identity {
  /** Claim sub. */
  user: string;
  /** Claim tier. */
  tier: string | undefined;
  /** Claim tenant. */
  tenant: string | undefined;
  /** Claim info: shown to others with each publication. */
  info: unknown;
  /** When the connection expires, Unix seconds: claim expire_at, else exp. */
  expiresAt: number | undefined;
  /** Claim caps. */
  capabilities: readonly Capability[] | undefined;
  /** Claims channels and subs: what the connection is subscribed to without asking. */
  subscriptions: ReadonlyMap<string, ServerSubscription> | undefined;
  /** Claim sync: prefixes of etcd keys that `/sync` may show. */
  sync: readonly string[] | undefined;
}

/** A subscription that a connection token makes. */
export interface ServerSubscription {
  /** About this client in this channel, for presence and publications. */
  info: unknown;
  /** For the client itself. */
  data: unknown;
  /** The client is told who comes and goes. */
  joinLeave: boolean;
}

/** What a subscription token says. */
export interface SubscriptionGrant {
  user: string;
  channel: string;
  /** About this client in this channel, for presence and publications. */
  info: unknown;
  /** When the subscription expires, Unix seconds. */
  expiresAt: number | undefined;
  /** What else it allows in the channel. */
  allow: ReadonlySet<Right>;
}

type Json = Record<string, unknown>;

/**
 * Reads the claims of a connection token, named as in Centrifugo (centrifugal.dev, "Client JWT authentication" and
 * "Channel capabilities"). Throws {@link TokenError}: what is not understood must not pass as nothing.
 */
export function identityOf(payload: JWTPayload): Identity {
  if (payload['channel'] !== undefined)
    throw new TokenError('invalid', 'a subscription token is none for a connection');
  return {
    user: userOf(payload),
    tier: text(payload, 'tier'),
    tenant: text(payload, 'tenant'),
    info: payload['info'],
    expiresAt: expiryOf(payload),
    capabilities: capabilitiesOf(payload['caps']),
    subscriptions: subscriptionsOf(payload['channels'], payload['subs']),
    sync: syncClaim(payload['sync']),
  };
}

/** Reads the claims of a subscription token (centrifugal.dev, "Channel JWT authorization"). Throws {@link TokenError}. */
export function grantOf(payload: JWTPayload): SubscriptionGrant {
  const channel = text(payload, 'channel');
  if (channel === undefined) throw new TokenError('invalid', 'claim channel is missing');
  return {
    user: userOf(payload),
    channel,
    info: payload['info'],
    expiresAt: expiryOf(payload),
    allow: rights(payload['allow'] ?? [], 'allow'),
  };
}

function userOf({ sub }: JWTPayload): string {
  if (typeof sub !== 'string' || sub === '') throw new TokenError('invalid', 'claim sub is missing');
  return sub;
}

/** `expire_at` parts the expiry of what the token allows from its own; 0: what it allows doesn't expire. */
function expiryOf({ exp, expire_at: at }: JWTPayload): number | undefined {
  if (at === undefined) return exp;
  if (typeof at !== 'number' || !Number.isFinite(at) || at < 0) refuse('expire_at', 'no time');
  return at === 0 ? undefined : at;
}

function capabilitiesOf(claim: unknown): Capability[] | undefined {
  if (claim === undefined) return undefined;
  if (!Array.isArray(claim)) refuse('caps', 'no list');
  const capabilities = claim.map(capability);
  const names = capabilities.reduce((sum, { channels }) => sum + channels.length, 0);
  if (names > MAX_CAPABILITY_CHANNELS) refuse('caps', `over ${MAX_CAPABILITY_CHANNELS} channels`);
  return capabilities;
}

function capability(item: unknown): Capability {
  const { channels, match = '', allow } = object(item, 'caps');
  if (match !== '' && match !== 'wildcard') refuse('caps', 'has a match other than wildcard');
  return {
    channels: texts(channels, 'caps'),
    match: match === '' ? 'exact' : 'wildcard',
    allow: rights(allow, 'caps'),
  };
}

function rights(claim: unknown, name: string): ReadonlySet<Right> {
  const list = texts(claim, name);
  if (!list.every((item) => RIGHTS.has(item))) refuse(name, 'allows other than sub, pub, prs and hst');
  return new Set(list as Right[]);
}

function subscriptionsOf(channels: unknown, subs: unknown): Map<string, ServerSubscription> | undefined {
  if (channels === undefined && subs === undefined) return undefined;
  const found = new Map<string, ServerSubscription>();
  for (const channel of texts(channels ?? [], 'channels'))
    found.set(channel, { info: undefined, data: undefined, joinLeave: false });
  for (const [channel, options] of Object.entries(object(subs ?? {}, 'subs')))
    found.set(channel, serverSubscription(object(options, 'subs')));
  if (found.size > MAX_SUBSCRIPTIONS) refuse('subs', `over ${MAX_SUBSCRIPTIONS} channels`);
  return found;
}

function serverSubscription({ info, data, override }: Json): ServerSubscription {
  const forced = object(override ?? {}, 'subs')['force_push_join_leave'];
  return { info, data, joinLeave: object(forced ?? {}, 'subs')['value'] === true };
}

function text(payload: JWTPayload, name: string): string | undefined {
  const value = payload[name];
  if (value !== undefined && typeof value !== 'string') refuse(name, 'no text');
  return value;
}

function texts(value: unknown, name: string): string[] {
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string'))
    refuse(name, 'no list of texts');
  return value;
}

function object(value: unknown, name: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(name, 'no object');
  return value as Json;
}

/** `problem` says what is wrong, and never what the claim holds. */
function refuse(claim: string, problem: string): never {
  throw new TokenError('invalid', `claim ${claim}: ${problem}`);
}
