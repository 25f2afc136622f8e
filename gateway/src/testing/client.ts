/** Clients of the gateway: the unchanged SDK, and bare sockets. */
import { readFileSync } from 'node:fs';
import { Centrifuge } from 'centrifuge';
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

/** The SDK, made for `gateways`: it connects to the first one that takes it. */
export async function sdk(
  platform: Platform,
  gateways: GatewayProcess[],
  options: Partial<Options> & { user?: string; claims?: Record<string, unknown> } = {},
): Promise<Centrifuge> {
  const { user = 'ann', claims = {}, ...rest } = options;
  const ca = readFileSync(platform.pki.caFile);
  let next = 0;
  /** Goes to the next gateway at each attempt, as a load balancer's Service does. */
  class Balanced extends WebSocket {
    constructor(_: string, protocols?: string | string[]) {
      const gateway = gateways[next++ % gateways.length];
      super(gateway?.url ?? '', protocols, { ca });
    }
  }
  return new Centrifuge('wss://balanced', {
    websocket: Balanced,
    token: await token(user, claims),
    minReconnectDelay: 50,
    maxReconnectDelay: 500,
    ...rest,
  });
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

export async function rawClient(platform: Platform, gateway: GatewayProcess): Promise<RawClient> {
  const raw = keepLines(new WebSocket(gateway.url, { ca: readFileSync(platform.pki.caFile) }));
  await new Promise<void>((resolve, reject) => {
    raw.ws.once('open', resolve);
    raw.ws.once('error', reject);
  });
  return raw;
}

/** Keeps what comes on a WebSocket. */
export function keepLines(ws: WebSocket): RawClient {
  const lines: Record<string, unknown>[] = [];
  ws.on('message', (data: Buffer) => {
    for (const line of data.toString().split('\n')) lines.push(JSON.parse(line) as Record<string, unknown>);
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    ws.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  return {
    ws,
    lines,
    send: (...commands) => ws.send(commands.map((c) => JSON.stringify(c)).join('\n')),
    closed,
  };
}
