/** Clients of the gateway: the unchanged SDK, and bare sockets. */
import { readFileSync } from 'node:fs';
import { Centrifuge } from 'centrifuge';
import { Centrifuge as ProtobufCentrifuge } from 'centrifuge/build/protobuf';
import type { Options, PublicationContext, Subscription } from 'centrifuge';
import { SignJWT } from 'jose';
import { WebSocket } from 'ws';
import { waitFor } from '../../../e2e/tools/index.ts';
import { HMAC } from './gateway-process.ts';
import type { GatewayProcess, Platform } from './gateway-process.ts';

/** A token for `user`, signed with the tests' shared secret. */
export function token(
  user: string,
  claims: Record<string, unknown> = {},
  key: Uint8Array = HMAC,
): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).setSubject(user).sign(key);
}

/** How a client is made, beside the SDK's own options. */
interface ClientOptions {
  user?: string;
  claims?: Record<string, unknown>;
  /** Which build of the SDK; default JSON. */
  form?: 'json' | 'protobuf';
}

/** The SDK, made for `gateways`: it connects to the first one that takes it. With Protobuf, data is bytes. */
export async function sdk(
  platform: Platform,
  gateways: Pick<GatewayProcess, 'url'>[],
  options: Partial<Options> & ClientOptions = {},
): Promise<Centrifuge> {
  const { user = 'ann', claims = {}, form = 'json', ...rest } = options;
  const ca = readFileSync(platform.pki.caFile);
  let next = 0;
  /** Goes to the next gateway at each attempt, as a load balancer's Service does. */
  class Balanced extends WebSocket {
    constructor(_: string, protocols?: string | string[]) {
      const gateway = gateways[next++ % gateways.length];
      super(gateway?.url ?? '', protocols, { ca });
    }
  }
  const made: Partial<Options> = {
    websocket: Balanced,
    token: await token(user, claims),
    minReconnectDelay: 50,
    maxReconnectDelay: 500,
    ...rest,
  };
  if (form === 'json') return new Centrifuge('wss://balanced', made);
  // The two builds have the same types, declared twice.
  return new ProtobufCentrifuge('wss://balanced', made) as unknown as Centrifuge;
}

/** Connects and waits until it is connected. */
export async function connected(client: Centrifuge): Promise<Centrifuge> {
  client.connect();
  await client.ready(15_000);
  return client;
}

/** A subscription that keeps what it gets. */
export interface Listener {
  subscription: Subscription;
  publications: PublicationContext[];
  /** `data` of each publication. */
  readonly data: unknown[];
}

/** Subscribes to `channel` and waits until that is answered. */
export async function listen(client: Centrifuge, channel: string): Promise<Listener> {
  const subscription = client.newSubscription(channel);
  const publications: PublicationContext[] = [];
  subscription.on('publication', (publication) => publications.push(publication));
  subscription.subscribe();
  await subscription.ready(15_000);
  return {
    subscription,
    publications,
    get data() {
      return publications.map(({ data }) => data as unknown);
    },
  };
}

/** Publishes, and tries again while the gateway says that it may work later. */
export async function publish(client: Centrifuge, channel: string, data: unknown): Promise<void> {
  await waitFor(
    'publication acknowledged',
    async () => {
      await client.publish(channel, data);
      return true;
    },
    { intervalMs: 50 },
  );
}

/** A bare WebSocket that keeps the lines that it gets. */
export interface RawClient {
  ws: WebSocket;
  lines: Record<string, unknown>[];
  send(...commands: object[]): void;
  readonly closed: Promise<{ code: number; reason: string }>;
}

/** A bare WebSocket that keeps the messages that it gets, as they are. */
export interface RawBinaryClient {
  ws: WebSocket;
  messages: Buffer[];
  readonly closed: Promise<{ code: number; reason: string }>;
}

/** Connects with `query` in the URL and asks for `subprotocols`. */
export async function rawBinaryClient(
  platform: Platform,
  gateway: GatewayProcess,
  query: string,
  subprotocols: string[],
): Promise<RawBinaryClient> {
  const ws = new WebSocket(gateway.url + query, subprotocols, { ca: readFileSync(platform.pki.caFile) });
  const messages: Buffer[] = [];
  ws.on('message', (data: Buffer) => messages.push(data));
  const closed = endOf(ws);
  await opened(ws);
  return { ws, messages, closed };
}

export async function rawClient(platform: Platform, gateway: GatewayProcess): Promise<RawClient> {
  const raw = keepLines(new WebSocket(gateway.url, { ca: readFileSync(platform.pki.caFile) }));
  await opened(raw.ws);
  return raw;
}

/** Keeps what comes on a WebSocket. */
export function keepLines(ws: WebSocket): RawClient {
  const lines: Record<string, unknown>[] = [];
  ws.on('message', (data: Buffer) => {
    for (const line of data.toString().split('\n')) lines.push(JSON.parse(line) as Record<string, unknown>);
  });
  const closed = endOf(ws);
  return {
    ws,
    lines,
    send: (...commands) => ws.send(commands.map((c) => JSON.stringify(c)).join('\n')),
    closed,
  };
}

function endOf(ws: WebSocket): Promise<{ code: number; reason: string }> {
  return new Promise((resolve) => {
    ws.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
  });
}

function opened(ws: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    ws.once('open', resolve);
    ws.once('error', reject);
  });
}
