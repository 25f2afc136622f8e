import type { LookupAddress } from 'node:dns';
import { isIP, Socket } from 'node:net';
import type { LookupFunction } from 'node:net';

/**
 * How long a connection may take, milliseconds: more than the second after which a system asks again whose first packet was lost
 * (RFC 6298, section 2.1).
 */
export const CONNECT_MS = 1_500;
/** How long nobody tries a broker that somebody has just tried in vain, milliseconds. */
export const REST_MS = 500;
/** How long brokers that were met are gone to first, after a bootstrap server was silent, milliseconds. */
export const DETOUR_MS = 60_000;

/** What became of an address. */
interface Attempts {
  /** When the last one ended without an answer, monotonic milliseconds; undefined: none has since it was reached. */
  silentAt: number | undefined;
  /** Under way. */
  trying: number;
}

/** Where a socket goes. */
export interface Destination {
  /** A name or an address. */
  host: string;
  port: number;
  lookup: LookupFunction;
}

/** Who says nothing, not even no: their system, or the whole way to them. */
const SILENT_CODES: ReadonlySet<unknown> = new Set(['EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'EHOSTDOWN']);

/** Of the error of a socket that was given up by who made it: it says nothing of the server. */
export const GIVEN_UP_CODE = 'ECANCELED';

/**
 * Which servers of one Kafka cluster let nobody connect, for all clients of this process (docs/adr/0082-who-lets-nobody-connect.md):
 * with a zone lost each would find that out by itself, and kafkajs does so one server after another, while nobody can publish.
 */
export class KafkaReach {
  readonly #bootstrap: readonly string[];
  readonly #now: () => number;
  /** By address and port. */
  readonly #attempts = new Map<string, Attempts>();
  /** Brokers that were connected to last, by host and port, the latest at the end. */
  readonly #met = new Set<string>();
  #bootstrapSilentAt = -Infinity;

  /** `bootstrap`: `host:port` of servers to begin with. */
  constructor(bootstrap: readonly string[], now: () => number = () => performance.now()) {
    this.#bootstrap = bootstrap;
    this.#now = now;
  }

  /** Servers to begin with, the best first. */
  servers(): string[] {
    const isDetour = this.#now() - this.#bootstrapSilentAt < DETOUR_MS;
    return isDetour ? [...[...this.#met].toReversed(), ...this.#bootstrap] : [...this.#bootstrap];
  }

  /** The socket that `connect` makes to one of the destination's addresses, or one that fails at once. */
  connect(to: Destination, connect: (lookup: LookupFunction) => Socket): Socket {
    const { host, port, lookup } = to;
    if (isIP(host) !== 0) {
      if (this.#choose([{ address: host }], to) === undefined)
        return new Socket().destroy(silentError(`${host}:${port}`));
      const socket = connect(lookup);
      this.#follow(socket, host, to);
      return socket;
    }
    let isFollowed = false;
    const socket = connect((name, options, callback) => {
      lookup(name, { ...options, all: true }, (error, found) => {
        if (error) return callback(error, '');
        const one = this.#choose(found as LookupAddress[], to);
        if (one === undefined) return callback(silentError(`${name}:${port}`), '');
        // Bun asks again and again for one socket.
        if (!isFollowed) this.#follow(socket, one.address, to);
        isFollowed = true;
        return options.all === true ? callback(null, [one]) : callback(null, one.address, one.family);
      });
    });
    return socket;
  }

  /**
   * One that has not been silent, if there is one; else the one whose silence is the longest ago, so that each has its turn. Of brokers that
   * are silent one at a time is tried: undefined, this is under way, or was just now. Behind the one address of a bootstrap server there may
   * be others that answer.
   */
  #choose<T extends { address: string }>(found: readonly T[], to: Destination): T | undefined {
    const of = ({ address }: T): Attempts | undefined => this.#attempts.get(keyOf(address, to.port));
    // Never silent is longer ago than all else.
    const silentAt = (one: T): number => of(one)?.silentAt ?? -1;
    const worthIt = this.#isBootstrap(to) ? found : found.filter((one) => this.#isDue(of(one)));
    return worthIt.toSorted((a, b) => silentAt(a) - silentAt(b))[0];
  }

  #isDue(attempts: Attempts | undefined): boolean {
    if (attempts?.silentAt === undefined) return true;
    return attempts.trying === 0 && this.#now() - attempts.silentAt >= REST_MS;
  }

  /** Follows a socket that connects to this address now, and ends an attempt that takes too long. */
  #follow(socket: Socket, address: string, to: Destination): void {
    const key = keyOf(address, to.port);
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
    const silent = (): void => {
      if (isOver) return;
      over(this.#now());
      this.#missed(to);
    };
    const timer = setTimeout(() => {
      silent();
      socket.destroy(new Error(`${address}:${to.port} let nobody connect within ${CONNECT_MS} ms`));
    }, CONNECT_MS);
    socket.once('connect', () => {
      over(undefined);
      this.#meet(to);
    });
    // What was known stays known: it was given up before it could say anything.
    socket.once('close', () => over(attempts.silentAt));
    socket.once('error', ({ code }: NodeJS.ErrnoException) => {
      if (SILENT_CODES.has(code)) silent();
      else if (code !== GIVEN_UP_CODE) over(undefined);
    });
  }

  #meet(to: Destination): void {
    if (this.#isBootstrap(to)) return;
    const server = serverOf(to);
    this.#met.delete(server);
    this.#met.add(server);
  }

  #missed(to: Destination): void {
    if (this.#isBootstrap(to)) this.#bootstrapSilentAt = this.#now();
    else this.#met.delete(serverOf(to));
  }

  #isBootstrap(to: Destination): boolean {
    return this.#bootstrap.includes(serverOf(to));
  }
}

function serverOf({ host, port }: Destination): string {
  return `${host}:${port}`;
}

function keyOf(address: string, port: number): string {
  return `${address} ${port}`;
}

function silentError(server: string): Error {
  return new Error(`${server} has just let nobody connect`);
}
