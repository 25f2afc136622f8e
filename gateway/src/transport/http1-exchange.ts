import { STATUS_CODES } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { DuplexOutput } from './duplex-output.ts';
import type { Exchange } from './exchange.ts';
import type { RequestHead } from './upgrade.ts';

const LAST_CHUNK = Buffer.from('0\r\n\r\n');
const LINE_END = Buffer.from('\r\n');
/** Statuses whose response has no length (RFC 9110, 8.6). */
const WITHOUT_LENGTH = new Set([204, 304]);

/** One request over HTTP/1.1 and its response, after which the connection ends. The body goes out in chunks. */
export class Http1Exchange extends DuplexOutput implements Exchange {
  readonly #socket: TLSSocket;
  readonly #head: RequestHead;
  readonly #arrived: () => void;

  /** `arrived` is called when the response begins. */
  constructor(socket: TLSSocket, head: RequestHead, arrived: () => void) {
    super(socket);
    this.#socket = socket;
    this.#head = head;
    this.#arrived = arrived;
  }

  get method(): string {
    return this.#head.method;
  }

  get url(): string {
    return this.#head.url;
  }

  get headers(): Readonly<Record<string, string | undefined>> {
    return this.#head.headers;
  }

  async body(maxBytes: number): Promise<Buffer | undefined> {
    const length = this.#head.headers['content-length'];
    if (this.#head.headers['transfer-encoding'] !== undefined) return undefined;
    if (length === undefined || !/^\d{1,9}$/.test(length) || Number(length) > maxBytes) return undefined;
    const wanted = Number(length);
    const chunks = [this.#head.rest];
    let got = this.#head.rest.length;
    if (got < wanted) {
      await new Promise<void>((resolve) => {
        const take = (chunk: Buffer): void => {
          chunks.push(chunk);
          got += chunk.length;
          if (got >= wanted) done();
        };
        const done = (): void => {
          this.#socket.off('data', take);
          this.#socket.off('close', done);
          resolve();
        };
        this.#socket.on('data', take);
        this.#socket.once('close', done);
      });
    }
    return got < wanted ? undefined : Buffer.concat(chunks).subarray(0, wanted);
  }

  refuse(status: number, headers: Readonly<Record<string, string>>): void {
    this.#begin(status, { ...headers, ...(WITHOUT_LENGTH.has(status) ? {} : { 'content-length': '0' }) });
    this.#finish();
  }

  respond(headers: Readonly<Record<string, string>>): void {
    this.#arrived();
    // Nothing more is expected; reading on is what notices the end of the connection.
    this.#socket.resume();
    this.#begin(200, { ...headers, 'transfer-encoding': 'chunked' });
  }

  override write(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#socket.cork();
    super.write(Buffer.from(`${bytes.length.toString(16)}\r\n`, 'latin1'));
    super.write(bytes);
    super.write(LINE_END);
    this.#socket.uncork();
  }

  end(): void {
    super.write(LAST_CHUNK);
    this.#finish();
  }

  #begin(status: number, headers: Readonly<Record<string, string>>): void {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const start = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
    super.write(Buffer.from(`${start}${lines.join('')}connection: close\r\n\r\n`, 'latin1'));
  }

  #finish(): void {
    this.#socket.end(() => this.#socket.destroySoon());
  }
}
