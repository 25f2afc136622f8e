/** An error in a reply to a command. Numbers and texts are the Centrifuge protocol's (centrifugal.dev, "Client protocol codes"). */
export interface ProtocolError {
  readonly code: number;
  readonly message: string;
  /** The same command may succeed later. */
  readonly temporary?: true;
}

export const ERROR = {
  internal: { code: 100, message: 'internal server error', temporary: true },
  unauthorized: { code: 101, message: 'unauthorized' },
  unknownChannel: { code: 102, message: 'unknown channel' },
  permissionDenied: { code: 103, message: 'permission denied' },
  methodNotFound: { code: 104, message: 'method not found' },
  alreadySubscribed: { code: 105, message: 'already subscribed' },
  limitExceeded: { code: 106, message: 'limit exceeded' },
  badRequest: { code: 107, message: 'bad request' },
  notAvailable: { code: 108, message: 'not available' },
  /** 108 too, and worth another try: Kafka or Redis cannot be reached now. */
  backendAway: { code: 108, message: 'not available', temporary: true },
  tokenExpired: { code: 109, message: 'token expired' },
  tooManyRequests: { code: 111, message: 'too many requests', temporary: true },
  unrecoverablePosition: { code: 112, message: 'unrecoverable position' },
} as const satisfies Record<string, ProtocolError>;

/**
 * Why the server closes a connection: the WebSocket close code and reason. Clients come back on their own after
 * 3000–3499, and never after 3500–3999.
 */
export interface Disconnect {
  readonly code: number;
  readonly reason: string;
}

export const DISCONNECT = {
  connectionClosed: { code: 3000, reason: 'connection closed' },
  shutdown: { code: 3001, reason: 'shutdown' },
  serverError: { code: 3004, reason: 'internal server error' },
  expired: { code: 3005, reason: 'connection expired' },
  slow: { code: 3008, reason: 'slow' },
  insufficientState: { code: 3010, reason: 'insufficient state' },
  /**
   * It has not connected in time. Centrifuge says 3502 for this, after which SDKs never come back; but what keeps an SDK
   * from connecting is a stalled network or a server in trouble, and a storm must not be the end of its clients.
   */
  stale: { code: 3011, reason: 'stale' },
  noPong: { code: 3012, reason: 'no pong' },
  tooManyRequests: { code: 3013, reason: 'too many requests' },
  invalidToken: { code: 3500, reason: 'invalid token' },
  badRequest: { code: 3501, reason: 'bad request' },
  /** The client sent a message, which nobody here reads: without a reply it would never know. */
  notAvailable: { code: 3508, reason: 'not available' },
} as const satisfies Record<string, Disconnect>;

/** Why the server ends one subscription. From 2500 on, clients subscribe again on their own. */
export const UNSUBSCRIBE = {
  /** For good: the client may no longer be subscribed. */
  server: { code: 2000, reason: 'server unsubscribe' },
  insufficientState: { code: 2500, reason: 'insufficient state' },
  expired: { code: 2501, reason: 'subscription expired' },
} as const satisfies Record<string, Disconnect>;
