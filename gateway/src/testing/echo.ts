/**
 * A program for conformance suites: the gateway's port for clients, with an echo in place of sessions and room for large
 * messages. `main.js <certificate> <key>` prints its port, and ends with its standard input.
 */
import { readFileSync } from 'node:fs';
import { ClientServer } from '../transport/index.ts';
import type { ClientSession, ServerEvents, WebSocketWire } from '../transport/index.ts';

const MIB = 1024 * 1024;
/** Suites send messages of up to 16 MiB, and 4 MiB in fragments of 64 bytes. */
const FRAMES = {
  messageBytes: 16 * MIB,
  knownMessageBytes: 16 * MIB,
  fragments: 128 * 1024,
  outputBytes: 64 * MIB,
};
const TICK_MS = 100;

/** A session that sends back what it gets, as it came: text or binary. */
class Echo implements ClientSession {
  readonly connected = true;
  readonly #wire: WebSocketWire;

  constructor(wire: WebSocketWire) {
    this.#wire = wire;
  }

  receive(frame: Buffer, isBinary: boolean): void {
    this.#wire.send(isBinary ? frame : frame.toString());
  }

  tick(): void {
    // It has no time-outs.
  }

  close(why: Parameters<ClientSession['close']>[0]): void {
    this.#wire.close(why);
  }

  ended(): void {
    // It keeps nothing.
  }
}

const nothing = (): void => undefined;
const events: ServerEvents = {
  handshake: nothing,
  resumed: nothing,
  received: nothing,
  sent: nothing,
  slow: nothing,
  notUpgraded: nothing,
  timedOut: nothing,
  http2Broken: nothing,
  turnedAway: nothing,
};

const [certFile = '', keyFile = ''] = process.argv.slice(2);
const server = new ClientServer({
  sessionContext: 'echo',
  allowedOrigins: [],
  connectTimeoutMs: 5_000,
  maxConnections: 100,
  maxHandshakes: 100,
  certificate: { cert: readFileSync(certFile), key: readFileSync(keyFile), ticketKeys: undefined },
  events,
  turnsAway: () => false,
  frames: FRAMES,
  newSession: (wire) => new Echo(wire),
});
setInterval(() => server.tick(performance.now(), Date.now()), TICK_MS);
process.stdout.write(`${await server.listen(0)}\n`);
process.stdin.resume().once('end', () => process.exit());
