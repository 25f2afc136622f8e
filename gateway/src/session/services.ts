import type { GatewayConfig } from '@causeway/crds';
import type { TokenVerifier } from '../auth/index.ts';
import type { Hub, StreamReader, Topics } from '../channels/index.ts';
import type { PublicationLog } from '../delivery/index.ts';
import type { SendLimits } from '../limits/index.ts';
import type { Presence } from '../presence/index.ts';
import type { Disconnect, Message, PerCodec } from '../protocol/index.ts';
import type { HttpMethods } from '../rpc/index.ts';
import type { Ahead } from './ahead.ts';

/** The client's end of a connection. `F` is a frame that is ready to be written. */
export interface Wire<F> {
  /** The client has proven who it is: it may send larger messages. */
  known(): void;
  send(message: Message): void;
  /** Writes a frame that others may get too. */
  sendFrame(frame: F): void;
  /** Closes with this code, after what was sent before. */
  close(why: Disconnect): void;
}

/** What sessions tell those who count and log. None of it holds a token or a payload. */
export interface SessionEvents {
  connected(): void;
  disconnected(code: number): void;
  /** A token was refused. */
  refused(kind: string, error: unknown): void;
  /** An error went to a client. */
  failed(code: number): void;
  /** A publication was acknowledged after so many seconds. */
  published(seconds: number): void;
  /** A fault of ours. */
  broken(method: string, error: unknown): void;
}

/** What all sessions share. */
export interface SessionServices<F> {
  verifier: Pick<TokenVerifier, 'verify' | 'verifySubscription'>;
  hub: Pick<Hub<PerCodec<F>>, 'subscribe' | 'unsubscribe'>;
  streams: StreamReader;
  /** Who is further than the streams are. */
  ahead: Ahead;
  presence: Pick<Presence, 'join' | 'leave' | 'list' | 'stats'>;
  log: PublicationLog;
  limits: Pick<SendLimits, 'allow'>;
  topics: Topics;
  /** Methods of the user's applications. */
  methods: Pick<HttpMethods, 'has' | 'call'>;
  heartbeat: GatewayConfig['heartbeat'];
  pingFrame: PerCodec<F>;
  /** Told to clients. */
  version: string;
  events: SessionEvents;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Unix milliseconds. */
  readonly unixNow: () => number;
}
