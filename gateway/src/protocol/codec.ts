import type { Command } from './command.ts';
import type { Pushes, Results } from './reply.ts';

/** A message that is ready to be framed: text for the JSON form, bytes for Protobuf. */
export type Message = string | Uint8Array;

/** One form of the protocol. A connection has one from its handshake to its end. */
export interface Codec {
  readonly name: 'json' | 'protobuf';
  /** Its messages are binary ones of WebSocket. */
  readonly binary: boolean;
  /** A server's ping; the client answers with the same. */
  readonly ping: Message;
  /**
   * Reads the commands of one frame. Throws MalformedFrameError unless all of it is commands, and nothing else,
   * whatever comes.
   */
  decode(frame: Buffer): Command[];
  /** The reply to command `id`. */
  reply<K extends keyof Results>(id: number, what: K, result: Results[K]): Message;
  /** A push; `channel` is empty for what is about the connection. */
  push<K extends keyof Pushes>(channel: string, what: K, push: Pushes[K]): Message;
}

/** Something that is made once for each codec that is in use, when it is first asked for. */
export class PerCodec<T> {
  readonly #make: (codec: Codec) => T;
  #json: T | undefined;
  #protobuf: T | undefined;

  constructor(make: (codec: Codec) => T) {
    this.#make = make;
  }

  for(codec: Codec): T {
    if (codec.name === 'json') return (this.#json ??= this.#make(codec));
    return (this.#protobuf ??= this.#make(codec));
  }
}
