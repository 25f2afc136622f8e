/** What a Redis says of itself, read. Decides, and does no I/O; https://redis.io/docs/latest/commands/role/ and `info/`. */
import { isIPv4, isIPv6 } from 'node:net';

/** Where a Redis is. */
export interface RedisServer {
  /** A name, or an address; of IPv6 without brackets. */
  host: string;
  port: number;
}

/** A Redis as to who writes. */
export interface RedisRole {
  /** As it calls itself: `master`, `slave`, `sentinel`, or anything else. */
  role: string;
  /** Whom a replica follows, by its own word; undefined: it does not say it so that one could go there. */
  primary?: RedisServer;
}

/** A DNS name (RFC 1035, 2.3.4: at most 253 characters as it is written), with the underscores that some have. */
const NAME = /^(?=.{1,253}$)\w([\w-]*\w)?(\.\w([\w-]*\w)?)*\.?$/;
const MAX_PORT = 65_535;
/** Redis writes 40 hexadecimal digits; others that speak its protocol may write something else. */
const RUN_ID = /^run_id:([\w-]{1,128})\r?$/m;

/** Reads the answer to ROLE. Never throws: whatever it does not understand is no master. */
export function parseRole(answer: unknown): RedisRole {
  const [role, host, port]: unknown[] = Array.isArray(answer) ? answer : [];
  if (typeof role !== 'string') return { role: 'server that does not tell its role' };
  if (role !== 'slave' || !isHost(host) || !isPort(port)) return { role: role.slice(0, 32) };
  return { role, primary: { host, port } };
}

/** The ID of the server's process in an answer to `INFO server`; undefined: there is none in it. */
export function parseRunId(answer: unknown): string | undefined {
  return typeof answer === 'string' ? RUN_ID.exec(answer)?.[1] : undefined;
}

/** The same URL for another server. */
export function urlOf(url: string, { host, port }: RedisServer): string {
  const other = new URL(url);
  other.hostname = isIPv6(host) ? `[${host}]` : host;
  other.port = String(port);
  return other.href;
}

/** IPv6 addresses with a zone are for one machine's links, and a URL cannot have them. */
function isHost(host: unknown): host is string {
  if (typeof host !== 'string') return false;
  return isIPv4(host) || NAME.test(host) || (isIPv6(host) && !host.includes('%'));
}

function isPort(port: unknown): port is number {
  return typeof port === 'number' && Number.isInteger(port) && port > 0 && port <= MAX_PORT;
}
