/**
 * gateway/src/protocol: the Centrifuge client protocol, version 2, in its JSON and its Protobuf form: frames to
 * commands, results to messages, and its numbers. Pure; imports only protobufjs, and that nowhere else.
 */
export { DISCONNECT, ERROR, UNSUBSCRIBE } from './codes.ts';
export type { Disconnect, ProtocolError } from './codes.ts';
export { PerCodec } from './codec.ts';
export type { Codec, Message } from './codec.ts';
export { MalformedFrameError, MAX_COMMANDS_PER_FRAME } from './command.ts';
export type {
  Command,
  ConnectRequest,
  HistoryRequest,
  Method,
  PublishRequest,
  Requests,
  RpcRequest,
  StreamPosition,
  SubscribeRequest,
} from './command.ts';
export { JSON_CODEC } from './json.ts';
export { ENCODING_TAG, Payload } from './payload.ts';
export type { PayloadForm } from './payload.ts';
export { PROTOBUF_CODEC } from './protobuf.ts';
export * from './reply.ts';
