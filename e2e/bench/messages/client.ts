/**
 * A bare client of the Centrifuge protocol in JSON, for load: the SDK's own work would be measured otherwise. Our
 * gateway and Centrifugo speak it alike (https://centrifugal.dev/docs/transports/client_protocol).
 */
import { WebSocket } from 'ws';

/** Where and as whom to connect. */
export interface Access {
  url: string;
  /** PEM of the authority that signed the server's certificate. */
  ca: string | Buffer;
  servername?: string;
  token: string;
}

interface Reply {
  id?: number;
  error?: { code: number; message: string };
  push?: { channel: string; pub?: { data: unknown } };
}

/** A connected client. */
export class Client {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, { resolve: () => void; reject: (error: Error) => void }>();
  readonly #take: (channel: string, data: unknown) => void;
  #lastId = 0;
  #end: Error | undefined;

  private constructor(socket: WebSocket, take: (channel: string, data: unknown) => void) {
    this.#socket = socket;
    this.#take = take;
    socket.on('message', (text: Buffer) => this.#read(text.toString()));
    socket.on('close', (code, reason) => this.#ended(new Error(`closed with ${code} ${reason.toString()}`)));
    socket.on('error', (error) => this.#ended(error));
  }

  /** Connects, and resolves when the token was taken. `take` is given each publication of a subscribed channel. */
  static async connect(access: Access, take: (channel: string, data: unknown) => void): Promise<Client> {
    const { url, ca, servername, token } = access;
    const socket = new WebSocket(url, { ca, ...(servername === undefined ? {} : { servername }) });
    const client = new Client(socket, take);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    await client.#call({ connect: { token } });
    return client;
  }

  /** Resolves when the server has answered. */
  subscribe(channel: string): Promise<void> {
    return this.#call({ subscribe: { channel } });
  }

  /** Resolves when the server has acknowledged it. */
  publish(channel: string, data: unknown): Promise<void> {
    return this.#call({ publish: { channel, data } });
  }

  close(): void {
    this.#end = new Error('closed by us');
    this.#socket.close();
  }

  #call(command: object): Promise<void> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ id, ...command }));
    });
  }

  #read(text: string): void {
    for (const line of text.split('\n')) {
      // An empty object is the server's ping, and our answer to it.
      if (line === '{}') this.#socket.send('{}');
      else if (line !== '') this.#handle(JSON.parse(line) as Reply);
    }
  }

  #handle({ id, error, push }: Reply): void {
    if (push?.pub !== undefined) this.#take(push.channel, push.pub.data);
    if (id === undefined) return;
    const call = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) call?.resolve();
    else call?.reject(new Error(`${error.code} ${error.message}`));
  }

  #ended(error: Error): void {
    this.#end ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#end);
    this.#waiting.clear();
  }
}
