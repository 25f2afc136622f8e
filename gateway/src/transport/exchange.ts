/** What the transport hands to others that serve on the clients' port: requests and WebSockets, whatever carries them. */

/** Bytes to a client, with what is needed to keep to its pace. */
export interface Output {
  /** Bytes that wait for the client. */
  readonly waiting: number;
  readonly closed: boolean;
  /** Resolves when it may take more, or is closed. */
  drained(): Promise<void>;
  /** Resolves when it is closed. */
  readonly ended: Promise<void>;
  /** Nothing, once it is closed. */
  write(bytes: Buffer): void;
}

/** A request that is no WebSocket, and its response. */
export interface Exchange extends Output {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The body; undefined when it is longer than `maxBytes` or has no length. It must come within the connect time-out. */
  body(maxBytes: number): Promise<Buffer | undefined>;
  /** The whole response, without a body. */
  refuse(status: number, headers: Readonly<Record<string, string>>): void;
  /** Begins a response of status 200. The client has shown who it is: no time-out ends it from now on. */
  respond(headers: Readonly<Record<string, string>>): void;
  /** Ends it. */
  end(): void;
}

/** A WebSocket that others than sessions serve. Writes whole frames. */
export interface MessageSocket extends Output {
  readonly url: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The next message from the client; undefined when it is binary. Later ones are not kept. */
  readonly first: Promise<string | undefined>;
  /** The client has shown who it is: no time-out ends it from now on. */
  arrived(): void;
  close(code: number, reason: string): void;
}
