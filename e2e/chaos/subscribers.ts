import { readFileSync } from 'node:fs';
import type { Centrifuge } from 'centrifuge';
import { WebSocket } from 'ws';
import { token } from '../../gateway/src/testing/index.ts';
import { noteSubscription, type History } from '../deliveries/index.ts';
import { idOf, MARK } from './traffic.ts';
import type { World } from './world.ts';

/** Somebody who hears all channels and notes what comes. */
export interface Subscriber {
  readonly name: string;
  /** The last mark that came, by channel. */
  readonly lastMark: ReadonlyMap<string, string>;
  /** Ends its connection. */
  leave(): void;
  comeBack(): void;
}

/** The unchanged SDK, with subscriptions that the client makes. */
export class SdkSubscriber implements Subscriber {
  readonly name: string;
  readonly lastMark = new Map<string, string>();
  readonly #client: Centrifuge;

  constructor(name: string, client: Centrifuge, history: History, channels: readonly string[]) {
    this.name = name;
    this.#client = client;
    for (const channel of channels) {
      const subscription = client.newSubscription(channel, {
        minResubscribeDelay: 50,
        maxResubscribeDelay: 500,
      });
      noteSubscription(subscription, { history, subscriber: name, idOf });
      subscription.on('publication', ({ data }) => {
        const id = idOf(data);
        if (id.startsWith(MARK)) this.lastMark.set(channel, id);
      });
      subscription.subscribe();
    }
    client.connect();
  }

  leave(): void {
    this.#client.disconnect();
  }

  comeBack(): void {
    this.#client.connect();
  }
}

type Json = Record<string, unknown>;
interface Publication {
  data: unknown;
  offset: number;
  epoch?: string;
}
interface SubscribeReply {
  epoch: string;
  offset: number;
  recovered?: boolean;
  was_recovering?: boolean;
  publications?: Publication[];
}

/** Milliseconds until it comes back, and until it takes a silent connection for dead. */
const BACK_MS = 150;
const SILENT_MS = 4_000;

/**
 * A client of our own on a bare WebSocket, in the JSON form: it sees each epoch, and asks for exactly what it has not.
 * With `serverSide`, its token subscribes it.
 */
export class BareSubscriber implements Subscriber {
  readonly name: string;
  readonly lastMark = new Map<string, string>();
  readonly #world: World;
  readonly #history: History;
  readonly #serverSide: boolean;
  readonly #positions = new Map<string, { epoch: string; offset: number }>();
  #token = '';
  #next = 0;
  #ws: WebSocket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isAway = true;

  constructor(name: string, world: World, history: History, serverSide: boolean) {
    this.name = name;
    this.#world = world;
    this.#history = history;
    this.#serverSide = serverSide;
  }

  /** To be called once, before anything else. */
  async begin(): Promise<void> {
    this.#token = await token(this.name, this.#serverSide ? { channels: this.#world.channels } : {});
    this.comeBack();
  }

  leave(): void {
    this.#isAway = true;
    clearTimeout(this.#timer);
    this.#ws?.terminate();
    this.#ws = undefined;
  }

  comeBack(): void {
    this.#isAway = false;
    this.#connect();
  }

  #connect(): void {
    const { places, platform } = this.#world;
    const place = places[this.#next++ % places.length];
    const ws = new WebSocket(place?.url ?? '', {
      ca: readFileSync(platform.pki.caFile),
      handshakeTimeout: SILENT_MS,
    });
    this.#ws = ws;
    ws.on('error', () => undefined);
    ws.on('open', () => this.#greet(ws));
    ws.on('message', (message: Buffer) => {
      // What an old connection still brings after a new one has begun is not for us.
      if (this.#ws === ws) this.#take(ws, message);
    });
    ws.on('close', () => {
      if (this.#ws === ws) this.#again();
    });
  }

  #again(): void {
    clearTimeout(this.#timer);
    this.#ws?.terminate();
    this.#ws = undefined;
    if (!this.#isAway) this.#timer = setTimeout(() => this.#connect(), BACK_MS);
  }

  #greet(ws: WebSocket): void {
    this.#expectSoon();
    const { channels } = this.#world;
    const subs = Object.fromEntries(channels.map((channel) => [channel, this.#wish(channel)]));
    const connect = { token: this.#token, ...(this.#serverSide && { subs }) };
    this.#send(ws, { id: 1, connect });
    if (!this.#serverSide) for (const channel of channels) this.#subscribe(ws, channel);
  }

  #subscribe(ws: WebSocket, channel: string): void {
    const id = 2 + this.#world.channels.indexOf(channel);
    this.#send(ws, { id, subscribe: { channel, ...this.#wish(channel) } });
  }

  #wish(channel: string): object {
    const position = this.#positions.get(channel);
    return position ? { recover: true, ...position } : {};
  }

  #send(ws: WebSocket, command: object): void {
    if (ws.readyState === WebSocket.OPEN) ws.send(JSON.stringify(command));
  }

  #expectSoon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#again(), SILENT_MS);
  }

  #take(ws: WebSocket, message: Buffer): void {
    this.#expectSoon();
    for (const line of message.toString().split('\n')) {
      if (line === '{}') ws.send('{}');
      else this.#read(ws, JSON.parse(line) as Json);
    }
  }

  #read(ws: WebSocket, { id, error, connect, subscribe, push }: Json): void {
    if (push) this.#pushed(ws, push as Json);
    else if (error) this.#refused(ws, id as number);
    else if (subscribe)
      this.#subscribed(this.#world.channels[(id as number) - 2] ?? '', subscribe as SubscribeReply);
    else if (connect && this.#serverSide)
      for (const [channel, reply] of Object.entries(
        (connect as { subs: Record<string, SubscribeReply> }).subs,
      ))
        this.#subscribed(channel, reply);
  }

  /** Redis is away: the connection is tried anew, a subscription a little later. */
  #refused(ws: WebSocket, id: number): void {
    if (id === 1) ws.close();
    else setTimeout(() => this.#subscribe(ws, this.#world.channels[id - 2] ?? ''), BACK_MS);
  }

  #pushed(ws: WebSocket, { channel, pub, unsubscribe }: Json): void {
    if (pub) this.#delivered(channel as string, pub as Publication);
    else if (unsubscribe) this.#subscribe(ws, channel as string);
  }

  #subscribed(channel: string, reply: SubscribeReply): void {
    const { epoch, offset } = reply;
    const recovery = reply.recovered ? 'recovered' : reply.was_recovering ? 'lost' : 'fresh';
    this.#history.add({
      kind: 'subscribed',
      subscriber: this.name,
      channel,
      recovery,
      at: { epoch, offset },
    });
    this.#positions.set(channel, { epoch, offset });
    for (const publication of reply.publications ?? []) this.#delivered(channel, publication);
  }

  #delivered(channel: string, { data, offset, epoch }: Publication): void {
    const position = this.#positions.get(channel);
    const at = { epoch: epoch ?? position?.epoch ?? '', offset };
    const id = idOf(data);
    this.#history.add({ kind: 'delivered', subscriber: this.name, channel, id, at });
    this.#positions.set(channel, at);
    if (id.startsWith(MARK)) this.lastMark.set(channel, id);
  }
}
