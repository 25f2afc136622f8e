/**
 * e2e/bench/ws-peer: plain `ws` on Node.js over TLS 1.3, as an application would use it: what the gateway benchmarks
 * compare ours with. It answers the commands connect, subscribe and publish of the Centrifuge protocol in JSON, so that
 * the same clients can speak with it, and keeps nothing: no history, no Kafka, no Redis. Imports ws and jose.
 * Run by e2e/bench/gateway: node e2e/bench/ws-peer/main.ts <port> <certificate> <key>, with TOKEN_SECRET set.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { jwtVerify } from 'jose';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';

/** As our gateway pings. */
const PING_MS = 25_000;
const MAX_PAYLOAD_BYTES = 64 * 1024;

interface Command {
  id?: number;
  connect?: { token: string };
  subscribe?: { channel: string };
  publish?: { channel: string; data: unknown };
}

const [port = '', certFile = '', keyFile = ''] = process.argv.slice(2);
const secret = Buffer.from(process.env['TOKEN_SECRET'] ?? '');
if (secret.length === 0) throw new Error('TOKEN_SECRET is empty: set it to what tokens are signed with');

/** Subscribers by channel; a channel without any is not kept. */
const channels = new Map<string, Set<WebSocket>>();

const server = createServer(
  { cert: readFileSync(certFile), key: readFileSync(keyFile), minVersion: 'TLSv1.3' },
  (_, response) => response.writeHead(426).end(),
);
const sockets = new WebSocketServer({
  server,
  path: '/connection/websocket',
  perMessageDeflate: false,
  maxPayload: MAX_PAYLOAD_BYTES,
});

sockets.on('connection', (socket) => {
  const mine = new Set<string>();
  let known = false;
  socket.on('message', (text: Buffer) => {
    void answer(text.toString()).catch(() => socket.close(3500, 'invalid token'));
  });
  socket.on('error', () => socket.terminate());
  socket.on('close', () => {
    for (const channel of mine) leave(channel, socket);
  });

  async function answer(text: string): Promise<void> {
    const { id, connect, subscribe, publish } = JSON.parse(text) as Command;
    if (connect) {
      await jwtVerify(connect.token, secret, { algorithms: ['HS256'] });
      known = true;
      socket.send(JSON.stringify({ id, connect: { client: String(id), version: 'ws' } }));
    } else if (!known) {
      socket.close(3501, 'bad request');
    } else if (subscribe) {
      mine.add(subscribe.channel);
      join(subscribe.channel, socket);
      socket.send(JSON.stringify({ id, subscribe: {} }));
    } else if (publish) {
      const push = JSON.stringify({ push: { channel: publish.channel, pub: { data: publish.data } } });
      for (const member of channels.get(publish.channel) ?? []) member.send(push);
      socket.send(JSON.stringify({ id, publish: {} }));
    }
  }
});

function join(channel: string, socket: WebSocket): void {
  const members = channels.get(channel);
  if (members) members.add(socket);
  else channels.set(channel, new Set([socket]));
}

function leave(channel: string, socket: WebSocket): void {
  const members = channels.get(channel);
  members?.delete(socket);
  if (members?.size === 0) channels.delete(channel);
}

setInterval(() => {
  for (const socket of sockets.clients) socket.ping();
}, PING_MS).unref();

server.listen(Number(port), '127.0.0.1');
