/** Clients that do what clients must not do. What becomes of them is their own affair, as long as nobody else notices. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect as connectTls } from 'node:tls';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { startTcpProxy, token } from '../../gateway/src/testing/index.ts';
import { connectFrame, fuzzFrames, garbage } from './frames.ts';
import type { Place, World } from './world.ts';

/** What a stranger needs to know. */
export interface Visit {
  world: World;
  place: Place;
  seed: number;
  forMs: number;
  /** Says that the gateway did what it must not do. */
  readonly complain: (what: string) => void;
}

const FRAMES = 40;

/** Frames of the protocol, right and wrong, in both forms, by one that is known and by one that is not. */
export async function fuzz({ world, place, seed }: Visit): Promise<void> {
  for (const form of ['json', 'protobuf'] as const) {
    for (const isKnown of [true, false]) {
      const ws = await open(world, place, form === 'json' ? [] : ['centrifuge-protobuf']);
      if (!ws) return;
      if (isKnown) ws.send(connectFrame(form, await token('stranger')));
      for (const frame of fuzzFrames(form, seed, FRAMES)) {
        if (ws.readyState !== WebSocket.OPEN) break;
        ws.send(frame);
        await delay(5);
      }
      ws.terminate();
    }
  }
}

/** Bytes that are no TLS, no HTTP and no WebSocket frames, each where the other is expected. */
export async function sendGarbage({ world, place, seed, forMs }: Visit): Promise<void> {
  const ca = readFileSync(world.platform.pki.caFile);
  const tls = connectTls({ port: place.front.port, host: '127.0.0.1', servername: 'localhost', ca });
  tls.on('error', () => undefined);
  tls.on('secureConnect', () => tls.write(garbage(seed)));
  const ws = await open(world, place);
  // Past the client's own framing.
  const { _socket: socket } = (ws ?? {}) as unknown as { _socket?: { write(bytes: Buffer): void } };
  socket?.write(garbage(seed + 1));
  await delay(Math.min(forMs, 500));
  ws?.terminate();
  tls.destroy();
}

/** A frame over the limit, which must end the connection: 1009. */
export async function sendOversize({ world, place, seed, complain }: Visit): Promise<void> {
  const ws = await open(world, place);
  if (!ws) return;
  const closed = new Promise<number>((resolve) => ws.once('close', resolve));
  ws.send(connectFrame('json', await token('stranger')));
  ws.send(Buffer.alloc(1_100_000 + seed, 0x20));
  const code = await Promise.race([closed, delay(10_000, undefined, { ref: false })]);
  // 1006: a fault of the network was quicker.
  if (code !== 1009 && code !== 1006 && code !== 3001)
    complain(`a frame of ${1_100_000 + seed} bytes ended with ${code}, not 1009`);
  ws.terminate();
}

/** Tokens that are forged or over must not let anybody in. */
export async function showBadTokens({ world, place, complain }: Visit): Promise<void> {
  const forged = await token('eve', {}, randomBytes(32));
  const over = await token('eve', { exp: Math.floor(Date.now() / 1000) - 60 });
  for (const bad of [forged, over, `${over}x`, 'no token', '']) {
    const ws = await open(world, place);
    if (!ws) return;
    const answers: string[] = [];
    ws.on('message', (message: Buffer) => answers.push(message.toString()));
    const answered = new Promise((resolve) => {
      ws.once('message', resolve);
      ws.once('close', resolve);
    });
    ws.send(connectFrame('json', bad));
    ws.send(JSON.stringify({ id: 2, subscribe: { channel: world.channels[0] } }));
    await Promise.race([answered, delay(3_000, undefined, { ref: false })]);
    const let_in = answers.find((line) => line.includes('"connect"') || line.includes('"subscribe"'));
    if (let_in !== undefined) complain(`a bad token was answered with ${let_in.slice(0, 200)}`);
    ws.terminate();
  }
}

/** Subscribes to everything and reads nothing. */
export async function readSlowly({ world, place, forMs }: Visit): Promise<void> {
  const ws = await subscribed(world, place.url, place);
  ws?.pause();
  await delay(forMs);
  ws?.terminate();
}

/** Subscribes to everything, and is gone without a word. The gateway must notice by itself. */
export async function vanish({ world, place, forMs }: Visit): Promise<void> {
  const proxy = await startTcpProxy(place.front.port);
  const ws = await subscribed(world, `wss://localhost:${proxy.port}/connection/websocket`, place);
  proxy.stall();
  await delay(forMs);
  ws?.terminate();
  proxy.close();
}

async function subscribed(world: World, url: string, place: Place): Promise<WebSocket | undefined> {
  const ws = await open(world, place, [], url);
  ws?.send(connectFrame('json', await token('stranger')));
  for (const [index, channel] of world.channels.entries())
    ws?.send(JSON.stringify({ id: index + 2, subscribe: { channel } }));
  return ws;
}

/** Undefined: the gateway cannot be reached just now. */
async function open(
  { platform }: World,
  place: Place,
  subprotocols: string[] = [],
  url = place.url,
): Promise<WebSocket | undefined> {
  const ws = new WebSocket(url, subprotocols, {
    ca: readFileSync(platform.pki.caFile),
    handshakeTimeout: 2_000,
  });
  const isOpen = await new Promise<boolean>((resolve) => {
    ws.once('open', () => resolve(true));
    ws.once('close', () => resolve(false));
    // Also later ones: its end is what counts.
    ws.on('error', () => undefined);
  });
  return isOpen ? ws : undefined;
}
