import type { IncomingHttpHeaders } from 'node:http2';
import { parseSubprotocols } from './subprotocol.ts';
import { BAD_REQUEST, mayComeFrom, pathOf } from './upgrade.ts';
import type { Refusal, UpgradeRules } from './upgrade.ts';

/**
 * Why this request is no WebSocket handshake that we take (RFC 8441, 4 and 5); undefined if it is one. There is no
 * key and no upgrade header to check: the stream is the connection.
 */
export function refuseConnect(headers: IncomingHttpHeaders, rules: UpgradeRules): Refusal | undefined {
  const { ':method': method, ':protocol': protocol, ':path': path, origin } = headers;
  if (method === 'CONNECT' && protocol === undefined) return BAD_REQUEST;
  if (!rules.paths.has(pathOf(path ?? ''))) return { status: 404, reason: 'Not Found' };
  if (method !== 'CONNECT') {
    return { status: 405, reason: 'Method Not Allowed', headers: { allow: 'CONNECT' } };
  }
  // RFC 9220, 3: 501 for a protocol that is not known; RFC 8441 leaves it open.
  if (protocol !== 'websocket') return { status: 501, reason: 'Not Implemented' };
  if (headers['sec-websocket-version'] !== '13') {
    return { ...BAD_REQUEST, headers: { 'sec-websocket-version': '13' } };
  }
  if (headers['content-length'] !== undefined) return BAD_REQUEST;
  if (!parseSubprotocols(headers['sec-websocket-protocol'])) return BAD_REQUEST;
  if (!mayComeFrom(origin, rules)) return { status: 403, reason: 'Forbidden' };
  return undefined;
}
