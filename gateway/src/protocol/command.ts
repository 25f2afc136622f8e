import type { Payload } from './payload.ts';

/** Where a client is in a channel's stream. */
export interface StreamPosition {
  /** Number of the last publication that it has; 0 is before the first. */
  offset: number;
  /** Identity of the stream: offsets of different epochs have nothing to do with each other. Empty: any. */
  epoch: string;
}

export interface ConnectRequest {
  token: string;
  data: Payload | undefined;
  /** Server-side subscriptions that the client had, and where it is in those that recover. */
  subs: ReadonlyMap<string, StreamPosition | undefined>;
}
export interface SubscribeRequest {
  channel: string;
  /** A subscription token; empty: none. */
  token: string;
  /** Set: send what came after this position. */
  recover: StreamPosition | undefined;
  data: Payload | undefined;
  /** Asks for pushes of who comes and goes. */
  joinLeave: boolean;
}
export interface PublishRequest {
  channel: string;
  data: Payload;
}
export interface HistoryRequest {
  channel: string;
  /** 0: only the position. Negative: as many as there are. */
  limit: number;
  since: StreamPosition | undefined;
  reverse: boolean;
}
export interface RpcRequest {
  method: string;
  data: Payload | undefined;
}

/** What a client can ask for and get a reply to, by the protocol's names. */
export interface Requests {
  connect: ConnectRequest;
  subscribe: SubscribeRequest;
  unsubscribe: { channel: string };
  publish: PublishRequest;
  presence: { channel: string };
  presence_stats: { channel: string };
  history: HistoryRequest;
  ping: Record<string, never>;
  rpc: RpcRequest;
  refresh: { token: string };
  sub_refresh: { channel: string; token: string };
}
export type Method = keyof Requests;

/** A command that was read and checked. */
export type Command =
  | { method: 'pong' }
  /** A message without a reply. */
  | { method: 'send'; data: Payload | undefined }
  | { [M in Method]: { method: M; id: number; request: Requests[M] } }[Method]
  | { method: 'unknown'; id: number };

/** A frame that breaks the protocol; the connection ends with DISCONNECT.badRequest. */
export class MalformedFrameError extends Error {
  constructor(problem: string, options?: ErrorOptions) {
    super(problem, options);
    this.name = 'MalformedFrameError';
  }
}

/** More commands than this in one frame break the protocol: a reconnecting client needs one for each subscription. */
export const MAX_COMMANDS_PER_FRAME = 512;
