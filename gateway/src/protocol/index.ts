/**
 * gateway/src/protocol: the JSON form of the Centrifuge client protocol, version 2: frames to commands, results to
 * frames, and its numbers. Pure; imports nothing.
 */
export { DISCONNECT, ERROR, UNSUBSCRIBE } from './codes.ts';
export type { Disconnect, ProtocolError } from './codes.ts';
export { decodeFrame, MalformedFrameError, MAX_COMMANDS_PER_FRAME } from './command.ts';
export type {
  Command,
  ConnectRequest,
  HistoryRequest,
  PublishRequest,
  StreamPosition,
  SubscribeRequest,
} from './command.ts';
export * from './reply.ts';
