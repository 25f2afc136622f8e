/**
 * gateway/src/session: one client's side of the protocol, from the connect command to the end of the connection.
 * Imports protocol, auth, limits, channels, presence, delivery and rpc; knows no socket.
 */
export { Ahead } from './ahead.ts';
export { MAX_PUBLICATION_BYTES, Session } from './session.ts';
export type { SessionEvents, SessionServices, Wire } from './services.ts';
export { MAX_CHANNELS } from './subscriptions.ts';
