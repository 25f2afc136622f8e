import { constants } from 'node:http2';
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { DuplexOutput } from './duplex-output.ts';
import type { Exchange } from './exchange.ts';

/** One request over HTTP/2 and its response, on a stream of its own. */
export class Http2Exchange extends DuplexOutput implements Exchange {
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly #stream: ServerHttp2Stream;
  readonly #arrived: () => void;

  /** `arrived` is called when the response begins. */
  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, arrived: () => void) {
    super(stream);
    this.#stream = stream;
    this.#arrived = arrived;
    this.headers = oneEach(headers);
  }

  get method(): string {
    return this.headers[':method'] ?? '';
  }

  get url(): string {
    return this.headers[':path'] ?? '';
  }

  async body(maxBytes: number): Promise<Buffer | undefined> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    return new Promise((resolve) => {
      this.#stream.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= maxBytes) chunks.push(chunk);
        else resolve(undefined);
      });
      this.#stream.once('end', () => resolve(Buffer.concat(chunks)));
      this.#stream.once('close', () => resolve(undefined));
    });
  }

  refuse(status: number, headers: Readonly<Record<string, string>>): void {
    if (this.closed) return;
    this.#stream.respond({ ':status': status, ...headers }, { endStream: true });
    this.#leaveRest();
  }

  respond(headers: Readonly<Record<string, string>>): void {
    this.#arrived();
    if (this.closed) return;
    this.#stream.respond({ ':status': 200, ...headers });
    this.#stream.resume();
  }

  end(): void {
    if (!this.closed) this.#stream.end(() => this.#leaveRest());
  }

  /** The rest of a request is not waited for (RFC 9113, 8.1). Where there is none, a reset could overtake the response. */
  #leaveRest(): void {
    if (this.#stream.endAfterHeaders || this.#stream.readableEnded) return;
    this.#stream.close(constants.NGHTTP2_NO_ERROR);
  }
}

/** Headers as texts: Node gives lists only of such as may come more than once. */
export function oneEach(headers: IncomingHttpHeaders): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  );
}
