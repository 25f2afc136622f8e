/** Why a stream ends: one table for both transports. */
import type { Position } from './position.ts';

/** The gRPC status codes that we use (https://grpc.io/docs/guides/status-codes/). */
export const STATUS = {
  invalidArgument: 3,
  permissionDenied: 7,
  resourceExhausted: 8,
  outOfRange: 11,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** What a client can act on, each with its status. */
const STATUS_OF = {
  /** The request can't be understood. */
  'bad-request': STATUS.invalidArgument,
  /** There is no token, or it is not good. */
  'bad-token': STATUS.unauthenticated,
  /** The token has expired: come back with a new one, and resume. */
  'token-expired': STATUS.unauthenticated,
  /** The token's rights or the platform's prefixes don't cover what was asked for. */
  'no-right': STATUS.permissionDenied,
  /** etcd no longer has what came after the position: start over without one. */
  compacted: STATUS.outOfRange,
  /** The position is of a history that this zone doesn't know (another home, a restored etcd): start over without one. */
  'unknown-position': STATUS.outOfRange,
  /** The client reads slower than changes come: come back, and resume. */
  'slow-reader': STATUS.resourceExhausted,
  /** This gateway has as many streams as it may: come back, it may be to another one. */
  'too-many-streams': STATUS.resourceExhausted,
  /** The zone's etcd is away. */
  'etcd-away': STATUS.unavailable,
  /** The zone hasn't come as far as the position yet, or is being filled: wait, or go to another zone. */
  behind: STATUS.unavailable,
  /** Another zone becomes home: come back, and resume. */
  'home-moved': STATUS.unavailable,
  /** The gateway ends, or is to be empty: come back, and resume. */
  shutdown: STATUS.unavailable,
  /** The token can't be checked now. */
  'no-token-keys': STATUS.unavailable,
  /** A fault of ours. */
  internal: STATUS.internal,
} as const;

export type Reason = keyof typeof STATUS_OF;

/** Ends a stream. The message is for a person, and holds no token, key or value. */
export class SyncFailure extends Error {
  override name = 'SyncFailure';
  readonly reason: Reason;
  /** The oldest revision of the present home from which a client could have resumed, where that is known. */
  readonly oldest: Position | undefined;

  constructor(
    reason: Reason,
    message: string,
    { oldest, cause }: { oldest?: Position; cause?: unknown } = {},
  ) {
    super(message, { cause });
    this.reason = reason;
    this.oldest = oldest;
  }

  /** gRPC status code. */
  get status(): number {
    return STATUS_OF[this.reason];
  }
}
