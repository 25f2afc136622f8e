/**
 * gateway/src/transport: sockets. TLS 1.3 and WebSocket for clients, over HTTP/1.1 and HTTP/2, certificates that
 * change under way, and plain HTTP for probes. Imports protocol (its close codes), limits (token buckets), mounted, log
 * and crds; ws is imported nowhere else.
 */
export { startAdminServer } from './admin-server.ts';
export { parseAnnotations } from './annotations.ts';
export type { AdminSources } from './admin-server.ts';
export { Certificates } from './certificates.ts';
export { ClientServer } from './client-server.ts';
export type { ServerEvents } from './client-server.ts';
export type { Exchange, MessageSocket, Output } from './exchange.ts';
export { frameOf } from './frame.ts';
export type { ClientSession, Transport, WebSocketWire } from './web-socket-wire.ts';
