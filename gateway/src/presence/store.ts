import type { Announcement } from '../channels/index.ts';

/** A client that came (`info` is what others see of it, the JSON of a ClientInfo) or went. */
export interface PresenceChange {
  client: string;
  /** Undefined: it went. */
  info: string | undefined;
}

export interface PresenceStats {
  clients: number;
  users: number;
}

/** What one gateway has changed in one channel. */
export interface PresenceUpdate {
  channel: string;
  /** The version that these changes are made to. Undefined: forget what is there, and begin with these. */
  base: number | undefined;
  /** The version after them. */
  version: number;
  changes: PresenceChange[];
}

/** This gateway's part of a channel, at a version. */
export interface PresencePart {
  channel: string;
  version: number;
}

/**
 * What all gateways say together. Each gateway has a part of its own in each channel, which expires when it is not
 * kept. A part has a version, so that a gateway sees, without reading it, whether what is there is what it wrote.
 * Calls are carried out in the order in which they are made, and reject when Redis cannot be reached.
 */
export interface PresenceStore {
  /** Changes this gateway's part. False: it is not at `base`, and is as it was. */
  update(update: PresenceUpdate): Promise<boolean>;
  /** Tells all gateways that have subscribers of `channel`; nothing of it is kept. */
  announce(channel: string, announcements: Announcement[]): Promise<void>;
  /** Lets this gateway's parts live on. Returns those that are not at their version. */
  keep(parts: PresencePart[]): Promise<PresencePart[]>;
  /** The clients of a channel, each the JSON of a ClientInfo; how many there are if they are more than `limit`. */
  list(channel: string, limit: number): Promise<string[] | number>;
  /** Undefined if there are more than `limit` clients. */
  stats(channel: string, limit: number): Promise<PresenceStats | undefined>;
}
