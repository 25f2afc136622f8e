/**
 * gateway/src/rpc: methods that applications of the user carry out over HTTP (docs/adr/0055). `message` decides what is
 * asked and what an answer means; `http-method` asks. Imports names, protocol and crds.
 */
export { HttpMethods } from './http-method.ts';
export type { RpcTrouble } from './http-method.ts';
export type { RpcCall, RpcOutcome } from './message.ts';
