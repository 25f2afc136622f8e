import type { LookupAddress } from 'node:dns';
import { isIP, Socket } from 'node:net';
import type { LookupFunction } from 'node:net';

/**
 * How long a connection may take, milliseconds: more than the second after which a system asks again whose first packet was lost
 * (RFC 6298, section 2.1).
 */
export const CONNECT_MS = 1_500;
/** How long nobody tries an address that somebody has just tried in vain, milliseconds. */
export const REST_MS = 500;

/** What became of an address. */
interface Attempts {
  /** When the last one ended without an answer, monotonic milliseconds; undefined: none has since it was reached. */
  silentAt: number | undefined;
  /** Under way. */
  trying: number;
}

/** Who says nothing, not even no: their system, or the whole way to them. */
const SILENT_CODES: ReadonlySet<unknown> = new Set(['EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'EHOSTDOWN']);

/**
 * Which servers cannot be connected to, for all clients of this process: with a zone lost each would find that out by itself, and
 * kafkajs does so one server after another, while nobody can publish. One attempt goes to a silent server at a time, all others
 * fail at once, and so go on to the next.
 */
export class ReachMemory {
  readonly #attempts = new Map<string, Attempts>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** The one to try: one that has not been silent, if there is one. Undefined: all are silent, and are tried already, or were just now. */
  choose<T extends { address: string }>(found: readonly T[], port: number): T | undefined {
    const of = ({ address }: T): Attempts | undefined => this.#attempts.get(keyOf(address, port));
    const heard = found.find((one) => of(one)?.silentAt === undefined);
    return heard ?? found.find((one) => this.#isDue(of(one)));
  }

  #isDue(attempts: Attempts | undefined): boolean {
    if (attempts?.silentAt === undefined) return true;
    return attempts.trying === 0 && this.#now() - attempts.silentAt >= REST_MS;
  }

  /** Follows a socket that connects to this address now, and ends an attempt that takes too long. */
  follow(socket: Socket, address: string, port: number): void {
    const key = keyOf(address, port);
    const attempts = this.#attempts.get(key) ?? { silentAt: undefined, trying: 0 };
    this.#attempts.set(key, attempts);
    attempts.trying += 1;
    let isOver = false;
    const over = (silentAt: number | undefined): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      attempts.trying -= 1;
      attempts.silentAt = silentAt;
      if (attempts.trying === 0 && silentAt === undefined) this.#attempts.delete(key);
    };
    const timer = setTimeout(() => {
      over(this.#now());
      socket.destroy(new Error(`${address} let nobody connect within ${CONNECT_MS} ms`));
    }, CONNECT_MS);
    socket.once('connect', () => over(undefined));
    // What was known stays known: it was given up before it could say anything.
    socket.once('close', () => over(attempts.silentAt));
    socket.once('error', (error: NodeJS.ErrnoException) =>
      over(SILENT_CODES.has(error.code) ? this.#now() : undefined),
    );
  }
}

/** Where a socket goes. */
export interface Destination {
  /** A name or an address. */
  host: string;
  port: number;
  lookup: LookupFunction;
}

/** The socket that `connect` makes to one of the destination's addresses, followed by `memory`; or one that fails at once. */
export function connectWith(
  memory: ReachMemory,
  { host, port, lookup }: Destination,
  connect: (lookup: LookupFunction) => Socket,
): Socket {
  if (isIP(host) !== 0) {
    if (memory.choose([{ address: host }], port) === undefined)
      return new Socket().destroy(silentError(host));
    const socket = connect(lookup);
    memory.follow(socket, host, port);
    return socket;
  }
  const socket = connect((name, options, callback) => {
    lookup(name, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, '');
      const one = memory.choose(found as LookupAddress[], port);
      if (one === undefined) return callback(silentError(name), '');
      memory.follow(socket, one.address, port);
      return options.all === true ? callback(null, [one]) : callback(null, one.address, one.family);
    });
  });
  return socket;
}

function silentError(host: string): Error {
  return new Error(`${host} has just let nobody connect`);
}

function keyOf(address: string, port: number): string {
  return `${address} ${port}`;
}
