/**
 * gateway/src/presence: who is subscribed to what, told to the other gateways. Redis comes in through the interface in
 * store.ts. Imports only limits, and a type of channels.
 */
export { Presence } from './presence.ts';
export type { PresenceKind } from './presence.ts';
export type { PresencePart, PresenceStats, PresenceStore, PresenceUpdate } from './store.ts';
