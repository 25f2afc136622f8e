import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient } from 'redis';
import { SECRET_KEY } from '@causeway/crds';
import type { GatewayConfig } from '@causeway/crds';
import type { Log } from '../log/index.ts';
import { reason } from '../log/index.ts';
import { names as ownNames } from '../names/index.ts';
import type { Names } from '../names/index.ts';
import { BackendAwayError } from './away.ts';
import { whenSilent } from './redis-silence.ts';
import { within } from './within.ts';

export type RedisClient = ReturnType<typeof newClient>;

/**
 * A Redis that says nothing for this long is not there, while a connection is made: TCP, then TLS. Short, since an attempt that
 * began just before the home moved waits in vain for the old one.
 */
const CONNECT_TIMEOUT_MS = 1_500;
/** A connection whose pings are not answered for this long is dead; so is one that is not ready by then. */
const SILENCE_MS = 5_000;
const PING_MS = 1_500;
const RETRY_MAX_MS = 500;
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
  /** A connection was lost, or could not be made. */
  failed(): void;
}

/**
 * One connection to Redis that comes back by itself. Each connection is made anew, with the credentials that the
 * mounted files have then, so that rotated ones are taken up. While it is away, commands fail at once.
 */
export class RedisLink {
  readonly #options: RedisLinkOptions;
  #client: RedisClient | undefined;
  #ready = false;
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

  /** Drops the connection and makes a new one, such as when the server turned out to be a replica. */
  reconnect(why: unknown): void {
    if (this.#client) this.#lost(this.#client, why);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#unheed();
    this.#ready = false;
    this.#client?.destroy();
    this.#client = undefined;
  }

  async #connect(): Promise<void> {
    let client: RedisClient | undefined;
    try {
      const made = newClient(await connectionOptions(this.#options.redis), this.#options.names);
      if (this.#closed) return;
      client = made;
      this.#client = made;
      made.on('error', (error: unknown) => this.#lost(made, error));
      this.#unheed = whenSilent(made, SILENCE_MS, (why) => this.#lost(made, why));
      await made.connect();
      // Given up while it was made: its socket was not there yet to be closed.
      if (this.#client !== made) return made.destroy();
      await this.#options.prepare(made);
      if (this.#client !== made) return;
      this.#ready = true;
      this.#awaited?.resolve();
      this.#awaited = undefined;
      this.#attempt = 0;
      this.#options.log.info('Redis connected', { connection: this.#options.name });
      this.#options.connected();
    } catch (error) {
      if (client) this.#lost(client, error);
      else this.#retry(error);
    }
  }

  #lost(client: RedisClient, error: unknown): void {
    if (this.#client !== client) return;
    this.#unheed();
    this.#client = undefined;
    this.#ready = false;
    // An open client is destroyed; one that closed itself has nothing left to destroy.
    if (client.isOpen) client.destroy();
    this.#retry(error);
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

interface ConnectionOptions {
  url: string;
  username?: string;
  password?: string;
  tls?: { ca?: Buffer; cert?: Buffer; key?: Buffer };
}

function newClient({ url, username, password, tls }: ConnectionOptions, { lookup }: Names = ownNames) {
  const socket = {
    lookup,
    connectTimeout: CONNECT_TIMEOUT_MS,
    reconnectStrategy: false,
  } as const;
  return createClient({
    url,
    ...(username && { username }),
    ...(password && { password }),
    socket: tls ? { ...socket, tls: true, ...tls } : socket,
    pingInterval: PING_MS,
    disableOfflineQueue: true,
    RESP: 2,
  });
}

async function connectionOptions({ url, tlsDir, dir }: GatewayConfig['redis']): Promise<ConnectionOptions> {
  const options: ConnectionOptions = { url };
  if (new URL(url).protocol === 'rediss:') {
    const from = tlsDir ?? dir;
    options.tls = {
      ...(await member('ca', from, SECRET_KEY.ca)),
      ...(await member('cert', from, SECRET_KEY.cert)),
      ...(await member('key', from, SECRET_KEY.key)),
    };
  }
  const { username } = await member('username', dir, SECRET_KEY.username);
  const { password } = await member('password', dir, SECRET_KEY.password);
  if (username) options.username = username.toString().trim();
  if (password) options.password = password.toString().trim();
  return options;
}

/** `{ name: contents }` of a file of a mounted Secret; empty if the Secret has no such key. */
async function member<N extends string>(
  name: N,
  dir: string | undefined,
  key: string,
): Promise<{ [K in N]?: Buffer }> {
  if (!dir) return {};
  try {
    return { [name]: await readFile(join(dir, key)) } as { [K in N]?: Buffer };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}
