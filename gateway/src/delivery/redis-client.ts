import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { createClient } from 'redis';
import { SECRET_KEY } from '@causeway/crds';
import type { GatewayConfig } from '@causeway/crds';
import { names as ownNames } from '../names/index.ts';
import type { Names } from '../names/index.ts';
import { urlOf } from './redis-role.ts';
import type { RedisServer } from './redis-role.ts';

/**
 * A Redis that says nothing for this long is not there, while a connection is made: TCP, then TLS. Short, since an attempt that
 * began just before the home moved waits in vain for the old one.
 */
const CONNECT_TIMEOUT_MS = 1_500;
const PING_MS = 1_500;

/**
 * Never connected, only copied: createClient makes a class with all commands for each address that it is given, which takes 45 ms of
 * CPU on Node, and a copy uses the class that there is.
 */
const template = createClient({ pingInterval: PING_MS, disableOfflineQueue: true, RESP: 2 });

export type RedisClient = typeof template;

/** What a client is made of. */
export interface ConnectionOptions {
  url: string;
  username?: string;
  password?: string;
  tls?: { ca?: Buffer; cert?: Buffer; key?: Buffer; servername?: string };
}

/** A client for one connection, which is not begun yet. `names`: where the server is; without it, the process' own. */
export function newClient(
  { url, username, password, tls }: ConnectionOptions,
  { lookup }: Names = ownNames,
): RedisClient {
  const socket = {
    lookup,
    connectTimeout: CONNECT_TIMEOUT_MS,
    reconnectStrategy: false,
  } as const;
  return template.duplicate({
    url,
    ...(username && { username }),
    ...(password && { password }),
    socket: tls ? { ...socket, tls: true, ...tls } : socket,
  });
}

/**
 * Reads what a client needs now: the files of credentials may have changed. `at`: another server than the one that the URL leads to; its
 * certificate is for the URL's name all the same.
 */
export async function connectionOptions(
  { url, tlsDir, dir }: GatewayConfig['redis'],
  at?: RedisServer,
): Promise<ConnectionOptions> {
  const options: ConnectionOptions = { url: at ? urlOf(url, at) : url };
  const { hostname, protocol } = new URL(url);
  if (protocol === 'rediss:') {
    const from = tlsDir ?? dir;
    options.tls = {
      ...(await member('ca', from, SECRET_KEY.ca)),
      ...(await member('cert', from, SECRET_KEY.cert)),
      ...(await member('key', from, SECRET_KEY.key)),
      // Never an address (RFC 6066, section 3): a server that is known by one is checked for its own.
      ...(at && isIP(hostname.replace(/^\[|\]$/g, '')) === 0 && { servername: hostname }),
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
