import type { Codec } from './codec.ts';
import { decodeProtobuf } from './protobuf-decode.ts';
import { encodePush, encodeReply } from './protobuf-encode.ts';

/** The Protobuf form: messages, each after its length, in binary frames. */
export const PROTOBUF_CODEC: Codec = {
  name: 'protobuf',
  binary: true,
  /** A reply of no bytes. */
  ping: Uint8Array.of(0),
  decode: decodeProtobuf,
  reply: encodeReply,
  push: encodePush,
};
