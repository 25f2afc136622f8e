import type { Disconnect, ProtocolError } from './codes.ts';
import type { Payload } from './payload.ts';

/** Whether something ends by itself. */
export interface Expiry {
  expires?: true;
  /** Seconds until then. */
  ttl?: number;
}

/** A subscription's place in its stream. */
export interface Positioned {
  recoverable?: true;
  positioned?: true;
  epoch?: string;
  offset?: number;
}

export interface ConnectResult extends Expiry {
  client: string;
  version: string;
  /** Seconds. */
  ping: number;
  /** The client must answer pings. */
  pong: true;
  data?: Payload;
  /** Server-side subscriptions, by channel. */
  subs?: ReadonlyMap<string, SubscribeResult>;
}
export interface SubscribeResult extends Expiry, Positioned {
  was_recovering?: true;
  recovered?: true;
  data?: Payload;
  publications?: readonly StoredPublication[];
}
export interface HistoryResult {
  epoch: string;
  offset: number;
  publications?: readonly StoredPublication[];
}

/** A publication of a channel's stream. */
export interface StoredPublication {
  offset: number;
  data: Payload;
  /** Who published: {@link ClientInfo} as JSON, so that it need not be read again; empty: nobody in particular. */
  info: string;
  tags?: Readonly<Record<string, string>>;
}

/** Who published, joined, left or is there, as the protocol's ClientInfo. */
export interface ClientInfo {
  user: string;
  client: string;
  /** Any JSON value. */
  conn_info?: unknown;
  /** Any JSON value. */
  chan_info?: unknown;
}

type Nothing = Record<string, never>;

/** What replies carry, by the protocol's names. */
export interface Results {
  error: ProtocolError;
  connect: ConnectResult;
  subscribe: SubscribeResult;
  unsubscribe: Nothing;
  publish: Nothing;
  presence: { presence: ReadonlyMap<string, ClientInfo> };
  presence_stats: { num_clients: number; num_users: number };
  history: HistoryResult;
  ping: Nothing;
  rpc: { data: Payload };
  refresh: Expiry;
  sub_refresh: Expiry;
}

/** A publication as it is pushed. */
export interface PublicationPush extends StoredPublication {
  /** The stream's epoch, where the client must learn of another one. */
  epoch?: string | undefined;
  /** The channel itself, where a subscription covers many. */
  channel?: string;
}

/** What pushes carry, by the protocol's names. */
export interface Pushes {
  pub: PublicationPush;
  join: { info: ClientInfo };
  leave: { info: ClientInfo };
  unsubscribe: Disconnect;
  /** A server-side subscription begins. */
  subscribe: Positioned & { data?: Payload };
  message: { data: Payload };
  disconnect: Disconnect;
  refresh: Expiry;
}
