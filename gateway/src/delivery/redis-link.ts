import { ErrorReply } from 'redis';
import type { GatewayConfig } from '@causeway/crds';
import type { Log } from '../log/index.ts';
import { reason } from '../log/index.ts';
import type { Names } from '../names/index.ts';
import { BackendAwayError } from './away.ts';
import { connectionOptions, newClient } from './redis-client.ts';
import type { RedisClient } from './redis-client.ts';
import { parseRole, parseRunId } from './redis-role.ts';
import type { RedisServer } from './redis-role.ts';
import { whenSilent } from './redis-silence.ts';
import { within } from './within.ts';

/** A connection whose pings are not answered for this long is dead; so is one that is not ready by then. */
const SILENCE_MS = 5_000;
const RETRY_MAX_MS = 500;
/** Where a connection to a server that turned out to be a replica was good for so long, the next one is made at once. */
const SETTLED_MS = 500;
/** A server that was demoted, and has just said so, tells whom it follows within this time. */
const ROLE_MS = 500;
/** How long clients wait for a connection: under the 5 s after which SDKs give up. */
const PATIENCE_MS = 3_000;

/** What a link is for. */
export interface RedisLinkOptions {
  redis: GatewayConfig['redis'];
  /** For the log: commands, feed. */
  name: string;
  log: Log;
  /** Where the server is; without it, the process' own. */
  names?: Names;
  /** Runs on each new connection before it is used; a rejection drops the connection. */
  prepare(client: RedisClient): Promise<void>;
  /** A new connection can be used. */
  connected(): void;
  /** The server has become a replica of another one, where this link goes now. */
  leaving?(to: RedisServer): void;
  /** A connection was lost, or could not be made. */
  failed(): void;
}

/** A Redis that takes no writes. */
class ReplicaError extends Error {
  readonly primary: RedisServer | undefined;

  constructor(role: string, primary: RedisServer | undefined) {
    super(`this Redis is a ${role}, which takes no writes`);
    this.name = 'ReplicaError';
    this.primary = primary;
  }
}

/**
 * One connection to a Redis that takes writes, which comes back by itself. Each connection is made anew, with the credentials
 * that the mounted files have then, so that rotated ones are taken up. While it is away, commands fail at once. A replica is asked
 * whom it follows, and that one is connected to at once: names lead to the old home for a while after the home has moved
 * (docs/adr/0073).
 */
export class RedisLink {
  readonly #options: RedisLinkOptions;
  #client: RedisClient | undefined;
  #ready = false;
  /** Monotonic milliseconds. */
  #readySince = 0;
  /** Where the connection of now leads to; undefined: where the URL does. */
  #at: RedisServer | undefined;
  /** The server of the last connection, if it told its ID. */
  #runId: string | undefined;
  /** Of those who wait for a connection. */
  #awaited: PromiseWithResolvers<void> | undefined;
  #attempt = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Ends the listening to the connection of now. */
  #unheed: () => void = () => undefined;
  #closed = false;

  constructor(options: RedisLinkOptions) {
    this.#options = options;
  }

  get ready(): boolean {
    return this.#ready;
  }

  /** The client, if it is connected. Throws {@link BackendAwayError}. */
  get client(): RedisClient {
    if (!this.#client || !this.#ready) throw new BackendAwayError('Redis is not connected');
    return this.#client;
  }

  /**
   * Resolves when it is connected. Rejects with {@link BackendAwayError} after {@link PATIENCE_MS}. For what clients ask for when
   * they come back: while the home moves they come in before Redis is there, and who is refused comes again ever later.
   */
  async connection(): Promise<void> {
    if (this.#ready) return;
    this.#awaited ??= Promise.withResolvers<void>();
    try {
      await within(PATIENCE_MS, 'Redis', this.#awaited.promise);
    } catch (error) {
      throw new BackendAwayError('Redis is not connected', { cause: error });
    }
  }

  /** Begins to connect; does not wait. */
  start(): void {
    void this.#connect();
  }

  /** Drops the connection and makes a new one, such as when the server turned out to be a replica. Does nothing while it is away. */
  reconnect(why: unknown): void {
    if (!this.#client || !this.#ready) return;
    if (performance.now() - this.#readySince < SETTLED_MS) return this.#lost(this.#client, why);
    this.#ready = false;
    this.#options.failed();
    this.#options.log.warn('Redis left', { connection: this.#options.name, reason: reason(why) });
    void this.#leave(this.#client);
  }

  /** The connection of now is the quickest to ask: the name may lead to the same server once more, or to one that is not there yet. */
  async #leave(client: RedisClient): Promise<void> {
    const told = client.sendCommand(['ROLE']).then(parseRole);
    const next = await within(ROLE_MS, 'ROLE', told).catch(() => undefined);
    if (this.#client !== client) return;
    this.#drop(client);
    if (next?.primary) this.#options.leaving?.(next.primary);
    void this.#connect(next?.primary);
  }

  /** Goes to a server by another link's word, from wherever it is. */
  go(to: RedisServer): void {
    if (!this.#client || !this.#ready) return;
    this.#drop(this.#client);
    void this.#connect(to);
  }

  /** Goes at once where another link is, if that is another server; one that does not tell which it is counts as the same. */
  follow(other: RedisLink): void {
    if (!this.#client || !this.#ready || !other.#ready) return;
    if (!this.#runId || !other.#runId || this.#runId === other.#runId) return;
    this.#options.log.info('Redis has moved', { connection: this.#options.name, after: other.#options.name });
    this.#drop(this.#client);
    void this.#connect(other.#at);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#unheed();
    this.#ready = false;
    this.#client?.destroy();
    this.#client = undefined;
  }

  /** `at`: there, and not where the URL leads. What is there must be a primary: nobody is followed any further. */
  async #connect(at?: RedisServer): Promise<void> {
    let client: RedisClient | undefined;
    try {
      const made = newClient(await connectionOptions(this.#options.redis, at), this.#options.names);
      if (this.#closed) return;
      client = made;
      this.#client = made;
      made.on('error', (error: unknown) => this.#lost(made, error));
      this.#unheed = whenSilent(made, SILENCE_MS, (why) => this.#lost(made, why));
      await made.connect();
      // Given up while it was made: its socket was not there yet to be closed.
      if (this.#client !== made) return made.destroy();
      const runId = await primaryId(made);
      await this.#options.prepare(made);
      if (this.#client !== made) return;
      this.#runId = runId;
      this.#at = at;
      this.#becomeReady();
    } catch (error) {
      this.#failed(client, error, at);
    }
  }

  #becomeReady(): void {
    this.#ready = true;
    this.#readySince = performance.now();
    this.#awaited?.resolve();
    this.#awaited = undefined;
    this.#attempt = 0;
    const { name, log } = this.#options;
    log.info('Redis connected', { connection: name, ...(this.#at && { primary: this.#at }) });
    this.#options.connected();
  }

  /** An attempt was in vain. */
  #failed(client: RedisClient | undefined, error: unknown, at: RedisServer | undefined): void {
    if (client) {
      if (this.#client !== client) return;
      this.#drop(client);
    }
    const next = at === undefined && error instanceof ReplicaError ? error.primary : undefined;
    if (!next || this.#closed) return this.#retry(error);
    void this.#connect(next);
  }

  #lost(client: RedisClient, error: unknown): void {
    if (this.#client !== client) return;
    this.#drop(client);
    this.#retry(error);
  }

  #drop(client: RedisClient): void {
    this.#unheed();
    this.#client = undefined;
    this.#ready = false;
    // An open client is destroyed; one that closed itself has nothing left to destroy.
    if (client.isOpen) client.destroy();
  }

  #retry(error: unknown): void {
    if (this.#closed) return;
    this.#options.failed();
    const inMs = Math.round(Math.min(RETRY_MAX_MS, 50 * 2 ** this.#attempt) * (0.5 + Math.random() / 2));
    this.#attempt = Math.min(this.#attempt + 1, 10);
    this.#options.log.warn('Redis connection failed', {
      connection: this.#options.name,
      reason: reason(error),
      retryInMs: inMs,
    });
    this.#timer = setTimeout(() => void this.#connect(), inMs);
  }
}

/** The ID of a server that takes writes; undefined: it does not tell it. Rejects with {@link ReplicaError} if it takes none. */
async function primaryId(client: RedisClient): Promise<string | undefined> {
  const info = client.sendCommand(['INFO', 'server']).catch((error: unknown) => {
    // Users may be kept from it. A connection that broke is another thing.
    if (error instanceof ErrorReply) return undefined;
    throw error;
  });
  const [answer, told] = await Promise.all([client.sendCommand(['ROLE']), info]);
  const { role, primary } = parseRole(answer);
  if (role !== 'master') throw new ReplicaError(role, primary);
  return parseRunId(told);
}
