import type { RedisClient } from './redis-client.ts';
import type { RedisLink } from './redis-link.ts';

/** What a script is called with. */
export interface ScriptCall {
  keys: string[];
  arguments: string[];
}

/** Lua scripts that a connection to Redis has loaded, called by their hash. */
export class RedisScripts<N extends string> {
  readonly #link: RedisLink;
  readonly #sources: Readonly<Record<N, string>>;
  #hashes: Partial<Record<N, string>> = {};

  constructor(link: RedisLink, sources: Readonly<Record<N, string>>) {
    this.#link = link;
    this.#sources = sources;
  }

  /** To be called on each new connection: Redis may have lost its scripts. */
  async load(client: RedisClient): Promise<void> {
    const names = Object.keys(this.#sources) as N[];
    const hashes = await Promise.all(names.map((name) => client.scriptLoad(this.#sources[name])));
    this.#hashes = Object.fromEntries(names.map((name, index) => [name, hashes[index]])) as Record<N, string>;
  }

  /** Calls keep their order. Rejects when Redis cannot be reached. */
  async run(script: N, call: ScriptCall): Promise<unknown> {
    const client = this.#link.client;
    try {
      return await client.evalSha(this.#hashes[script] ?? '', call);
    } catch (error) {
      // A replica, or a server whose scripts were flushed: a new connection finds the right one, and loads them.
      if (error instanceof Error && /^(READONLY|NOSCRIPT|LOADING|MASTERDOWN)/.test(error.message)) {
        this.#link.reconnect(error);
      }
      throw error;
    }
  }
}
