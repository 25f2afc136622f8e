import type { Announcement } from '../channels/index.ts';
import type { PresencePart, PresenceStats, PresenceStore, PresenceUpdate } from '../presence/index.ts';
import type { RedisKeys } from './keys.ts';
import { KEEP_PRESENCE, READ_PRESENCE, UPDATE_PRESENCE } from './presence-scripts.ts';
import type { RedisClient } from './redis-client.ts';
import type { RedisLink } from './redis-link.ts';
import { RedisScripts } from './redis-scripts.ts';

const SCRIPTS = { update: UPDATE_PRESENCE, keep: KEEP_PRESENCE, read: READ_PRESENCE };

/** What a {@link RedisPresence} needs. */
export interface RedisPresenceOptions {
  link: RedisLink;
  keys: RedisKeys;
  /** Names this process: another one with the same name would take its parts over. */
  gateway: string;
  /** How long a part lives that is not kept, milliseconds. */
  ttlMs: number;
}

/** Presence in Redis: see presence-scripts.ts for how it is kept. */
export class RedisPresence implements PresenceStore {
  readonly #options: RedisPresenceOptions;
  readonly #scripts: RedisScripts<keyof typeof SCRIPTS>;

  constructor(options: RedisPresenceOptions) {
    this.#options = options;
    this.#scripts = new RedisScripts(options.link, SCRIPTS);
  }

  /** To be called on each new connection. */
  prepare(client: RedisClient): Promise<void> {
    return this.#scripts.load(client);
  }

  async update({ channel, base, version, changes }: PresenceUpdate): Promise<boolean> {
    const { gateway, ttlMs } = this.#options;
    const taken = await this.#scripts.run('update', {
      keys: this.#keysOf(channel),
      arguments: [
        gateway,
        base === undefined ? '' : String(base),
        String(version),
        String(ttlMs),
        ...changes.flatMap(({ client, info }) => [client, info ?? '']),
      ],
    });
    return taken === 1;
  }

  async announce(channel: string, announcements: Announcement[]): Promise<void> {
    const { link, keys } = this.#options;
    const feed = keys.feed(channel);
    await Promise.all(
      announcements.map((announcement) => link.client.publish(feed, encodeAnnouncement(announcement))),
    );
  }

  async keep(parts: PresencePart[]): Promise<PresencePart[]> {
    const { gateway, ttlMs } = this.#options;
    const lost = await this.#scripts.run('keep', {
      keys: parts.flatMap(({ channel }) => this.#keysOf(channel)),
      arguments: [gateway, String(ttlMs), ...parts.map(({ version }) => String(version))],
    });
    const indexes = new Set(lost as number[]);
    return parts.filter((_, index) => indexes.has(index + 1));
  }

  async list(channel: string, limit: number): Promise<string[] | number> {
    const [total, ...found] = await this.#read(channel, limit, 'list');
    return total > limit ? total : (found as string[]);
  }

  async stats(channel: string, limit: number): Promise<PresenceStats | undefined> {
    const [clients, users] = await this.#read(channel, limit, 'stats');
    return clients > limit ? undefined : { clients, users: Number(users) };
  }

  async #read(channel: string, limit: number, what: string): Promise<[number, ...unknown[]]> {
    const { keys } = this.#options;
    const reply = await this.#scripts.run('read', {
      keys: [keys.presence(channel)],
      arguments: [keys.members(''), channel, String(limit), what],
    });
    return reply as [number, ...unknown[]];
  }

  #keysOf(channel: string): [index: string, members: string] {
    const { keys, gateway } = this.#options;
    return [keys.presence(channel), keys.members(`${gateway}:${channel}`)];
  }
}

/** An announcement as a pub/sub message. Those of entries begin with an epoch, which is longer than one letter. */
export function encodeAnnouncement({ what, info }: Announcement): string {
  return `${what === 'join' ? 'j' : 'l'} ${info}`;
}

/** Reads what {@link encodeAnnouncement} wrote; undefined if the message is an entry. */
export function decodeAnnouncement(text: string): Announcement | undefined {
  if (text[1] !== ' ') return undefined;
  return { what: text[0] === 'j' ? 'join' : 'leave', info: text.slice(2) };
}
